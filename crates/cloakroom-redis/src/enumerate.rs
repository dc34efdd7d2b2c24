//! The listing: pages of SCAN, one at a time. `KEYS` would stop the server until it has walked all keys, and
//! connect-redis collects all pages before it returns the first session.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation, in_part, left_out_bytes};
use cloakroom_core::{Enumerate, Error, ErrorKind, FindBy, Listed, is_marker};
use futures::{
    future::{ready, try_join, try_join_all},
    stream::{self, BoxStream, Stream, StreamExt, TryStreamExt},
};
use redis::{Cmd, Value};

use crate::{RedisStore, connection::Part, error, reply, scan::Scan};

/// The number of records that are loaded from a cluster at once.
const AT_ONCE: usize = 8;

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

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.listed("all", self.pages("all")).boxed()
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
            // With a command for each key, some may have been carried out when another fails.
            let in_part = in_part(has_removed || !self.connection().takes_many_keys());
            let answers = self.with_keys(&operation, "UNLINK", &page).await.map_err(&in_part)?;
            for answer in answers {
                reply::number(&operation, answer).map_err(&in_part)?;
            }
            has_removed = true;
        }
        Ok(())
    }

    /// Returns the lists by user of the option [`user_path`](crate::RedisOptions::user_path), or `None` without it.
    fn find_by(&self) -> Option<&dyn FindBy> {
        self.options().user_path.as_ref().map(|_| self as &dyn FindBy)
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
        let flush = redis::cmd("FLUSHDB");
        let mut has_removed = false;
        for part in self.connection().parts(&operation).await? {
            let answer = self.connection().send_to(&part, &operation, &flush).await;
            answer
                .and_then(|(answer, _)| reply::done(&operation, answer))
                .map_err(in_part(has_removed))?;
            has_removed = true;
        }
        Ok(())
    }

    /// Sends a command with the keys of these sessions, and in a cluster one command for each key.
    async fn with_keys(
        &self,
        operation: &Operation,
        name: &str,
        page: &[String],
    ) -> Result<Vec<Value>, Error> {
        if self.connection().takes_many_keys() {
            let mut command = redis::cmd(name);
            for sid in page {
                command.arg([&self.options().prefix, sid.as_str()].concat());
            }
            return Ok(vec![self.send(operation, &command).await?]);
        }
        self.with_each_key(operation, name, page).await
    }

    /// Sends a command for each of these sessions, all at once. They share the packets of each connection.
    async fn with_each_key(
        &self,
        operation: &Operation,
        name: &str,
        page: &[String],
    ) -> Result<Vec<Value>, Error> {
        // Each is a part of its own, so that each can be repeated when a connection is lost.
        let answers = page.iter().map(|sid| {
            let part = operation.part();
            async move { self.send(&part, &self.command_on(name, sid)).await }
        });
        try_join_all(answers).await
    }

    /// Returns the ids under the store's prefix, page by page, and from one server after the other. An id can occur
    /// twice.
    pub(crate) fn pages(
        &self,
        operation: &'static str,
    ) -> impl Stream<Item = Result<Vec<String>, Error>> + Send + '_ {
        let pattern = escape(&self.options().prefix) + "*";
        let start = (None, Scan::default(), pattern);
        stream::try_unfold(start, move |(parts, mut scan, pattern)| async move {
            let mut parts: Vec<Part> = match parts {
                Some(parts) => parts,
                None => {
                    let operation = self.operation(operation, Idempotency::Read);
                    let parts = self.connection().parts(&operation).await?;
                    scan.note_nodes();
                    parts
                }
            };
            let page = match parts.last() {
                Some(part) => self.page(operation, part, &mut scan, &pattern).await?,
                None => {
                    let operation = self.operation(operation, Idempotency::Read);
                    if self.connection().are_primaries(&operation, scan.doubted()).await? {
                        return Ok(None);
                    }
                    scan.begin_again(&operation, "a primary was replaced")?;
                    None
                }
            };
            let Some(page) = page else {
                // From the first server again: after a failover, others have the keys.
                return Ok(Some((Vec::new(), (None, scan, pattern))));
            };
            if scan.is_at_start() {
                scan.note_end(parts.pop());
            }
            Ok(Some((page, (Some(parts), scan, pattern))))
        })
    }

    /// Returns the sessions with the ids of these pages, for an operation of this name.
    pub(crate) fn listed<'s>(
        &'s self,
        name: &'static str,
        pages: impl Stream<Item = Result<Vec<String>, Error>> + Send + 's,
    ) -> impl Stream<Item = Result<Listed, Error>> + Send + 's {
        pages
            .map_ok(|page| {
                let sids: Vec<String> = sessions_in(page).collect();
                // A cluster has a command for each key, whose answers may all be as long as the limit.
                let group = if self.connection().takes_many_keys() { sids.len() } else { AT_ONCE };
                let groups: Vec<Vec<String>> =
                    sids.chunks(group.max(1)).map(<[String]>::to_vec).collect();
                stream::iter(groups.into_iter().map(Ok::<_, Error>))
            })
            .try_flatten()
            .and_then(move |sids| self.load(name, sids))
            .try_flatten()
    }

    /// Returns one page of one server, or `None` if the listing has to begin again.
    async fn page(
        &self,
        operation: &'static str,
        part: &Part,
        scan: &mut Scan,
        pattern: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        let operation = self.operation(operation, Idempotency::Read);
        let mut command = redis::cmd("SCAN");
        command.arg(scan.cursor()).arg("MATCH").arg(pattern);
        command.arg("COUNT").arg(self.options().scan_count).arg("TYPE").arg("string");
        let told = self.connection().send_to(part, &operation, &command).await?;
        let Some(keys) = scan.follow(&operation, told)? else { return Ok(None) };
        let mut page = Vec::new();
        for key in keys {
            page.extend(reply::text(&operation, key)?.and_then(|key| self.sid(key)));
        }
        Ok(Some(page))
    }

    /// Returns the id in a key under the prefix. It checks the prefix again, because servers that resemble Redis may
    /// read an escaped pattern differently.
    fn sid(&self, key: Vec<u8>) -> Option<String> {
        let sid = key.strip_prefix(self.options().prefix.as_bytes())?;
        if sid.is_empty() { None } else { String::from_utf8(sid.to_vec()).ok() }
    }

    /// Returns the values of these sessions, `nil` for one that has ended since its id was listed.
    async fn values(&self, operation: &Operation, page: &[String]) -> Result<Vec<Value>, Error> {
        if !self.connection().takes_many_keys() {
            return self.with_each_key(operation, "GET", page).await;
        }
        let answers = self.with_keys(operation, "MGET", page).await?;
        reply::list(operation, answers.into_iter().next().unwrap_or(Value::Nil))
    }

    /// Returns these sessions. Skips a session that has ended since its id was listed.
    async fn load(
        &self,
        name: &'static str,
        page: Vec<String>,
    ) -> Result<impl Stream<Item = Result<Listed, Error>> + Send + '_, Error> {
        let operation = self.operation(name, Idempotency::Read);
        // No command tells the times of several keys. These leave together with the one for the values.
        let values = self.values(&operation, &page);
        let times = self.with_each_key(&operation, "PTTL", &page);
        // Before the server tells the times, so that no session is taken to last longer than it does.
        let since = Instant::now();
        let (values, times) = try_join(values, times).await?;
        if values.len() != page.len() {
            return Err(error::unexpected(&operation));
        }
        let answers = page.into_iter().zip(values).zip(times);
        let sessions = stream::iter(answers).then(move |((sid, value), time)| async move {
            // Each has its own deadline, because the caller decides when it goes on.
            let operation = self.operation(name, Idempotency::Read);
            let time_left = match reply::number(&operation, time)? {
                -1 => None,
                // It has ended since its value was read.
                ms if ms < 0 => return Ok(None),
                ms => Some(Duration::from_millis(ms.unsigned_abs())),
            };
            let mut record = reply::text(&operation, value)?;
            // The answer would have been too long with this value.
            let left_out = record.as_deref().and_then(left_out_bytes);
            if left_out.is_some_and(|bytes| bytes <= self.options().max_record) {
                let command = self.command_on("GET", &sid);
                record = reply::text(&operation, self.send(&operation, &command).await?)?;
            }
            let Some(record) = record else { return Ok(None) };
            let session = self.options().parse(&operation, record)?;
            let listed = session.map(|session| Listed::new(sid, session, time_left));
            Ok(listed.map(|listed| listed.after(since.elapsed())))
        });
        Ok(sessions.filter_map(|session| ready(session.transpose())))
    }

    fn command_on(&self, name: &str, sid: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg([&self.options().prefix, sid].concat());
        command
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
