//! The servers of the published stores.

use cloakroom_test_support::{MariaDb, Mongod, Postgres, RedisServer};

use super::{Result, stores::Server};

/// One of each kind. They end when it is dropped.
pub(super) struct Servers {
    redis: RedisServer,
    mongod: Mongod,
    postgres: Postgres,
    mariadb: MariaDb,
    folder: tempfile::TempDir,
}

impl Servers {
    pub(super) fn start() -> Result<Self> {
        Ok(Self {
            redis: RedisServer::start()?,
            mongod: Mongod::start()?,
            postgres: Postgres::start_with(&["-c", "max_connections=200"])?,
            mariadb: MariaDb::start_with(&["--max-connections=200"])?,
            folder: tempfile::tempdir()?,
        })
    }

    /// The address that a store gets; empty if it has no server, or one of its own.
    pub(super) fn url(&self, server: Server) -> String {
        match server {
            Server::Redis => self.redis.url(),
            Server::MongoDb => format!("{}/report", self.mongod.url().trim_end_matches('/')),
            Server::Postgres => self.postgres.url(),
            Server::MariaDb => self.mariadb.url(),
            Server::Folder => self.folder.path().display().to_string(),
            Server::Memcached | Server::Memory => String::new(),
        }
    }
}
