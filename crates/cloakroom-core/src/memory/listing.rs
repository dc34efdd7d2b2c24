//! Listing the sessions of all shards.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};

use super::{MemoryStore, read, shard::Entry, stored};
use crate::{Enumerate, Error, Listed};

impl MemoryStore {
    /// Returns a copy of each session, shard by shard. Each shard is copied when the iterator reaches it, so no lock is
    /// held while a caller looks at the sessions.
    fn snapshot<T: Send>(
        &self,
        copy: impl Fn(&Entry) -> T + Send,
    ) -> impl Iterator<Item = T> + Send {
        self.0.shards.iter().flat_map(move |shard| {
            let (shard, now_ms) = self.swept(shard);
            shard.sessions(now_ms).map(&copy).collect::<Vec<_>>()
        })
    }
}

#[async_trait]
impl Enumerate for MemoryStore {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        let ids = self.snapshot(|entry| entry.id.clone());
        stream::iter(ids.map(|id| Ok(id.to_string()))).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        let sessions = self.snapshot(|entry| (entry.id.clone(), stored(entry), entry.expires_ms()));
        let sessions = sessions.map(|(id, (text, revision), expires_ms)| {
            // Not when its shard was copied: the caller decides when it goes on.
            let left_ms = u64::try_from(expires_ms.saturating_sub(self.now_ms()));
            let time_left = Duration::from_millis(left_ms.unwrap_or_default());
            Ok(Listed::new(id.to_string(), read(text, revision, "all")?, time_left))
        });
        stream::iter(sessions).boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        let length = |shard| {
            let (shard, now_ms) = self.swept(shard);
            shard.length(now_ms) as u64
        };
        Ok(self.0.shards.iter().map(length).sum())
    }

    async fn clear(&self) -> Result<(), Error> {
        for shard in &self.0.shards {
            let sessions = std::mem::take(&mut *self.swept(shard).0);
            // Without the lock: returning the memory takes a while.
            drop(sessions);
        }
        Ok(())
    }
}
