//! The published stores.

use std::fs;

use cloakroom_compat::{Promisified, promisify_store};
use cloakroom_node::NodeStore;
use cloakroom_test_support::unique;

use super::{PATIENCE, Result, root, servers::Servers};
use crate::json::Json;

/// A store on npm. `tests/npm/stores.mjs` makes it.
pub(super) struct Published {
    /// Its name among the dependencies in `tests/npm/package.json`.
    pub(super) name: &'static str,
    /// What it is called in the page.
    pub(super) title: &'static str,
    /// The server that it needs.
    pub(super) server: Server,
}

/// A server, or none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Redis,
    Memcached,
    MongoDb,
    Postgres,
    MariaDb,
    Folder,
    Memory,
}

const fn published(name: &'static str, title: &'static str, server: Server) -> Published {
    Published { name, title, server }
}

pub(super) static STORES: &[Published] = &[
    published("connect-redis", "connect-redis", Server::Redis),
    published("connect-redis-7", "connect-redis", Server::Redis),
    published("connect-mongo", "connect-mongo", Server::MongoDb),
    published("connect-mongo-5", "connect-mongo", Server::MongoDb),
    published("connect-memcached", "connect-memcached", Server::Memcached),
    published("connect-pg-simple", "connect-pg-simple", Server::Postgres),
    published("connect-session-knex", "connect-session-knex", Server::Postgres),
    published("express-mysql-session", "express-mysql-session", Server::MariaDb),
    published("session-file-store", "session-file-store", Server::Folder),
    published("memorystore", "memorystore", Server::Memory),
    published("connect-loki", "connect-loki", Server::Folder),
    published("express-session", "MemoryStore of express-session", Server::Memory),
    published("next-session", "MemoryStore of next-session", Server::Memory),
];

impl Published {
    /// Opens an empty store.
    pub(super) fn open(&self, servers: &Servers) -> Promisified<NodeStore> {
        let options = serde_json::json!({
            "store": self.name,
            "url": servers.url(self.server),
            "name": unique("case").replace('-', "_"),
        });
        let store = NodeStore::builder()
            .folder(root().join("tests/npm"))
            .factory("stores.mjs")
            .name(self.name)
            .options(options)
            .deadline(PATIENCE)
            .start_deadline(PATIENCE)
            .build()
            .expect("the builder's values are right");
        promisify_store(store).with_deadline(PATIENCE)
    }
}

/// The version of a dependency in `tests/npm/package.json`: that of `npm:x@1.2.3` is `1.2.3`.
pub(super) fn version(name: &str) -> Result<String> {
    let text = fs::read_to_string(root().join("tests/npm/package.json"))?;
    let json = Json::parse(&text).map_err(|error| format!("package.json: {error:?}"))?;
    let version = json.get("dependencies").and_then(|all| all.get(name)).and_then(Json::text);
    let version = version.ok_or_else(|| format!("package.json has no {name}"))?;
    Ok(version.rsplit('@').next().unwrap_or_default().to_owned())
}
