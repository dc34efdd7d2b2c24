//! The listing of all servers, one after another. connect-memcached has none: its `length` returns statistics of each
//! server, and its `clear` empties them.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, in_part};
use cloakroom_core::{Enumerate, Error, ErrorKind, Listed, is_marker};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use memcache::exp::{Delete, Get, Meta};

use crate::{MemcachedStore, dump::Dump, key};

/// A server that cannot be listed yields an error, and the listing continues with the next one.
#[async_trait]
impl Enumerate for MemcachedStore {
    /// Skips keys that no session of this store has: those without an id after the prefix, and those on a server to
    /// which the ring does not map their id. It also skips sessions whose key was too long and was replaced by its
    /// digest.
    ///
    /// While a server is listed, other listings on it wait, and it removes no expired items. Read a listing to its end,
    /// or drop it.
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.sessions("ids")
            .map_ok(|(_, page)| stream::iter(page.into_iter().map(|(sid, _)| Ok(sid))))
            .try_flatten()
            .boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.sessions("all")
            .and_then(|(server, page)| self.load(server, page))
            .map_ok(|(since, page)| {
                stream::iter(page).map_ok(move |listed| listed.after(since.elapsed()))
            })
            .try_flatten()
            .boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        self.sessions("length")
            .try_fold(0, |length, (_, page)| async move { Ok(length + page.len() as u64) })
            .await
    }

    /// Removes the keys under the prefix from every server, including those that the ring does not map to it.
    async fn clear(&self) -> Result<(), Error> {
        if self.prefix().is_empty() {
            let message = "clear requires a prefix; to remove everything from the servers, call flush_servers";
            let operation = self.operation("clear", Idempotency::Read);
            return Err(operation.error(ErrorKind::Unsupported, message));
        }
        let mut pages = std::pin::pin!(self.pages("clear"));
        let mut has_removed = false;
        while let Some((index, keys)) = pages.try_next().await.map_err(in_part(has_removed))? {
            let ours = |key: &&String| key.starts_with(self.prefix());
            let deletes: Vec<_> = keys.iter().filter(ours).map(Delete::new).collect();
            if !deletes.is_empty() {
                let operation = self.operation("clear", Idempotency::Repeatable);
                let removed = self.servers()[index].run_many(&operation, &deletes).await;
                removed.map_err(in_part(has_removed))?;
                has_removed = true;
            }
        }
        Ok(())
    }
}

impl MemcachedStore {
    /// Removes **everything that the servers hold**, including items of other programs, as connect-memcached's `clear`
    /// does.
    ///
    /// [`clear`](Enumerate::clear) removes the sessions under the prefix, and returns an error if the prefix is empty.
    ///
    /// # Errors
    ///
    /// The store's own errors, for the first server that fails; [`Unsupported`](ErrorKind::Unsupported) if a server
    /// does not allow it.
    pub async fn flush_servers(&self) -> Result<(), Error> {
        let operation = self.operation("flush_servers", Idempotency::Repeatable);
        for server in self.servers() {
            crate::plain::flush(server, &operation.part()).await?;
        }
        Ok(())
    }

    /// Returns the keys of the live items of each server, page by page, with the server's index.
    fn pages(
        &self,
        operation: &'static str,
    ) -> impl Stream<Item = Result<(usize, Vec<String>), Error>> + Send + '_ {
        stream::iter(self.servers().iter().enumerate()).flat_map(move |(index, server)| {
            stream::try_unfold(None, move |dump: Option<Dump<'_>>| async move {
                let operation = self.operation(operation, Idempotency::Read);
                let mut dump = match dump {
                    Some(dump) => dump,
                    None => Dump::start(server, &operation).await?,
                };
                let page = dump.page(&operation).await?;
                Ok(page.map(|keys| ((index, keys), Some(dump))))
            })
        })
    }

    /// Returns the ids and keys of the sessions among them.
    fn sessions(
        &self,
        operation: &'static str,
    ) -> impl Stream<Item = Result<(usize, Vec<(String, String)>), Error>> + Send + '_ {
        self.pages(operation).map_ok(move |(index, keys)| {
            let sessions = keys.into_iter().filter_map(|key| Some((self.sid(&key, index)?, key)));
            (index, sessions.collect())
        })
    }

    /// Returns the id that maps to this key on this server.
    fn sid(&self, key: &str, server: usize) -> Option<String> {
        let sid = key.strip_prefix(self.prefix())?;
        if sid.is_empty() || is_marker(sid) {
            return None;
        }
        let leads_here = key::check_characters(key).is_ok() && self.server_of(key) == server;
        leads_here.then(|| sid.to_owned())
    }

    /// Returns the sessions of one page, and when they had the time left that they tell. Skips a session that has ended
    /// since it was listed.
    async fn load(
        &self,
        server: usize,
        page: Vec<(String, String)>,
    ) -> Result<(Instant, Vec<Result<Listed, Error>>), Error> {
        let since = Instant::now();
        if page.is_empty() {
            return Ok((since, Vec::new()));
        }
        let operation = self.operation("all", Idempotency::Read);
        let gets: Vec<_> =
            page.iter().map(|(_, key)| Get::new(key).meta(Meta::NONE.cas().ttl())).collect();
        let server = &self.servers()[server];
        let answers = server.run_many(&operation, &gets).await?;
        let mut sessions = Vec::with_capacity(page.len());
        for ((sid, _), found) in page.into_iter().zip(answers) {
            // A negative number is an item that never expires.
            let time_left = found.item.ttl.and_then(|seconds| u64::try_from(seconds).ok());
            let time_left = time_left.map(Duration::from_secs);
            match self.session_in(&operation, server, found).await {
                Ok(Some(session)) => sessions.push(Ok(Listed::new(sid, session, time_left))),
                Ok(None) => {}
                Err(error) => sessions.push(Err(error)),
            }
        }
        Ok((since, sessions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_ours_with_the_prefix_an_id_and_its_server() {
        let store = MemcachedStore::open("memcached://h?prefix=s:").unwrap();
        for (key, sid) in [
            ("s:abc", Some("abc")),
            ("s:s:", Some("s:")),
            ("s:", None),
            ("t:abc", None),
            ("s:a b", None),
            ("s:a$b", None),
        ] {
            assert_eq!(store.sid(key, 0).as_deref(), sid, "{key}");
        }
        let store = MemcachedStore::open("memcached://a,b,c").unwrap();
        let homes = (0..3).filter(|server| store.sid("abc", *server).is_some()).count();
        assert_eq!(homes, 1);
    }
}
