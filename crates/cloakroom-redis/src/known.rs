//! The search in the lists of `users.rs`.

use std::collections::HashSet;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, check_index_path};
use cloakroom_core::{Error, ErrorKind, FindBy, Listed};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use crate::{RedisStore, connection::Part, reply, scan::Scan, script::FORGET};

/// How many sessions are noted at once.
const AT_ONCE: usize = 64;

#[async_trait]
impl FindBy for RedisStore {
    /// Fills the lists of all users: looks at every session, and notes it in the list of its user. Later calls repair
    /// the lists, by what Node.js has written. A handle needs a longer deadline for it: the time grows with the number of
    /// all sessions.
    ///
    /// For the path of the option [`user_path`](crate::RedisOptions::user_path).
    async fn create_index(&self, path: &str) -> Result<(), Error> {
        let operation = self.operation("create_index", Idempotency::Repeatable);
        check_index_path(&operation, path)?;
        if self.options().user_path.as_deref() != Some(path) {
            let message = "the store keeps lists only by the path of its option userPath";
            return Err(operation.error(ErrorKind::Unsupported, message));
        }
        let sessions = self.listed("create_index", self.pages("create_index")).filter(|listed| {
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
        let pages = self.noted(list.clone());
        let theirs = pages
            .map_ok(move |page| self.look(list.clone(), page))
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
        let operation = self.operation("create_index", Idempotency::Repeatable);
        self.note(&operation, &list, &listed.id, lives_ms).await
    }

    /// Returns the ids in a list, page by page. An id can occur twice.
    fn noted(&self, list: String) -> impl Stream<Item = Result<Vec<String>, Error>> + Send + '_ {
        stream::try_unfold(Some((list, Scan::default())), move |next| async move {
            let Some((list, mut scan)) = next else { return Ok(None) };
            let operation = self.operation("find_known", Idempotency::Read);
            let mut command = redis::cmd("ZSCAN");
            command.arg(&list).arg(scan.cursor()).arg("COUNT").arg(self.options().scan_count);
            let told = self.connection().send_to(&Part::All, &operation, &command).await?;
            let Some(members) = scan.follow(&operation, told)? else {
                return Ok(Some((Vec::new(), Some((list, scan)))));
            };
            let mut page = Vec::new();
            // An id, and when it was noted.
            for member in members.into_iter().step_by(2) {
                let sid = reply::text(&operation, member)?.unwrap_or_default();
                page.extend(String::from_utf8(sid).ok().filter(|sid| !sid.is_empty()));
            }
            let next = (!scan.is_at_start()).then_some((list, scan));
            Ok(Some((page, next)))
        })
    }

    /// Returns these sessions, one after the other, and then removes those from the list that have ended.
    fn look(
        &self,
        list: String,
        page: Vec<String>,
    ) -> impl Stream<Item = Result<Listed, Error>> + Send + '_ {
        let ended: HashSet<String> = page.iter().cloned().collect();
        let sessions = self.listed("find_known", stream::iter([Ok(page)])).boxed();
        stream::unfold((sessions, ended), move |(mut sessions, mut ended)| {
            let list = list.clone();
            async move {
                let next = sessions.next().await;
                match &next {
                    Some(Ok(listed)) => drop(ended.remove(&listed.id)),
                    // It does not say which session it is of.
                    Some(Err(_)) => ended.clear(),
                    None => self.forget(&list, &ended).await,
                }
                next.map(|next| (next, (sessions, ended)))
            }
        })
    }

    /// Removes sessions from a list. It only saves a later look, so a refusal does not hide what was found.
    async fn forget(&self, list: &str, ended: &HashSet<String>) {
        let ended: Vec<&[u8]> = ended.iter().map(String::as_bytes).collect();
        if !ended.is_empty() {
            let operation = self.operation("find_known", Idempotency::Repeatable);
            let _ = FORGET.run(self.connection(), &operation, list, &ended).await;
        }
    }
}

/// Returns true if the other sessions can still be noted.
const fn is_of_the_record(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::TooLarge)
}
