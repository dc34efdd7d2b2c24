//! The end of all sessions that a predicate picks, such as those of one user.

use cloakroom_backend::Idempotency::Read;
use cloakroom_core::{Error, ErrorKind, SessionData};
use futures::stream::TryStreamExt;

use super::ExpressSession;
use crate::promisify::read_from_store;

/// What has been done so far.
#[derive(Default)]
struct Progress {
    ended: u64,
    unread: u64,
    /// Why the first of them could not be read.
    why: Option<Error>,
}

impl ExpressSession {
    /// Destroys all sessions that `is_picked` returns true for, and returns how many: how a user is signed out everywhere
    /// after a new password.
    ///
    /// It goes through the listing of the store and never holds more than a page of it in memory. A session that is picked
    /// is read once more and shown to `is_picked` again before it is destroyed, so that one that is somebody else's by now
    /// stays, and each counts once. It takes as long as the store has sessions; each step keeps the deadline.
    ///
    /// Sessions that the store has, and that are picked, from the beginning to the end are gone afterwards, also those past
    /// their [end](SessionData::ends_at_ms) that Express has extended. One that is made in the
    /// meantime can be missed, and so can one that gets a new id; only a call that begins later is sure to meet it. So make
    /// it impossible to sign in first, by changing the password, and repeat the call until it returns 0:
    ///
    /// ```
    /// use cloakroom_compat::ExpressSession;
    /// use cloakroom_core::{Error, MemoryStore, SessionData};
    ///
    /// async fn sign_out_everywhere(sessions: &ExpressSession, user: &str) -> Result<u64, Error> {
    ///     let is_theirs = |_: &str, session: &SessionData| {
    ///         session.get::<String>("user").is_ok_and(|found| found.as_deref() == Some(user))
    ///     };
    ///     let mut signed_out = 0;
    ///     loop {
    ///         match sessions.destroy_where(is_theirs).await? {
    ///             0 => return Ok(signed_out),
    ///             ended => signed_out += ended,
    ///         }
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let sessions = ExpressSession::new(MemoryStore::new());
    /// for user in ["ann", "bob", "ann"] {
    ///     let (sid, mut session) = sessions.generate()?;
    ///     session.insert("user", user)?;
    ///     sessions.set(&sid, &session).await?;
    /// }
    /// assert_eq!(sign_out_everywhere(&sessions, "ann").await?, 2);
    /// assert_eq!(sessions.length().await?, 1);
    /// # Ok::<(), Error>(()) }).unwrap();
    /// ```
    ///
    /// A request that is under way can write its session back, as after any logout: each one of express-session's does, and
    /// one of this project's layer does with the express preset, or on a store without conditional writes. With the safe
    /// preset and conditional writes it does not.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) when the store does not list, before anything is destroyed. Any other error
    /// says how many sessions had been destroyed by then; call again for the rest.
    ///
    /// A record that cannot be read is not picked, and does not stop the others: at the end the error is
    /// [`Corrupt`](ErrorKind::Corrupt).
    pub async fn destroy_where(
        &self,
        mut is_picked: impl FnMut(&str, &SessionData) -> bool + Send,
    ) -> Result<u64, Error> {
        let mut all = self.offered("destroy_where", self.store.enumerate())?.all();
        let mut progress = Progress::default();
        loop {
            let step = match all.try_next().await.map_err(Error::with_outcome_known) {
                Ok(None) => break,
                Ok(Some((sid, session))) if is_picked(&sid, &session) => {
                    self.destroy_if(&sid, &mut is_picked).await
                }
                Ok(Some(_)) => Ok(false),
                Err(error) => Err(error),
            };
            match step {
                Ok(is_ended) => progress.ended += u64::from(is_ended),
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    progress.unread += 1;
                    progress.why.get_or_insert(error);
                }
                Err(error) => return Err(progress.stopped(error)),
            }
        }
        match progress.why.take() {
            None => Ok(progress.ended),
            Some(why) => Err(progress.with_unread(why)),
        }
    }

    /// Destroys a session if it is picked as it is now.
    async fn destroy_if(
        &self,
        sid: &str,
        is_picked: &mut (impl FnMut(&str, &SessionData) -> bool + Send),
    ) -> Result<bool, Error> {
        // As it was listed: one that Express keeps beyond its end is to go, too.
        let found = self.run("get", Read, self.store.get(sid)).await?;
        let Some(session) = found.map(read_from_store) else { return Ok(false) };
        if !is_picked(sid, &session) {
            return Ok(false);
        }
        self.destroy(sid).await.map(|()| true)
    }
}

impl Progress {
    fn stopped(&self, error: Error) -> Error {
        let message = format!("it stopped; sessions destroyed before that: {}", self.ended);
        let is_unknown = error.outcome_unknown();
        let stopped = Error::new(error.kind(), error.store().to_owned(), "destroy_where", message)
            .with_source(error);
        if is_unknown { stopped.with_outcome_unknown() } else { stopped }
    }

    fn with_unread(&self, error: Error) -> Error {
        let message = format!(
            "sessions destroyed: {}, records that cannot be read: {}",
            self.ended, self.unread
        );
        Error::new(ErrorKind::Corrupt, error.store().to_owned(), "destroy_where", message)
            .with_source(error)
    }
}
