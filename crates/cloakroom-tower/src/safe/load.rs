//! Loads the session of the first cookie that leads to one.
//!
//! A browser can send several cookies of one name, for different paths and domains, and the one of the longest path
//! comes first (RFC 6265, section 5.4). Express looks at the first alone: if it is stale, its user cannot log in any
//! more.

use std::{pin::pin, sync::Arc, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData};

use super::{
    expiry::extend,
    memory::{Browser, Memory},
    preset::Safe,
    session::SafeSession,
};
use crate::{
    EventReason, IdFormat, RequestHead, TouchAfter, WhenUnavailable,
    ids::FoundId,
    request::RequestFacts,
    setup::Seed,
    state::{Shared, State},
};

/// A session that an id led to.
struct Found {
    record: SessionData,
    /// Reading the session has also extended it.
    is_extended: bool,
    /// Why the store refused to extend it.
    refused: Option<ErrorKind>,
}

/// What loading the session needs of its request. It borrows nothing, since an on-demand session is loaded later.
pub(crate) struct Asked {
    safe: Arc<Safe>,
    /// The ids of all cookies of our name that verify, one each.
    ids: Vec<Arc<FoundId>>,
    request: RequestFacts,
    /// The life of this request's sessions. A session that is found is extended by it in the round trip that reads it,
    /// before its record, and so its own life, is known.
    max_age: Option<Duration>,
}

impl Safe {
    pub(crate) fn ask(self: &Arc<Self>, head: RequestHead<'_>, max_age: Option<Duration>) -> Asked {
        let options = self.setup.options();
        let mut ids: Vec<Arc<FoundId>> = Vec::new();
        let header = self.setup.cookies_of_served(head.headers());
        let is_unread = header.is_none();
        let header = header.unwrap_or_default();
        for found in self.setup.ids().find(&header, &options.ids.cookie_name, options.ids.unquote) {
            if ids.len() == options.ids.max_cookies {
                break;
            }
            if !ids.iter().any(|known| known.id == found.id) {
                ids.push(Arc::new(found));
            }
        }
        if ids.is_empty()
            && IdFormat::is_sent(&header, &options.ids.cookie_name, options.ids.unquote)
        {
            self.setup.note(EventReason::CookieNotVerified);
        }
        let request = RequestFacts::new(options, head, !ids.is_empty(), is_unread);
        Asked { safe: Arc::clone(self), ids, request, max_age }
    }
}

/// What a session is made of that the request did not bring.
pub(crate) struct NewSession {
    safe: Arc<Safe>,
    request: RequestFacts,
    seed: Seed,
}

impl NewSession {
    /// Makes the session. No user callback is called.
    pub(crate) fn begin(&self) -> SafeSession {
        let setup = &self.safe.setup;
        let memory = Memory { loaded_at_ms: self.seed.now_ms, ..Memory::default() };
        let (id, record) = setup.grow(&self.seed, &self.request);
        let state = State::new(id, Arc::new(record), true, memory);
        let shared = Shared::new(Arc::clone(setup), self.request.clone(), state);
        SafeSession { safe: Arc::clone(&self.safe), shared }
    }
}

impl Asked {
    /// Returns what makes the session if the request has none. `None` also if the session will be stored in any case, and
    /// if it is up to a function of the application, which is called when the session is loaded.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load): a handler never has a session that could not be made.
    pub(crate) fn new_session(&self) -> Result<Option<NewSession>, Error> {
        let setup = &self.safe.setup;
        if !self.ids.is_empty() || self.request.is_asked() || setup.options().save_uninitialized {
            return Ok(None);
        }
        let seed = setup.seed().inspect_err(|error| setup.tell(error))?;
        let (safe, request) = (Arc::clone(&self.safe), self.request.clone());
        Ok(Some(NewSession { safe, request, seed }))
    }

    /// Loads the session, or makes a new one if no cookie leads to a session. A store that is unavailable gives an
    /// empty session or an error, as `when_unavailable` says.
    pub(crate) async fn load(&self) -> Result<SafeSession, Error> {
        let (safe, setup) = (&self.safe, &self.safe.setup);
        let options = setup.options();
        // Before the store is asked: a slow read counts towards the age of the request, which decides whether the
        // marker of a logout can have expired.
        let loaded_at_ms = setup.now_ms();
        // Pinned here, because a future that is passed on takes its room twice.
        let found = pin!(find(safe, &self.ids, self.max_age));
        let found = setup.within_reading("load", found).await;
        let (found, unavailable) = match found {
            Ok(found) => (found, None),
            Err(error) => {
                setup.tell(&error);
                if options.failure.when_unavailable == WhenUnavailable::Error {
                    return Err(error);
                }
                (None, Some(error.kind()))
            }
        };
        let mut memory = Memory { sent: self.ids.clone(), loaded_at_ms, ..Memory::default() };
        let mut state = match found {
            Some((id, Found { record, is_extended, refused })) => {
                let record = Arc::new(record);
                memory.browser = (!id.is_outdated)
                    .then(|| Browser { found: Arc::clone(id), record: Arc::clone(&record) });
                (memory.is_stored, memory.is_extended) = (true, is_extended);
                memory.is_refused = refused.is_some();
                let mut state = State::new(id.id.clone(), record, false, memory);
                state.refused = refused
                    .filter(|_| options.failure.when_unavailable == WhenUnavailable::ReadOnly);
                state
            }
            None => {
                let (id, record) =
                    setup.generate(&self.request).inspect_err(|error| setup.tell(error))?;
                State::new(id, Arc::new(record), true, memory)
            }
        };
        state.refused = state.refused.or(unavailable);
        let shared = Shared::new(Arc::clone(setup), self.request.clone(), state);
        Ok(SafeSession { safe: Arc::clone(safe), shared })
    }
}

