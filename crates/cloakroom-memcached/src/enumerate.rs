//! The listing of all servers, one after the other.

use async_trait::async_trait;
use cloakroom_backend::Idempotency;
use cloakroom_core::{Enumerate, Error, ErrorKind, SessionData, is_marker};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use memcache::exp::{Delete, Get, Meta};

use crate::{MemcachedStore, dump::Dump, key};

/// A server that cannot be listed is an error in its place, and the others follow.
#[async_trait]
impl Enumerate for MemcachedStore {
    /// A key that is none of ours is left out: one without an id behind the prefix, one that no id has, and one on a
    /// server where its id does not lead. So are sessions whose key is so long that it was replaced by its digest.
    ///
    /// While a server is listed, it makes no other listing wait longer than that takes, and drops no expired items: a
    /// list that is begun should be read to its end, or dropped.
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.sessions("ids")
            .map_ok(|(_, page)| stream::iter(page.into_iter().map(|(sid, _)| Ok(sid))))
            .try_flatten()
            .boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<(String, SessionData), Error>> {
        self.sessions("all")
            .and_then(|(server, page)| self.load(server, page))
            .map_ok(stream::iter)
            .try_flatten()
            .boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        self.sessions("length")
            .try_fold(0, |length, (_, page)| async move { Ok(length + page.len() as u64) })
            .await
    }

    /// What is under the prefix goes on every server, also where the id of a key does not lead.
    async fn clear(&self) -> Result<(), Error> {
        if self.prefix().is_empty() {
            let message =
                "without a prefix this would be all that the servers hold; flush_servers does that";
            let operation = self.operation("clear", Idempotency::Read);
            return Err(operation.error(ErrorKind::Unsupported, message));
        }
        let mut pages = std::pin::pin!(self.pages("clear"));
        while let Some((index, keys)) = pages.try_next().await? {
            let ours = |key: &&String| key.starts_with(self.prefix());
            let deletes: Vec<_> = keys.iter().filter(ours).map(Delete::new).collect();
            if !deletes.is_empty() {
                let operation = self.operation("clear", Idempotency::Repeatable);
                self.servers()[index].run_many(&operation, &deletes).await?;
            }
        }
        Ok(())
    }
}

impl MemcachedStore {
    /// Removes **everything that the servers hold**, whoever wrote it: what connect-memcached's `clear` does.
    ///
    /// [`clear`](Enumerate::clear) removes what is under the prefix, and refuses when that is empty.
    ///
    /// # Errors
    ///
    /// As any operation, for the first server that fails; [`Unsupported`](ErrorKind::Unsupported) for one that does
    /// not allow it.
    pub async fn flush_servers(&self) -> Result<(), Error> {
        let operation = self.operation("flush_servers", Idempotency::Repeatable);
        for server in self.servers() {
            crate::plain::flush(server, &operation.part()).await?;
        }
        Ok(())
    }

    /// The keys of the live items of each server, page by page, and the server's index.
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

    /// The sessions among them, as ids and keys.
    fn sessions(
        &self,
        operation: &'static str,
    ) -> impl Stream<Item = Result<(usize, Vec<(String, String)>), Error>> + Send + '_ {
        self.pages(operation).map_ok(move |(index, keys)| {
            let sessions = keys.into_iter().filter_map(|key| Some((self.sid(&key, index)?, key)));
            (index, sessions.collect())
        })
    }

    /// The id that leads to this key on this server.
    fn sid(&self, key: &str, server: usize) -> Option<String> {
        let sid = key.strip_prefix(self.prefix())?;
        if sid.is_empty() || is_marker(sid) {
            return None;
        }
        let leads_here = key::check_characters(key).is_ok() && self.server_of(key) == server;
        leads_here.then(|| sid.to_owned())
    }

    /// The sessions of one page. One that went meanwhile is left out.
    async fn load(
        &self,
        server: usize,
        page: Vec<(String, String)>,
    ) -> Result<Vec<Result<(String, SessionData), Error>>, Error> {
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let operation = self.operation("all", Idempotency::Read);
        let gets: Vec<_> =
            page.iter().map(|(_, key)| Get::new(key).meta(Meta::NONE.cas())).collect();
        let server = &self.servers()[server];
        let answers = server.run_many(&operation, &gets).await?;
        let mut sessions = Vec::with_capacity(page.len());
        for ((sid, _), found) in page.into_iter().zip(answers) {
            match self.session_in(&operation, server, found).await {
                Ok(Some(session)) => sessions.push(Ok((sid, session))),
                Ok(None) => {}
                Err(error) => sessions.push(Err(error)),
            }
        }
        Ok(sessions)
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
