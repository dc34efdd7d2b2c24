//! The safe preset: the same cookie and the same records as Express, without the known harm.
//!
//! - A request that only reads costs one round trip, which extends the session too.
//! - Writers that meet keep each other's members, and a session that was destroyed does not come back.
//! - A new id is stored before the old one is destroyed.
//! - `Set-Cookie` is sent when the browser's copy needs it, and a change that cannot be written is an error.
//!
//! What asks the store takes the turn first, so that handles on one session do so one after the other.

use std::{mem, sync::Arc, time::Duration};

use cloakroom_core::{Cookie, CookieMember, Error, ErrorKind, SessionData};
use http::HeaderValue;

use crate::{
    TouchAfter,
    session::{MOST_TRIES, without_end},
    state::{Current, Rules, Shared, State},
};

mod changes;
mod commit;
mod left_over;
mod load;
mod logout;
mod marker;
mod moves;
mod rollback;
mod write;

pub(crate) use changes::Change;
use changes::{Changes, Edit};
pub(crate) use commit::commit;
pub(crate) use left_over::LeftOver;
pub(crate) use load::{Asked, load};
pub(crate) use logout::destroy;
use rollback::Replaced;
pub(crate) use rollback::rollback;
use write::Write;

/// What the safe preset remembers of a request.
#[derive(Default)]
pub(crate) struct Safe {
    /// The record is in the store under the session's id.
    is_stored: bool,
    /// Loading it has extended it.
    is_extended: bool,
    /// The store has refused to extend it, and would again.
    is_refused: bool,
    /// The handler has asked for its extension.
    is_touched: bool,
    /// The cookie as the browser has it; `None` when it has none of this id, or one that an old secret signed.
    browser: Option<Cookie>,
    /// Changes that depend on what the record is when it is written.
    edits: Vec<Edit>,
    /// The ids that this session had before, which are in the store still.
    old_ids: Vec<String>,
    /// The session under the last of the old ids, to go back to.
    replaced: Option<Replaced>,
    /// The members come from the record under the last of the old ids.
    keeps_data: bool,
    /// The cookie of a session that was destroyed before this one was made.
    destroyed: Option<Cookie>,
    /// The ids of all cookies of our name that verify, one each.
    sent: Vec<String>,
    /// The handler asked for a new id.
    is_replaced: bool,
    /// The session as it was last saved by hand: its id, and the cookie that the browser is to be told.
    saved: Option<(String, Cookie)>,
    /// The session as the write that is under way has stored it, likewise.
    written: Option<(String, Cookie)>,
    /// The `Set-Cookie` line for what is stored of a request whose end has failed.
    after_error: Option<HeaderValue>,
    /// When the request asked for its session.
    loaded_at_ms: i64,
    /// The session had been logged out before this request did so.
    is_ended_already: bool,
}

pub(crate) fn touch(state: &mut State) {
    if let Rules::Safe(rules) = &mut state.rules {
        rules.is_touched = true;
    }
}

/// Keeps a change of a member, to be made again when another request has written in between. The record does not have it
/// yet.
pub(crate) fn add_edit(state: &mut State, name: &str, change: &Arc<Change>) {
    if let State { current: Current::Live(record), rules: Rules::Safe(rules), .. } = state {
        let is_first = !rules.edits.iter().any(|edit| &*edit.name == name);
        if is_first && record.changed_keys().any(|changed| changed == name) {
            // The change begins with what this request has set before, whatever other requests make of the member.
            rules.edits.push(Edit::as_in(record, name));
        }
        rules.edits.push(Edit { name: name.into(), change: Arc::clone(change) });
    }
}

/// Takes the changes that depend on the value of one member, or of any. They are user callbacks: drop them only after
/// releasing the lock.
pub(crate) fn take_edits(state: &mut State, name: Option<&str>) -> Vec<Edit> {
    let Rules::Safe(rules) = &mut state.rules else { return Vec::new() };
    let is_taken = |edit: &mut Edit| name.is_none_or(|name| &*edit.name == name);
    rules.edits.extract_if(.., is_taken).collect()
}

pub(crate) async fn regenerate(shared: &Shared, keeps_data: bool) -> Result<(), Error> {
    let _turn = shared.turn("regenerate").await?;
    let new = shared.generate()?;
    replace(shared, new, keeps_data).map(drop)
}

/// Gives the session another id, and an empty record if it does not keep its own. Returns the user callbacks of the
/// record that was replaced.
fn replace(
    shared: &Shared,
    (id, record): (String, SessionData),
    keeps_data: bool,
) -> Result<Vec<Edit>, Error> {
    let mut state = shared.open_for_change("regenerate")?;
    if keeps_data {
        state.record("regenerate")?;
    }
    let destroyed = match &state.current {
        Current::Live(_) => None,
        Current::Destroyed(cookie) | Current::Unset(cookie) => Some(cookie.clone()),
    };
    let replaced = Replaced::of(&state);
    let old_id = mem::replace(&mut state.id, id);
    let mut edits = Vec::new();
    if keeps_data {
        let kept = state.record_mut("regenerate")?;
        let cookie = with_life_of(kept, record.cookie(), shared.engine.now_ms());
        *kept.cookie_mut() = cookie;
    } else {
        state.current = Current::Live(Arc::new(record));
        edits = take_edits(&mut state, None);
    }
    state.is_new = true;
    if let Rules::Safe(rules) = &mut state.rules {
        rules.destroyed = destroyed.or(rules.destroyed.take());
        rules.keeps_data = keeps_data && (rules.is_stored || rules.keeps_data);
        if mem::take(&mut rules.is_stored) {
            rules.old_ids.push(old_id);
            rules.replaced = replaced;
        }
        rules.browser = None;
        rules.is_replaced = true;
    }
    Ok(edits)
}

