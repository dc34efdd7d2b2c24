//! The first of a request's cookies that leads to a session.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData};

use super::{Safe, extend};
use crate::{
    EventReason, IdFormat, RequestHead, Session, SessionEngine, TouchAfter, WhenUnavailable,
    ids::FoundId,
    state::{RequestFacts, Rules, Shared, State},
};

/// How many cookies of our name are tried: browsers send a few of different paths and domains, attackers as many as fit.
pub(super) const MOST_COOKIES: usize = 8;

/// A session that an id led to.
struct Found {
    record: SessionData,
    /// Reading it has extended it.
    is_extended: bool,
    /// Why extending it was refused.
    refused: Option<ErrorKind>,
}

/// What a request asks for: all that loading its session needs of it.
pub(crate) struct Asked {
    /// The ids of all cookies of our name that verify, one each.
    ids: Vec<FoundId>,
    request: Arc<RequestFacts>,
    /// The life of this request's sessions, by which those that are found are extended.
    max_age: Option<Duration>,
}

impl Asked {
    pub(crate) fn new(
        engine: &SessionEngine,
        head: RequestHead<'_>,
        max_age: Option<Duration>,
    ) -> Self {
        let options = engine.options();
        let mut ids: Vec<FoundId> = Vec::new();
        let header = head.cookie_header();
        for found in engine.ids().find(&header, &options.name, options.unquote) {
            if ids.len() == MOST_COOKIES {
                break;
            }
            if !ids.iter().any(|known| known.id == found.id) {
                ids.push(found);
            }
        }
        if ids.is_empty() && IdFormat::is_sent(&header, &options.name, options.unquote) {
            engine.note(EventReason::CookieNotVerified);
        }
        let request = Arc::new(RequestFacts::new(engine, head, !ids.is_empty()));
        Self { ids, request, max_age }
    }
}

pub(crate) async fn load(engine: &SessionEngine, asked: &Asked) -> Result<Session, Error> {
    let options = engine.options();
    let loaded_at_ms = engine.now_ms();
    let found = engine.within_reading("load", find(engine, &asked.ids, asked.max_age)).await;
    let (found, down) = match found {
        Ok(found) => (found, None),
        Err(error) => {
            options.tell(&error);
            if options.when_unavailable == WhenUnavailable::Error {
                return Err(error);
            }
            (None, Some(error.kind()))
        }
    };
    let sent = asked.ids.iter().map(|found| found.id.clone()).collect();
    let mut rules = Box::new(Safe { sent, loaded_at_ms, ..Safe::default() });
    let mut state = match found {
        Some((id, Found { record, is_extended, refused })) => {
            rules.browser = (!id.is_outdated).then(|| record.cookie().clone());
            (rules.is_stored, rules.is_extended) = (true, is_extended);
            rules.is_refused = refused.is_some();
            let mut state = State::new(id.id.clone(), Arc::new(record), false, Rules::Safe(rules));
            state.refused =
                refused.filter(|_| options.when_unavailable == WhenUnavailable::ReadOnly);
            state
        }
        None => {
            let (id, record) =
                engine.generate(&asked.request).inspect_err(|error| options.tell(error))?;
            State::new(id, Arc::new(record), true, Rules::Safe(rules))
        }
    };
    state.refused = state.refused.or(down);
    Ok(Session::start(Shared::new(engine.clone(), Arc::clone(&asked.request), state)))
}

/// The first of the ids under which there is a session.
async fn find<'a>(
    engine: &SessionEngine,
    ids: &'a [FoundId],
    max_age: Option<Duration>,
) -> Result<Option<(&'a FoundId, Found)>, Error> {
    let mut is_unknown = false;
    for id in ids.iter().take(MOST_COOKIES) {
        match read(engine, &id.id, max_age).await {
            Ok(None) => is_unknown = true,
            // Node.js, which knows no end, may have extended the session beyond it, and so has reading it.
            Ok(Some(found)) if found.record.has_ended(engine.now_ms()) => {
                engine.store().destroy(&id.id).await.unwrap_or_else(|error| {
                    engine.options().tell(&error);
                });
            }
            Ok(Some(found)) => return Ok(Some((id, found))),
            // Such a session is lost already, and must not lock its user out.
            Err(error) if is_lost(&error) => engine.options().tell(&error),
            Err(error) => return Err(error),
        }
    }
    if is_unknown {
        engine.note(EventReason::SessionUnknown);
    }
    Ok(None)
}

async fn read(
    engine: &SessionEngine,
    id: &str,
    max_age: Option<Duration>,
) -> Result<Option<Found>, Error> {
    let (options, store) = (engine.options(), engine.store());
    let extends = options.touch_after == TouchAfter::EachRequest;
    let Some(atomic) = store.atomic().filter(|_| extends) else {
        let found = |record| Found { record, is_extended: false, refused: None };
        return Ok(store.get(id).await?.map(found));
    };
    match atomic.get_and_touch(id, max_age).await {
        Ok(found) => {
            engine.end_refusal();
            let Some(record) = found else { return Ok(None) };
            if let Some(extended) = with_own_life(&record, max_age, engine.now_ms())
                && let Err(error) = store.touch(id, &extended).await
            {
                // It has been read, and it lives: the next request tries again.
                options.tell(&error);
            }
            Ok(Some(Found { record, is_extended: true, refused: None }))
        }
        Err(error) if is_lost(&error) => Err(error),
        // A store that refuses to extend a session may still be read, as Express reads it: a Redis that cannot save to
        // its disk, a replica after a failover, a user who may only read.
        Err(error) => {
            let Ok(found) = store.get(id).await else { return Err(error) };
            engine.tell_refusal(&error);
            let refused = Some(error.kind());
            Ok(found.map(|record| Found { record, is_extended: false, refused }))
        }
    }
}

/// The record extended by its own rules, if these give it another life than it has just been given: in whole seconds,
/// as stores count.
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
    // Without a revision its `expires` counts, which has been extended or is an end that nothing moves.
    let cookie = extended.cookie();
    if cookie.has_expired(now_ms) {
        return None;
    }
    let mut with_own_life = SessionData::with_cookie(cookie.clone());
    // It has been a date already.
    let _ = with_own_life.set_ends_at_ms(record.ends_at_ms());
    Some(with_own_life)
}

/// How long the record is to live from now on; `None` for a browser session that has no end either.
fn own_life_ms(record: &SessionData, now_ms: i64) -> Option<u64> {
    let cookie = record.cookie();
    let left = |then_ms: i64| then_ms.saturating_sub(now_ms);
    // Without a max age, an expiry is an end that is not to be moved, as other languages write it.
    let by_cookie = cookie.original_max_age_ms().or_else(|| cookie.expires_ms().map(left));
    let by_cookie = by_cookie.filter(|ms| *ms > 0);
    let to_end = record.ends_at_ms().map(left);
    let ms = by_cookie.into_iter().chain(to_end).min()?;
    u64::try_from(ms).ok().filter(|ms| *ms > 0)
}

/// Returns true if the record exists but cannot be parsed, or if no record can have this id.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidId)
}
