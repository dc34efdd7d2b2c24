//! Listing the sessions of all shards.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};

use super::{MemoryStore, read, shard::Shard};
use crate::{Enumerate, Error, SessionData, is_marker};

impl MemoryStore {
    /// Returns the sessions shard by shard. Each shard is copied when the iterator reaches it, so no lock is held while a
    /// caller looks at the sessions.
    fn snapshot(&self) -> impl Iterator<Item = Vec<(Arc<str>, Arc<str>, u64)>> + Send + '_ {
        self.0.shards.iter().map(|shard| {
            let shard = self.cleaned(shard);
            shard
                .sessions
                .iter()
                .filter(|(sid, _)| !is_marker(sid))
                .map(|(sid, entry)| (Arc::clone(sid), Arc::clone(&entry.text), entry.revision))
                .collect()
        })
    }
}

#[async_trait]
impl Enumerate for MemoryStore {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        stream::iter(self.snapshot().flatten().map(|(sid, _, _)| Ok(sid.to_string()))).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<(String, SessionData), Error>> {
        stream::iter(
            self.snapshot()
                .flatten()
                .map(|(sid, text, revision)| Ok((sid.to_string(), read(text, revision, "all")?))),
        )
        .boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        let length = |shard| {
            self.cleaned(shard).sessions.keys().filter(|sid| !is_marker(sid)).count() as u64
        };
        Ok(self.0.shards.iter().map(length).sum())
    }

    async fn clear(&self) -> Result<(), Error> {
        for shard in &self.0.shards {
            *self.cleaned(shard) = Shard::default();
        }
        Ok(())
    }
}