/// A cookie with the attributes of the options, and the life that the session has.
pub(crate) fn with_life_of(record: &SessionData, new: &Cookie, now_ms: i64) -> Cookie {
    // Node.js leaves the record's own `expires` stale.
    let extended = record.extended(now_ms);
    let (old, mut cookie) = (extended.cookie(), new.clone());
    if old.is_next_session() || cookie.is_next_session() {
        // The two shapes count a life in members of their own. One that JavaScript can hold was there already.
        let (max_age_ms, expires_ms) = (old.original_max_age_ms(), old.expires_ms());
        let set_at_ms =
            expires_ms.unwrap_or_default().saturating_sub(max_age_ms.unwrap_or_default());
        let _ = cookie.set_max_age_ms(max_age_ms, set_at_ms);
    } else {
        for member in [CookieMember::OriginalMaxAge, CookieMember::Expires] {
            cookie.set_raw(member, old.raw(member).clone());
        }
    }
    cookie
}

pub(crate) async fn reload(shared: &Shared) -> Result<bool, Error> {
    let _turn = shared.turn("reload").await?;
    let id = {
        let state = shared.open_for_change("reload")?;
        state.record("reload")?;
        match &state.rules {
            Rules::Safe(rules) if rules.is_stored => state.id.clone(),
            _ => return Ok(false),
        }
    };
    let engine = &shared.engine;
    let Some(loaded) = engine.within_reading("reload", engine.store().get(&id)).await? else {
        return Ok(false);
    };
    let edits = {
        let mut state = shared.open("reload")?;
        *state.record_mut("reload")? = loaded;
        take_edits(&mut state, None)
    };
    drop(edits);
    Ok(true)
}

pub(crate) async fn save(shared: &Shared) -> Result<bool, Error> {
    let _turn = shared.turn("save").await?;
    let (mut write, extends) = {
        let state = shared.open_for_change("save")?;
        let record = state.record("save")?;
        let (Rules::Safe(rules), Some(write)) = (&state.rules, Write::of(shared, &state, record))
        else {
            return Ok(false);
        };
        if !rules.is_stored && is_withheld(shared, record.cookie()) {
            return Err(withheld("save"));
        }
        (write, extends_on_write(shared) || rules.is_touched)
    };
    let taken = write.changes.clone();
    let result = shared.engine.within("save", write.run(shared, extends)).await;
    // What was written is stored, even if what came after it has failed.
    let Some(stored) = write.written.take() else { return result.map(|()| false) };
    let kept = keep(shared, write, &taken, stored, extends);
    result.and(kept).map(|()| true)
}

/// Makes the written record the session's, with what was changed since it was taken.
fn keep(
    shared: &Shared,
    write: Write,
    taken: &Changes,
    stored: SessionData,
    extends: bool,
) -> Result<(), Error> {
    {
        let mut state = shared.state();
        if let Rules::Safe(rules) = &mut state.rules {
            rules.saved = Some((write.id.clone(), stored.cookie().clone()));
            rules.is_stored = true;
            rules.is_extended = true;
            rules.is_touched &= !extends;
            rules.old_ids = write.old_ids;
        }
        state.id = write.id;
    }
    for _ in 0..MOST_TRIES {
        let (version, now) = {
            let state = shared.state();
            // Another handle may have dropped the session while it was saved; it stays so.
            let (Current::Live(record), Rules::Safe(rules)) = (&state.current, &state.rules) else {
                return Ok(());
            };
            let now = Changes { record: Arc::clone(record), edits: rules.edits.clone() };
            (state.version(), now)
        };
        // The edits are user callbacks, which may use the session itself.
        let (later, result) = taken.later(stored.clone(), &now);
        let mut state = shared.state();
        if state.version() == version {
            if let Current::Live(record) = &mut state.current {
                *record = later.record;
            }
            let done = take_edits(&mut state, None);
            if let Rules::Safe(rules) = &mut state.rules {
                rules.edits = later.edits;
            }
            drop(state);
            drop(done);
            return result;
        }
    }
    Err(without_end("save"))
}

/// Returns true if the browser would not be sent this cookie.
fn is_withheld(shared: &Shared, cookie: &Cookie) -> bool {
    cookie.secure() && !shared.request.is_secure
}

/// The error for a new session whose cookie would not be sent, and which is not stored.
fn withheld(operation: &'static str) -> Error {
    let message = "a new session is not stored: its cookie is Secure and the request is not; behind a proxy that ends \
                   TLS, set the option \"proxy\"; for development on http://localhost, set \"secure\" to auto";
    Error::new(ErrorKind::Config, "session", operation, message)
}

/// Returns true if a write moves the expiry, whatever the handler asks for.
fn extends_on_write(shared: &Shared) -> bool {
    shared.engine.options().touch_after == TouchAfter::EachRequest
}

/// Moves the cookie's expiry. One that has passed and has no max age to be moved by is taken away, as Express does it:
/// the store says that the session lives.
fn extend(record: &mut SessionData, now_ms: i64) {
    record.touch(now_ms);
    if record.cookie().original_max_age_ms().is_none() && record.cookie().has_expired(now_ms) {
        // It cannot fail without a date.
        let _ = record.cookie_mut().set_expires_ms(None, now_ms);
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