/// Returns the first of the ids that leads to a session, and the session.
async fn find<'a>(
    safe: &Safe,
    ids: &'a [Arc<FoundId>],
    max_age: Option<Duration>,
) -> Result<Option<(&'a Arc<FoundId>, Found)>, Error> {
    let mut is_unknown = false;
    for id in ids {
        match read(safe, &id.id, max_age).await {
            Ok(None) => is_unknown = true,
            // Express does not read the end and can have extended the session beyond it. Reading it just now has, too.
            Ok(Some(found)) if found.record.has_ended(safe.setup.now_ms()) => {
                safe.setup.store().destroy(&id.id).await.unwrap_or_else(|error| {
                    safe.setup.tell(&error);
                });
            }
            Ok(Some(found)) => return Ok(Some((id, found))),
            // The session is lost already. An error would lock its user out until the cookie expires.
            Err(error) if is_lost(&error) => safe.setup.tell(&error),
            Err(error) => return Err(error),
        }
    }
    if is_unknown {
        safe.setup.note(EventReason::SessionUnknown);
    }
    Ok(None)
}

/// Reads the session and extends it in the same round trip, if the store and the options allow that.
async fn read(safe: &Safe, id: &str, max_age: Option<Duration>) -> Result<Option<Found>, Error> {
    let (options, store) = (safe.setup.options(), safe.setup.store());
    let extends = options.expiry.touch_after == TouchAfter::EachRequest;
    let Some(atomic) = store.atomic().filter(|_| extends) else {
        let found = |record| Found { record, is_extended: false, refused: None };
        return Ok(store.get(id).await?.map(found));
    };
    match atomic.get_and_touch(id, max_age).await {
        Ok(found) => {
            safe.end_refusal();
            let Some(record) = found else { return Ok(None) };
            if let Some(extended) = with_own_life(&record, max_age, safe.setup.now_ms())
                && let Err(error) = store.touch(id, &extended).await
            {
                // The session was read and is alive, so the request goes on. The next one tries again.
                options.tell(&error);
            }
            Ok(Some(Found { record, is_extended: true, refused: None }))
        }
        Err(error) if is_lost(&error) => Err(error),
        // A store that refuses to extend a session can often still be read, as Express reads it: a Redis that cannot
        // save to its disk, a replica after a failover, a user with read permission only.
        Err(error) => {
            let Ok(found) = store.get(id).await else { return Err(error) };
            safe.tell_refusal(&error);
            let refused = Some(error.kind());
            Ok(found.map(|record| Found { record, is_extended: false, refused }))
        }
    }
}

/// Returns the record extended by its own life, or `None` if the read has given it just that. The lives are compared in
/// whole seconds, as [`SessionData::time_to_live`] counts them.
fn with_own_life(
    record: &SessionData,
    max_age: Option<Duration>,
    now_ms: i64,
) -> Option<SessionData> {
    let given = max_age.map(|max_age| max_age.as_millis().div_ceil(1_000));
    let own = own_life_ms(record, now_ms).map(|ms| u128::from(ms).div_ceil(1_000));
    if own == given {
        return None;
    }
    let mut extended = record.clone();
    extend(&mut extended, now_ms);
    // `touch` takes the life from `originalMaxAge` for a record with a revision. This new record has none, so its
    // `expires` counts, which was extended above or is an end that nothing moves.
    let cookie = extended.cookie();
    if cookie.has_expired(now_ms) {
        return None;
    }
    let mut with_own_life = SessionData::with_cookie(cookie.clone());
    // It cannot fail: the end was read from a record, so it is a date.
    let _ = with_own_life.set_ends_at_ms(record.ends_at_ms());
    Some(with_own_life)
}

/// Returns how long the record lives from now on, or `None` for a browser session without an end.
fn own_life_ms(record: &SessionData, now_ms: i64) -> Option<u64> {
    let cookie = record.cookie();
    let left = |then_ms: i64| then_ms.saturating_sub(now_ms);
    // Other languages write an expiry without a max age. It says when the session ends, so nothing may move it.
    let by_cookie = cookie.original_max_age_ms().or_else(|| cookie.expires_ms().map(left));
    let by_cookie = by_cookie.filter(|ms| *ms > 0);
    let to_end = record.ends_at_ms().map(left);
    let ms = by_cookie.into_iter().chain(to_end).min()?;
    u64::try_from(ms).ok().filter(|ms| *ms > 0)
}

/// Returns true if the record exists but cannot be parsed or is too large, or if no record can have this id.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidId | ErrorKind::TooLarge)
}
