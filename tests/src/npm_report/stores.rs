//! The published stores.

use std::fs;

use cloakroom_compat::{Promisified, promisify_store};
use cloakroom_conformance::{CASES, StoreUnderTest};
use cloakroom_core::Store;
use cloakroom_node::NodeStore;
use cloakroom_test_support::{Memcached, unique};

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
    published("connect-sqlite3", "connect-sqlite3", Server::Folder),
    published("session-file-store", "session-file-store", Server::Folder),
    published("memorystore", "memorystore", Server::Memory),
    published("connect-loki", "connect-loki", Server::Folder),
    published("express-session", "MemoryStore of express-session", Server::Memory),
    published("next-session", "MemoryStore of next-session", Server::Memory),
];

impl Published {
    /// An empty store for the case of this thread.
    pub(super) async fn subject(&self, servers: &Servers) -> StoreUnderTest {
        // Its `clear` empties the server.
        let own = (self.server == Server::Memcached).then(Memcached::start);
        let own = own.map(|started| started.expect("memcached was started before"));
        let url = own.as_ref().map_or_else(|| servers.url(self.server), Memcached::addr);
        let store = self.open(&url);
        if asks_the_store() {
            // Starts the process and connects, so that no short session ends in the meantime. If that fails, the case does.
            let _ = store.get("warm").await;
        }
        let subject = StoreUnderTest::new(store.clone()).with_second_handle(store);
        match own {
            Some(server) => subject.add_guard(server),
            None => subject,
        }
    }

    fn open(&self, url: &str) -> Promisified<NodeStore> {
        let name = unique("case").replace('-', "_");
        let options = serde_json::json!({ "store": self.name, "url": url, "name": name });
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

/// Whether the case of this thread, which has its name, asks the store for anything. Half of the cases need what no store
/// of npm has, and a process costs a quarter of a second.
fn asks_the_store() -> bool {
    let lacks = |part: &&str| ["atomic", "neighbour", "raw", "faults"].contains(part);
    let thread = std::thread::current();
    let case = CASES.iter().find(|case| Some(case.name()) == thread.name());
    case.is_none_or(|case| !case.needs().iter().any(lacks))
}

/// The version of a dependency in `tests/npm/package.json`: that of `npm:x@1.2.3` is `1.2.3`.
pub(super) fn version(name: &str) -> Result<String> {
    let text = fs::read_to_string(root().join("tests/npm/package.json"))?;
    let json = Json::parse(&text).map_err(|error| format!("package.json: {error:?}"))?;
    let version = json.get("dependencies").and_then(|all| all.get(name)).and_then(Json::text);
    let version = version.ok_or_else(|| format!("package.json has no {name}"))?;
    Ok(version.rsplit('@').next().unwrap_or_default().to_owned())
}
