//! The search in the lists of `users.rs`.

use std::collections::HashSet;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, check_index_path};
use cloakroom_core::{Error, ErrorKind, FindBy, Listed};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use redis::Value;

use crate::{RedisStore, enumerate::ENDS, error, reply, script::FORGET};

/// How many sessions are noted at once.
const AT_ONCE: usize = 64;

#[async_trait]
impl FindBy for RedisStore {
    /// Fills the lists of all users: looks at every session, and notes it in the list of its user. Later calls repair
    /// the lists, by what Node.js has written. It needs a longer deadline than other operations: with 100,000 sessions
    /// some seconds.
    ///
    /// For the path of the option [`user_path`](crate::RedisOptions::user_path).
    async fn create_index(&self, path: &str) -> Result<(), Error> {
        let operation = self.operation("create_index", Idempotency::Repeatable);
        check_index_path(&operation, path)?;
        if self.options().user_path.as_deref() != Some(path) {
            let message = "the store keeps lists only by the path of its option userPath";
            return Err(operation.error(ErrorKind::Unsupported, message));
        }
        let sessions = self.listed(self.pages("create_index")).filter(|listed| {
            let is_unread = matches!(listed, Err(error) if is_of_the_record(error.kind()));
            std::future::ready(!is_unread)
        });
        sessions.try_for_each_concurrent(AT_ONCE, |listed| self.note_listed(path, listed)).await
    }

    /// Returns `None`: no index of Redis knows what Node.js writes.
    async fn find<'s>(
        &'s self,
        _: &str,
        _: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        Ok(None)
    }

    /// Looks into the list of the user, by the option [`user_path`](crate::RedisOptions::user_path), and at each session
    /// in it. Removes sessions from the list that have ended.
    async fn find_known<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let Some(list) = self.list_of(path, value) else { return Ok(None) };
        let (path, value) = (path.to_owned(), value.to_owned());
        let pages = self.noted(list.clone()).and_then(move |page| self.look(list.clone(), page));
        let theirs = pages
            .map_ok(stream::iter)
            .try_flatten()
            .try_filter(move |listed| std::future::ready(listed.session.has_value(&path, &value)));
        Ok(Some(theirs.boxed()))
    }
}

impl RedisStore {
    async fn note_listed(&self, path: &str, listed: Listed) -> Result<(), Error> {
        let user = listed.session.get_nested_json(path);
        let Some(list) = user.and_then(|user| self.list_of(path, &user)) else { return Ok(()) };
        let lives_ms = match listed.time_left {
            // At least 1, as 0 is without an end.
            Some(left) => u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1),
            None => 0,
        };
        self.note("create_index", &list, &listed.id, lives_ms).await
    }

    /// Returns the ids in a list, page by page. An id can occur twice.
    fn noted(&self, list: String) -> impl Stream<Item = Result<Vec<String>, Error>> + Send + '_ {
        stream::try_unfold(Some((list, ENDS.to_vec())), move |next| async move {
            let Some((list, cursor)) = next else { return Ok(None) };
            let operation = self.operation("find_known", Idempotency::Read);
            let mut command = redis::cmd("ZSCAN");
            command.arg(&list).arg(cursor).arg("COUNT").arg(self.options().scan_count);
            let answer = reply::list(&operation, self.send(&operation, &command).await?)?;
            let Ok([cursor, members]) = <[Value; 2]>::try_from(answer) else {
                return Err(error::unexpected(&operation));
            };
            let cursor = reply::text(&operation, cursor)?.unwrap_or_default();
            let mut page = Vec::new();
            // An id, and when it was noted.
            for member in reply::list(&operation, members)?.into_iter().step_by(2) {
                let sid = reply::text(&operation, member)?.unwrap_or_default();
                page.extend(String::from_utf8(sid).ok().filter(|sid| !sid.is_empty()));
            }
            let next = (cursor != ENDS).then_some((list, cursor));
            Ok(Some((page, next)))
        })
    }

    /// Returns these sessions, and removes those from the list that have ended.
    async fn look(
        &self,
        list: String,
        page: Vec<String>,
    ) -> Result<Vec<Result<Listed, Error>>, Error> {
        let page_again = page.clone();
        let pages = stream::iter([Ok(page)]);
        let sessions: Vec<Result<Listed, Error>> = self.listed(pages).collect().await;
        let found: HashSet<&str> =
            sessions.iter().filter_map(|one| one.as_ref().ok()).map(|one| &*one.id).collect();
        let ended: Vec<&[u8]> = page_again
            .iter()
            .filter(|sid| !found.contains(sid.as_str()))
            .map(String::as_bytes)
            .collect();
        // An error does not say which session it is of.
        if !ended.is_empty() && sessions.iter().all(Result::is_ok) {
            let operation = self.operation("find_known", Idempotency::Repeatable);
            let answer = FORGET.run(self.connection(), &operation, &list, &ended).await?;
            reply::number(&operation, answer)?;
        }
        Ok(sessions)
    }
}

/// Returns true if the other sessions can still be noted.
const fn is_of_the_record(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::TooLarge)
}
