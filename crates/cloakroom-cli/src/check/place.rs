//! A place of the suite's own in a store: a prefix, collections, tables, a folder or ids, which it removes again.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use cloakroom::{ExpressSession, MemoryStore, Store, sql::SqlStore};

use super::gate::{Gate, Gated, Notes};
use crate::{
    failure::Failure,
    one::now_ms,
    probe,
    stores::{reach, scheme, store},
    url::{parameter, path, with_parameter, without_index},
};

/// The connections of each store of the suite to a server of SQL, which has few for all that use it.
const CONNECTIONS: &str = "4";

#[derive(Clone)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) url: String,
    /// What all names of this run begin with.
    name: String,
    count: Arc<AtomicUsize>,
    pub(super) gate: Gate,
}

#[derive(Clone)]
pub(super) enum Kind {
    /// Each store is another one.
    Memory,
    /// Redis.
    Prefix,
    /// Memcached, which also has long keys without a prefix.
    PrefixUnlessLong,
    Collection,
    Folder,
    /// PostgreSQL, MySQL and MariaDB.
    Table,
    /// SQLite: other files beside the one of the URL, so that nobody waits for the suite.
    FileBeside,
    /// A store of npm, in one process. What its file makes cannot be given another name, so the ids have it.
    Ids(Arc<ExpressSession>),
}

impl Place {
    /// Returns the place in the store of a URL, which was opened.
    pub(super) fn new(url: &str, sessions: ExpressSession) -> Result<Self, Failure> {
        let scheme = scheme(url);
        let kind = match &*scheme {
            "memory" => Kind::Memory,
            "file" => Kind::Folder,
            "memcached" => Kind::PrefixUnlessLong,
            "postgres" | "postgresql" | "mysql" | "mariadb" => Kind::Table,
            "sqlite" if path(url) == ":memory:" => Kind::Memory,
            "sqlite" => Kind::FileBeside,
            "node" => Kind::Ids(Arc::new(sessions)),
            scheme if scheme.starts_with("mongodb") => Kind::Collection,
            scheme
                if scheme.starts_with("redis")
                    || scheme.starts_with("valkey")
                    || scheme == "unix" =>
            {
                Kind::Prefix
            }
            _ => {
                let message = "check cannot keep its sessions apart from yours in this store";
                return Err(Failure::usage(message));
            }
        };
        let name = format!("cloakroom-check-{:x}-{:x}-", now_ms(), std::process::id());
        Ok(Self { kind, url: url.to_owned(), name, count: Arc::default(), gate: Gate::default() })
    }

    /// Returns what the names of all keys, collections, tables, files and ids of this run begin with.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns true if two stores of one URL have the same sessions.
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self.kind, Kind::Memory)
    }

    /// Returns how many cases may run at the same time. Others may be using the server.
    pub(super) fn at_once(&self) -> usize {
        // A server of SQL has a process or a thread for each connection.
        if matches!(self.kind, Kind::Table) { 4 } else { 8 }
    }

    /// Returns the URL of a part of the place that nobody else uses.
    pub(super) fn next(&self) -> Part {
        self.part(self.count.fetch_add(1, Relaxed) + 1)
    }

    /// How many parts were used, beside the one that shows that the place can be used.
    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    pub(super) fn part(&self, number: usize) -> Part {
        let name = format!("{}{number}", self.name);
        let alone = |url| Part { url, prefix: String::new() };
        alone(match self.kind {
            Kind::Memory => self.url.clone(),
            Kind::Prefix | Kind::PrefixUnlessLong => {
                with_parameter(&self.url, "prefix", &format!("{name}:"))
            }
            // The removal finds the connections of the run by this name.
            Kind::Collection => probe::mongodb::with_app_name(
                &with_parameter(&self.url, "collectionName", &name),
                &self.name,
            ),
            Kind::Folder => {
                let (path, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
                format!("{}/{name}?{query}", path.trim_end_matches('/'))
            }
            Kind::Table => table(&self.url, &name),
            Kind::FileBeside => {
                let url = with_parameter(&self.url, "createTable", "true");
                let (before, query) = url.split_once('?').unwrap_or((&url, ""));
                let file = path(before).rsplit('/').next().unwrap_or_default();
                format!("{}{name}?{query}", &before[..before.len() - file.len()])
            }
            Kind::Ids(_) => return Part { url: self.url.clone(), prefix: format!("{name}:") },
        })
    }

    /// Opens a store of the suite. Its URL was read before, so it can be opened.
    pub(super) fn open(&self, part: &Part) -> Box<dyn Store> {
        let sessions = match &self.kind {
            Kind::Ids(sessions) => Ok(Arc::clone(sessions)),
            _ => store(&part.url).map(Arc::new),
        };
        let notes = match self.kind {
            Kind::PrefixUnlessLong => Notes::LongIds,
            Kind::Table => Notes::Use,
            Kind::Ids(_) => Notes::Ids,
            _ => Notes::Nothing,
        };
        match sessions {
            Ok(store) => Box::new(Gated {
                store,
                url: part.url.clone(),
                prefix: part.prefix.clone(),
                notes,
                gate: self.gate.clone(),
            }),
            // It fails the case that asks whether a second handle sees the same sessions.
            Err(_) => Box::new(MemoryStore::new()),
        }
    }

    /// Asks the store for something, without writing anything.
    pub(super) async fn reach(&self) -> Result<(), Failure> {
        match &self.kind {
            // An answer needs the login, and the right to drop the tables that come.
            Kind::Table => Ok(SqlStore::open(&self.part(0).url)?.drop_table().await?),
            // It would create the file.
            Kind::FileBeside => Ok(()),
            Kind::Ids(sessions) => Ok(reach(sessions).await?),
            Kind::Collection => Ok(reach(&store(&without_index(&self.url))?).await?),
            _ => Ok(reach(&store(&self.part(0).url)?).await?),
        }
    }

    /// Shows that the place can be used, where that takes a table: without the right to create one, no case could run.
    pub(super) async fn begin(&self) -> Result<(), Failure> {
        if matches!(self.kind, Kind::Table | Kind::FileBeside) {
            reach(&store(&self.part(0).url)?).await?;
        }
        Ok(())
    }
}

