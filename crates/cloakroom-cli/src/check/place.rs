//! A place of the suite's own in a store: a prefix, collections or a folder, which it removes again.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use cloakroom::{MemoryStore, Store, file::FileStore, mongodb::mongodb::Client};

use super::long_ids::{LongIds, Noting};
use crate::{
    failure::Failure,
    one::now_ms,
    probe,
    stores::{scheme, store},
    url::with_parameter,
};

#[derive(Clone)]
pub(super) struct Place {
    kind: Kind,
    url: String,
    /// What all names of this run begin with.
    name: String,
    count: Arc<AtomicUsize>,
    long: LongIds,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Each store is another one.
    Memory,
    /// Redis.
    Prefix,
    /// Memcached, which also has long keys without a prefix.
    PrefixUnlessLong,
    Collection,
    Folder,
}

impl Place {
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let scheme = scheme(url);
        let kind = match &*scheme {
            "memory" => Kind::Memory,
            "file" => Kind::Folder,
            "memcached" => Kind::PrefixUnlessLong,
            scheme if scheme.starts_with("mongodb") => Kind::Collection,
            scheme
                if scheme.starts_with("redis")
                    || scheme.starts_with("valkey")
                    || scheme == "unix" =>
            {
                Kind::Prefix
            }
            _ => {
                let message = "check does not know how to have a place of its own in this store";
                return Err(Failure::usage(message));
            }
        };
        let name = format!("cloakroom-check-{:x}-{:x}-", now_ms(), std::process::id());
        Ok(Self {
            kind,
            url: url.to_owned(),
            name,
            count: Arc::default(),
            long: LongIds::default(),
        })
    }

    /// Returns what the names of all keys, collections or folders of this run begin with.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns true if two stores of one URL have the same sessions.
    pub(super) fn is_shared(&self) -> bool {
        self.kind != Kind::Memory
    }

    /// Returns the URL of a part of the place that nobody else uses.
    pub(super) fn next(&self) -> String {
        self.url(self.count.fetch_add(1, Relaxed) + 1)
    }

    pub(super) fn url(&self, number: usize) -> String {
        let name = &self.name;
        match self.kind {
            Kind::Memory => self.url.clone(),
            Kind::Prefix | Kind::PrefixUnlessLong => {
                with_parameter(&self.url, "prefix", &format!("{name}{number}:"))
            }
            Kind::Collection => {
                with_parameter(&self.url, "collectionName", &format!("{name}{number}"))
            }
            Kind::Folder => {
                let (path, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
                format!("{}/{name}{number}?{query}", path.trim_end_matches('/'))
            }
        }
    }

    /// Opens a store of the suite. Its URL was read before, so it can be opened.
    pub(super) fn open(&self, url: &str) -> Box<dyn Store> {
        match store(url) {
            Ok(store) if self.kind == Kind::PrefixUnlessLong => {
                Box::new(Noting { store, url: url.to_owned(), long: self.long.clone() })
            }
            Ok(store) => Box::new(store),
            // It fails the case that asks whether a second handle sees the same sessions.
            Err(_) => Box::new(MemoryStore::new()),
        }
    }

    /// Removes everything that the suite has stored.
    pub(super) async fn remove(&self) -> Result<(), Failure> {
        for (url, sid) in self.long.take() {
            store(&url)?.destroy(&sid).await?;
        }
        match self.kind {
            Kind::Memory => Ok(()),
            // The prefixes of all parts begin with the name, so one pass over the keys is enough.
            Kind::Prefix | Kind::PrefixUnlessLong => {
                Ok(store(&with_parameter(&self.url, "prefix", &self.name))?.clear().await?)
            }
            Kind::Collection => self.drop_collections().await,
            Kind::Folder => {
                for number in 0..=self.count.load(Relaxed) {
                    let store = FileStore::open(&self.url(number))?;
                    let removed = std::fs::remove_dir_all(store.path());
                    match removed {
                        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                            let message =
                                format!("cannot remove the suite's folder: {}", cause.kind());
                            return Err(Failure::usage(message));
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
        }
    }

    async fn drop_collections(&self) -> Result<(), Failure> {
        let failed = |_| Failure::usage("mongodb: cannot drop the suite's collections");
        let client = Client::with_uri_str(probe::mongodb::driver_url(&self.url)).await;
        let database = client.map_err(failed)?.database(&probe::mongodb::database(&self.url));
        for name in database.list_collection_names().await.map_err(failed)? {
            if name.starts_with(&self.name) {
                database
                    .collection::<probe::mongodb::Document>(&name)
                    .drop()
                    .await
                    .map_err(failed)?;
            }
        }
        Ok(())
    }
}
