//! The end of all sessions that a predicate picks, such as those of one user.

use cloakroom_backend::{
    Idempotency::{Once, Read},
    observe::{Event, note},
};
use cloakroom_core::{Error, ErrorKind, Listed, SessionData, Updated};
use futures::stream::{BoxStream, TryStreamExt};

use super::ExpressSession;
use crate::promisify::read_from_store;

/// After so many changes by others, a session is read once more and destroyed without a comparison.
const MOST_CHANGES: usize = 16;

/// What has been done so far.
#[derive(Default)]
struct Progress {
    ended: u64,
    unread: u64,
    /// Why the first of the unread ones could not be read.
    why: Option<Error>,
}

impl ExpressSession {
    /// Destroys every session for which `is_picked` returns true, and returns their number. Use it to sign a user out
    /// everywhere after a new password.
    ///
    /// It reads the store's listing page by page, so its time grows with the number of all sessions. Each step has the
    /// deadline. If the store has conditional writes, a picked session is destroyed only as it was listed; if it has
    /// changed, its current record is passed to `is_picked` first. Without them, each picked session is read and passed
    /// to `is_picked` once more just before it is destroyed. So a session that belongs to somebody else by then stays. A
    /// session that is listed twice counts once.
    ///
    /// Every session that exists and is picked from the beginning to the end is gone afterwards, even one past its
    /// [end](SessionData::ends_at_ms) that Express has extended. A session that is created meanwhile, or gets a new id,
    /// can be missed. So first make it impossible to sign in, by changing the password, and then repeat the call until
    /// it returns 0:
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
    /// A request that is already running can write its session back, as after any logout. express-session does so, and
    /// so do the layer's express preset and any store without conditional writes. The safe preset on a store with
    /// conditional writes does not.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if the store cannot list sessions; nothing is destroyed then. Any other
    /// error says how many sessions were destroyed before it; call again for the rest.
    ///
    /// A record that cannot be read, or is larger than the store's limit, is skipped. The error at the end is then that
    /// of the first one: [`Corrupt`](ErrorKind::Corrupt) or [`TooLarge`](ErrorKind::TooLarge).
    pub async fn destroy_where(
        &self,
        is_picked: impl FnMut(&str, &SessionData) -> bool + Send,
    ) -> Result<u64, Error> {
        let all = self.offered("destroy_where", self.store.enumerate())?.all();
        self.destroy_listed(all, is_picked).await
    }

    /// Does it with the sessions of a listing.
    pub(super) async fn destroy_listed(
        &self,
        mut listed: BoxStream<'_, Result<Listed, Error>>,
        mut is_picked: impl FnMut(&str, &SessionData) -> bool + Send,
    ) -> Result<u64, Error> {
        let mut progress = Progress::default();
        loop {
            let step = match listed.try_next().await.map_err(Error::with_outcome_known) {
                Ok(None) => break,
                Ok(Some(listed)) if is_picked(&listed.id, &listed.session) => {
                    self.destroy_if(listed, &mut is_picked).await
                }
                Ok(Some(_)) => Ok(false),
                Err(error) => Err(error),
            };
            match step {
                Ok(is_ended) => progress.ended += u64::from(is_ended),
                Err(error) if is_of_the_record(error.kind()) => {
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

    /// Destroys a picked session of a listing, unless its record has changed and is no longer picked. The listing may be
    /// old: under this id, somebody else may have logged in since.
    async fn destroy_if(
        &self,
        listed: Listed,
        is_picked: &mut (impl FnMut(&str, &SessionData) -> bool + Send),
    ) -> Result<bool, Error> {
        let Listed { id: sid, mut session, .. } = listed;
        if let Some(atomic) = self.store.atomic() {
            for _ in 0..MOST_CHANGES {
                // It is compared with the stored record. A `get` could return an older record than the listing, from
                // memory in front of the store.
                let ended = ended(read_from_store(session))?;
                match self.run("destroy", Once, atomic.update(&sid, &ended)).await {
                    Ok(Updated::Stored(_)) => {
                        note(Event::SessionDestroyed { store: self.name() });
                        return Ok(true);
                    }
                    Ok(Updated::Conflict(current)) if is_picked(&sid, &current) => {
                        session = current;
                    }
                    Ok(Updated::Conflict(_) | Updated::Gone) => return Ok(false),
                    // A record that the store cannot compare.
                    Err(error) if error.kind() == ErrorKind::InvalidData => break,
                    Err(error) => return Err(error),
                }
            }
        }
        // From the store itself, since `self.get` hides a session that Express keeps beyond its end. That one must go,
        // too.
        let found = self.run("get", Read, self.store.get(&sid)).await?;
        match found.map(read_from_store) {
            Some(session) if is_picked(&sid, &session) => self.destroy(&sid).await.map(|()| true),
            _ => Ok(false),
        }
    }
}

/// Returns a session whose expiry has passed by every clock. An update with it destroys the record that was read, and no
/// other.
///
/// Stores of npm go by the cookie. A store that gives all sessions one life, such as Memcached with the option `ttl`,
/// ignores the cookie, so the session has an expiry for the store, too.
fn ended(mut session: SessionData) -> Result<SessionData, Error> {
    session.cookie_mut().set_max_age_ms(Some(0), 0)?;
    Ok(session.with_store_expiry_ms(0))
}

impl Progress {
    fn stopped(&self, error: Error) -> Error {
        let message = format!("it stopped; sessions destroyed before that: {}", self.ended);
        let is_unknown = error.outcome_unknown() || self.ended > 0;
        let stopped = Error::new(error.kind(), error.store().to_owned(), "destroy_where", message)
            .with_source(error);
        if is_unknown { stopped.with_outcome_unknown() } else { stopped }
    }

    fn with_unread(&self, error: Error) -> Error {
        let message = format!(
            "sessions destroyed: {}, records that cannot be read: {}",
            self.ended, self.unread
        );
        Error::new(error.kind(), error.store().to_owned(), "destroy_where", message)
            .with_source(error)
    }
}

/// Returns true if the other sessions can still be destroyed.
fn is_of_the_record(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::TooLarge)
}