/// A part of a place, which one store of the suite has for itself.
pub(super) struct Part {
    pub(super) url: String,
    /// What stands before its ids.
    pub(super) prefix: String,
}

/// Returns the URL with a table of its own.
fn table(url: &str, name: &str) -> String {
    let url = with_parameter(&with_parameter(url, "table", name), "createTable", "true");
    match parameter(&url, "connections") {
        Some(_) => url,
        None => with_parameter(&url, "connections", CONNECTIONS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The URL of a part, without the name of the run.
    fn part(url: &str) -> String {
        let place = Place::new(url, ExpressSession::new(MemoryStore::new())).unwrap();
        place.part(3).url.replace(&*place.name, "NAME-")
    }

    #[test]
    fn each_url_gets_a_name_of_its_own_and_keeps_the_rest() {
        for (url, expected) in [
            ("redis://h/1?prefix=sess:&ttl=5", "redis://h/1?ttl=5&prefix=NAME-3:"),
            (
                "mongodb://h/a?appname=ours&w=1",
                "mongodb://h/a?w=1&collectionName=NAME-3&appName=NAME-",
            ),
            ("FILE:///var/sessions/?ttl=5", "FILE:///var/sessions/NAME-3?ttl=5"),
            (
                "postgres://ann:pass@h/app?counterpart=connect-session-knex&schema=web&table=sessions",
                "postgres://ann:pass@h/app?counterpart=connect-session-knex&schema=web&table=NAME-3&createTable=true&connections=4",
            ),
            (
                "MariaDB://ann@h/app?t%61ble=a&createTable=false&connections=2",
                "MariaDB://ann@h/app?connections=2&table=NAME-3&createTable=true",
            ),
            ("sqlite:sessions.db", "sqlite:NAME-3?createTable=true"),
            ("sqlite:data/sessions.db?ttl=5", "sqlite:data/NAME-3?ttl=5&createTable=true"),
            (
                "sqlite:///var/the%20app/s.db?counterpart=connect-typeorm",
                "sqlite:///var/the%20app/NAME-3?counterpart=connect-typeorm&createTable=true",
            ),
            ("sqlite::memory:?ttl=5", "sqlite::memory:?ttl=5"),
            ("sqlite:///:memory:", "sqlite:///NAME-3?createTable=true"),
            ("node:./store.mjs", "node:./store.mjs"),
        ] {
            assert_eq!(part(url), expected, "{url}");
        }
    }

    #[test]
    fn a_name_is_short_enough_for_every_database() {
        let place = Place::new("mysql://a@h/b", ExpressSession::new(MemoryStore::new())).unwrap();
        // PostgreSQL cuts names at 63 bytes, and the index on the expiry has the longest.
        let index = format!("IDX_{}{}_expiredAt", place.name, 9_999);
        assert!(index.len() <= 63, "{index}");
    }
}
