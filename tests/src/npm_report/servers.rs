//! The servers of the published stores.

use cloakroom_test_support::{Mongod, RedisServer, Server as Started};

use super::{
    Result,
    sql::{MariaDb, Postgres},
    stores::Server,
};

/// One of each kind. They end when it is dropped.
pub(super) struct Servers {
    redis: RedisServer,
    mongod: Mongod,
    postgres: Started<Postgres>,
    mariadb: Started<MariaDb>,
    folder: tempfile::TempDir,
}

impl Servers {
    pub(super) fn start() -> Result<Self> {
        Ok(Self {
            redis: RedisServer::start()?,
            mongod: Mongod::start()?,
            postgres: Started::start_with(&["-c", "max_connections=200"])?,
            mariadb: Started::start_with(&["--max-connections=200"])?,
            folder: tempfile::tempdir()?,
        })
    }

    /// The address that a store gets; empty if it has no server, or one of its own.
    pub(super) fn url(&self, server: Server) -> String {
        match server {
            Server::Redis => self.redis.url(),
            Server::MongoDb => format!("{}/report", self.mongod.url().trim_end_matches('/')),
            Server::Postgres => format!("postgres://postgres@{}/postgres", self.postgres.addr()),
            Server::MariaDb => format!("mysql://root@{}/test", self.mariadb.addr()),
            Server::Folder => self.folder.path().display().to_string(),
            Server::Memcached | Server::Memory => String::new(),
        }
    }
}
