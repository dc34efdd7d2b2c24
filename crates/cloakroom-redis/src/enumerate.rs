//! The listing: pages of SCAN, one at a time. `KEYS` would stop the server until it has walked all keys, and
//! connect-redis collects all pages before it returns the first session.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, in_part};
use cloakroom_core::{Enumerate, Error, ErrorKind, SessionData, is_marker};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use redis::Value;

use crate::{RedisStore, error, reply};

/// The cursor that starts a listing and, as an answer, ends it.
const ENDS: &[u8] = b"0";

#[async_trait]
impl Enumerate for RedisStore {
    /// Skips keys that no session has: those whose id would be empty or is not UTF-8, and those that do not hold a
    /// string.
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.pages("ids")
            .map_ok(|page| stream::iter(sessions_in(page).map(Ok)))
            .try_flatten()
            .boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<(String, SessionData), Error>> {
        self.pages("all")
            .and_then(|page| self.load(sessions_in(page).collect()))
            .map_ok(stream::iter)
            .try_flatten()
            .boxed()
    }

    /// Counts each session once, although SCAN can list a key twice: it keeps 8 bytes of each id in memory.
    async fn length(&self) -> Result<u64, Error> {
        let hasher = RandomState::new();
        let mut seen = HashSet::new();
        let mut pages = std::pin::pin!(self.pages("length"));
        while let Some(page) = pages.try_next().await? {
            seen.extend(sessions_in(page).map(|sid| hasher.hash_one(sid)));
        }
        Ok(seen.len() as u64)
    }

    async fn clear(&self) -> Result<(), Error> {
        if self.options().prefix.is_empty() {
            let message = "clear requires a prefix; to remove everything from the database, call clear_database";
            return Err(self
                .operation("clear", Idempotency::Read)
                .error(ErrorKind::Unsupported, message));
        }
        let mut pages = std::pin::pin!(self.pages("clear"));
        let mut has_removed = false;
        while let Some(page) = pages.try_next().await.map_err(in_part(has_removed))? {
            if page.is_empty() {
                continue;
            }
            let operation = self.operation("clear", Idempotency::Repeatable);
            // `UNLINK` frees the memory in the background. connect-redis sends one `DEL` for all keys, during which the
            // server answers nobody.
            let mut command = redis::cmd("UNLINK");
            for sid in &page {
                command.arg([&self.options().prefix, sid.as_str()].concat());
            }
            let answer = self.send(&operation, &command).await;
            answer
                .and_then(|answer| reply::number(&operation, answer))
                .map_err(in_part(has_removed))?;
            has_removed = true;
        }
        Ok(())
    }
}

impl RedisStore {
    /// Removes **every key of the database** that the URL names, including keys of other programs.
    ///
    /// [`clear`](Enumerate::clear) removes the sessions under the prefix, and returns an error if the prefix is empty.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    pub async fn clear_database(&self) -> Result<(), Error> {
        let operation = self.operation("clear_database", Idempotency::Repeatable);
        self.connection().needs_all_keys(&operation).await?;
        let flush = redis::cmd("FLUSHDB");
        reply::done(&operation, self.send(&operation, &flush).await?).map(drop)
    }

    /// Returns the ids under the store's prefix, page by page. An id can occur twice.
    fn pages(
        &self,
        operation: &'static str,
    ) -> impl Stream<Item = Result<Vec<String>, Error>> + Send + '_ {
        let pattern = escape(&self.options().prefix) + "*";
        stream::try_unfold((Some(ENDS.to_vec()), pattern), move |(cursor, pattern)| async move {
            let Some(cursor) = cursor else { return Ok(None) };
            let (cursor, page) = self.page(operation, &cursor, &pattern).await?;
            Ok(Some((page, (cursor, pattern))))
        })
    }

    /// Returns one page, and the cursor of the next one.
    async fn page(
        &self,
        operation: &'static str,
        cursor: &[u8],
        pattern: &str,
    ) -> Result<(Option<Vec<u8>>, Vec<String>), Error> {
        let operation = self.operation(operation, Idempotency::Read);
        self.connection().needs_all_keys(&operation).await?;
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(pattern);
        command.arg("COUNT").arg(self.options().scan_count).arg("TYPE").arg("string");
        let answer = reply::list(&operation, self.send(&operation, &command).await?)?;
        let Ok([cursor, keys]) = <[Value; 2]>::try_from(answer) else {
            return Err(error::unexpected(&operation));
        };
        let cursor = reply::text(&operation, cursor)?.unwrap_or_default();
        let mut page = Vec::new();
        for key in reply::list(&operation, keys)? {
            page.extend(reply::text(&operation, key)?.and_then(|key| self.sid(key)));
        }
        Ok(((cursor != ENDS).then_some(cursor), page))
    }

    /// Returns the id in a key under the prefix. It checks the prefix again, because servers that resemble Redis may
    /// read an escaped pattern differently.
    fn sid(&self, key: Vec<u8>) -> Option<String> {
        let sid = key.strip_prefix(self.options().prefix.as_bytes())?;
        if sid.is_empty() { None } else { String::from_utf8(sid.to_vec()).ok() }
    }

    /// Returns the sessions of one page. Skips a session that has ended since its id was listed.
    async fn load(
        &self,
        page: Vec<String>,
    ) -> Result<Vec<Result<(String, SessionData), Error>>, Error> {
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let operation = self.operation("all", Idempotency::Read);
        let mut command = redis::cmd("MGET");
        for sid in &page {
            command.arg([&self.options().prefix, sid.as_str()].concat());
        }
        let values = reply::list(&operation, self.send(&operation, &command).await?)?;
        if values.len() != page.len() {
            return Err(error::unexpected(&operation));
        }
        let mut sessions = Vec::with_capacity(page.len());
        for (sid, value) in page.into_iter().zip(values) {
            let Some(record) = reply::text(&operation, value)? else { continue };
            match self.options().parse(&operation, record) {
                Ok(Some(session)) => sessions.push(Ok((sid, session))),
                Ok(None) => {}
                Err(error) => sessions.push(Err(error)),
            }
        }
        Ok(sessions)
    }
}

/// Returns the ids in a page that belong to sessions.
fn sessions_in(page: Vec<String>) -> impl Iterator<Item = String> {
    page.into_iter().filter(|sid| !is_marker(sid))
}

/// Returns a pattern that matches only `text`. connect-redis does not escape its prefix, so its `clear` with the prefix
/// `s?s:` removes other programs' keys.
fn escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_escaped() {
        for (prefix, pattern) in [
            ("sess:", "sess:"),
            ("s?s*:", r"s\?s\*:"),
            ("sess[1]:", r"sess\[1\]:"),
            (r"a\b", r"a\\b"),
            ("^a-b€", "^a-b€"),
        ] {
            assert_eq!(escape(prefix), pattern);
        }
    }

    #[test]
    fn a_key_is_ours_with_the_prefix_and_an_id() {
        let store = RedisStore::open("redis://h?prefix=s%3Fs:").unwrap();
        for (key, sid) in [
            (&b"s?s:abc"[..], Some("abc")),
            (b"sXs:abc", None),
            (b"s?s:", None),
            (b"s?s:\xff", None),
            (b"s?s:\0", Some("\0")),
        ] {
            assert_eq!(store.sid(key.to_vec()).as_deref(), sid);
        }
    }
}
