//! The first of a request's cookies that leads to a session.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Cookie, Error, ErrorKind, Session as Record};

use super::{Safe, extend};
use crate::{
    RequestHead, Session, SessionEngine, TouchAfter, WhenDown,
    ids::FoundId,
    state::{RequestFacts, Rules, Shared, State},
};

/// How many cookies of our name are tried: browsers send a few of different paths and domains, attackers as many as fit.
const MOST_COOKIES: usize = 8;

/// A session that an id led to.
struct Found {
    record: Record,
    /// Reading it has extended it.
    is_extended: bool,
    /// Why extending it was refused.
    refused: Option<ErrorKind>,
}

/// `max_age` is the life of this request's sessions, by which those that are found are extended.
pub(crate) async fn load(
    engine: &SessionEngine,
    head: RequestHead<'_>,
    max_age: Option<Duration>,
) -> Result<Session, Error> {
    let options = engine.options();
    let header = head.cookie_header();
    let ids = engine.ids().find(&header, &options.name, options.unquote);
    let request = RequestFacts::new(engine, head, !ids.is_empty());
    let (found, down) = match engine.within("load", find(engine, ids, max_age)).await {
        Ok(found) => (found, None),
        Err(error) => {
            options.tell(&error);
            if options.when_down == WhenDown::Error {
                return Err(error);
            }
            (None, Some(error.kind()))
        }
    };
    let mut state = match found {
        Some((id, Found { record, is_extended, refused })) => {
            let browser = (!id.is_outdated).then(|| record.cookie().clone());
            let is_refused = refused.is_some();
            let rules =
                Safe { is_stored: true, is_extended, is_refused, browser, ..Safe::default() };
            let mut state =
                State::new(id.id, Arc::new(record), false, Rules::Safe(Box::new(rules)));
            state.refused = refused.filter(|_| options.when_down == WhenDown::ReadOnly);
            state
        }
        None => {
            let (id, record) =
                engine.generate(&request).inspect_err(|error| options.tell(error))?;
            State::new(id, Arc::new(record), true, Rules::Safe(Box::default()))
        }
    };
    state.refused = state.refused.or(down);
    Ok(Session::start(Shared::new(engine.clone(), request, state)))
}

/// The first of the ids under which there is a session.
async fn find(
    engine: &SessionEngine,
    ids: Vec<FoundId>,
    max_age: Option<Duration>,
) -> Result<Option<(FoundId, Found)>, Error> {
    let mut tried: Vec<String> = Vec::new();
    for id in ids {
        if tried.len() == MOST_COOKIES {
            break;
        }
        if tried.contains(&id.id) {
            continue;
        }
        match read(engine, &id.id, max_age).await {
            Ok(None) => {}
            Ok(Some(found)) => return Ok(Some((id, found))),
            // Such a session is lost already, and must not lock its user out.
            Err(error) if is_lost(&error) => engine.options().tell(&error),
            Err(error) => return Err(error),
        }
        tried.push(id.id);
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
fn with_own_life(record: &Record, max_age: Option<Duration>, now_ms: i64) -> Option<Record> {
    let given = max_age.map(|max_age| max_age.as_millis().div_ceil(1_000));
    let own = own_life_ms(record.cookie(), now_ms).map(|ms| u128::from(ms).div_ceil(1_000));
    if own == given {
        return None;
    }
    let mut extended = record.clone();
    extend(&mut extended, now_ms);
    (!extended.cookie().has_expired(now_ms)).then_some(extended)
}

/// How long the record is to live from now on; `None` for a browser session.
fn own_life_ms(cookie: &Cookie, now_ms: i64) -> Option<u64> {
    let ms = match cookie.original_max_age_ms() {
        Some(age) => age,
        // An end that is not to be moved, as other languages write it.
        None => cookie.expires_ms()?.saturating_sub(now_ms),
    };
    u64::try_from(ms).ok().filter(|ms| *ms > 0)
}

/// Whether there is a record that nobody can read, or can be none.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidId)
}
