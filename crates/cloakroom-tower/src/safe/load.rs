//! The first of a request's cookies that leads to a session.

use cloakroom_core::{Error, ErrorKind, Session as Record};

use super::{Safe, extend, milliseconds};
use crate::{
    RequestHead, Session, SessionEngine, TouchAfter, WhenDown,
    ids::FoundId,
    state::{Current, RequestFacts, Rules, Shared, State},
};

/// How many cookies of our name are tried: browsers send a few of different paths and domains, attackers as many as fit.
const MOST_COOKIES: usize = 8;

/// A session that a cookie led to.
struct Found {
    id: FoundId,
    record: Record,
    is_extended: bool,
    refused: Option<ErrorKind>,
}

pub(crate) async fn load(engine: &SessionEngine, head: RequestHead<'_>) -> Result<Session, Error> {
    let options = engine.options();
    let header = head.cookie_header();
    let ids = engine.ids().find(&header, &options.name, options.unquote);
    let request = RequestFacts::new(engine, head, !ids.is_empty());
    let (found, refused) = match engine.within("load", find(engine, ids)).await {
        Ok(found) => (found, None),
        Err(error) => {
            options.tell(&error);
            if options.when_down == WhenDown::Error {
                return Err(error);
            }
            (None, Some(error.kind()))
        }
    };
    let state = match found {
        Some(Found { id, record, is_extended, refused }) => {
            let browser = (!id.is_outdated).then(|| record.cookie().clone());
            let rules = Safe { is_stored: true, is_extended, browser, ..Safe::default() };
            (false, id.id, record, refused, rules)
        }
        None => {
            let (id, record) =
                engine.generate(&request).inspect_err(|error| options.tell(error))?;
            (true, id, record, refused, Safe::default())
        }
    };
    let (is_new, id, record, refused, rules) = state;
    let state = State {
        is_closed: false,
        id,
        current: Current::Live(record),
        is_new,
        refused,
        rules: Rules::Safe(Box::new(rules)),
    };
    Ok(Session::start(Shared::new(engine.clone(), request, state)))
}

/// The first of the ids under which there is a session.
async fn find(engine: &SessionEngine, ids: Vec<FoundId>) -> Result<Option<Found>, Error> {
    let mut tried: Vec<String> = Vec::new();
    for id in ids {
        if tried.len() == MOST_COOKIES {
            break;
        }
        if tried.contains(&id.id) {
            continue;
        }
        match read(engine, &id.id).await {
            Ok(None) => {}
            Ok(Some((record, is_extended, refused))) => {
                return Ok(Some(Found { id, record, is_extended, refused }));
            }
            // Such a session is lost already, and must not lock its user out.
            Err(error) if is_lost(&error) => {
                engine.options().tell(&error);
            }
            Err(error) => return Err(error),
        }
        tried.push(id.id);
    }
    Ok(None)
}

/// The session, whether that extended it, and why it cannot be changed.
async fn read(
    engine: &SessionEngine,
    id: &str,
) -> Result<Option<(Record, bool, Option<ErrorKind>)>, Error> {
    let options = engine.options();
    let Some(atomic) =
        engine.store().atomic().filter(|_| options.touch_after == TouchAfter::EachRequest)
    else {
        return Ok(engine.store().get(id).await?.map(|record| (record, false, None)));
    };
    let max_age = options.cookie.max_age;
    match atomic.get_and_touch(id, max_age).await {
        Ok(None) => Ok(None),
        Ok(Some(record)) => {
            let own = record.cookie().original_max_age_ms();
            if own != max_age.map(milliseconds) {
                // Its life is not the one of the options, which it has been given just now.
                let mut extended = record.clone();
                extend(&mut extended, engine.now_ms());
                engine.store().touch(id, &extended).await?;
            }
            Ok(Some((record, true, None)))
        }
        Err(error) if options.when_down == WhenDown::ReadOnly && !is_lost(&error) => {
            options.tell(&error);
            let record = engine.store().get(id).await?;
            Ok(record.map(|record| (record, false, Some(error.kind()))))
        }
        Err(error) => Err(error),
    }
}

/// Whether there is a record that nobody can read, or can be none.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidId)
}
