//! The end of a request: decides what is written and which cookie the browser gets.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom_backend::{Idempotency, within};
use cloakroom_core::{Cookie, Error, ErrorKind, SessionData, Touched};
use http::HeaderValue;
use tokio::sync::MutexGuard;

use super::{
    expiry::{extend, milliseconds},
    logout::log_out,
    memory::{Browser, Memory, ids_to_log_out},
    session::SafeSession,
    unfinished::Unfinished,
    write::{Write, Written},
};
use crate::{
    TouchAfter, Unset,
    state::{Current, State},
};

/// What is left to do after the handler. It is chosen while the state is locked, and done without the lock.
enum LastStep {
    Nothing,
    /// The record was not changed, but the store has to extend it, or the browser needs the cookie.
    Read {
        id: String,
        record: Arc<SessionData>,
        extends: bool,
        is_new: bool,
    },
    Write {
        write: Write,
        extends: bool,
        is_changed: bool,
        is_new: bool,
    },
    /// The sessions of these ids are logged out, and the browser is told to forget the cookie.
    Drop {
        ids: Vec<String>,
        cookie: Cookie,
    },
    /// A new session is not stored, because the browser would not be sent its `Secure` cookie: nobody could ever reach
    /// the session, and each such request would add one to the store. If the handler has changed it, that is an error.
    Withheld {
        is_changed: bool,
    },
}

impl SafeSession {
    /// Ends the request. If it failed and the options do not store failed requests, only what the handler itself has
    /// saved or destroyed counts: a handler that stops half-way leaves half of its changes.
    pub(crate) async fn commit(&self, is_failed: bool) -> Result<Option<HeaderValue>, Error> {
        let setup = &self.shared.setup;
        // A second commit would extend the session and send the cookie again.
        if !self.shared.close() {
            return Ok(None);
        }
        let is_dropped = is_failed && !setup.options().failure.store_failed;
        let ready = self.shared.turn_at_once().map(|turn| Ready::new(self, turn, is_dropped));
        if matches!(ready, Some(Ready { step: LastStep::Nothing, .. })) {
            drop(ready);
            self.end_one_left_over().await;
            self.shared.forget();
            return Ok(None);
        }
        let began = Instant::now();
        // Boxed, like what follows: it is large, and most requests have nothing left to do.
        let unfinished = Unfinished::new(self, false);
        let result = setup.within("commit", Box::pin(finish(self, ready, is_dropped))).await;
        unfinished.finish();
        if let Err(error) = &result {
            let left = setup.options().failure.patience().saturating_sub(began.elapsed());
            let line = Box::pin(line_of_stored(self, error, left)).await;
            self.shared.state().memory.after_error = line;
        } else {
            self.end_one_left_over().await;
        }
        self.shared.forget();
        result.inspect_err(|error| setup.tell(error))
    }
}

/// Returns the `Set-Cookie` line for what the request stored before its end failed. Without it, a browser whose old id
/// is gone would lose a login that is in the store. The store is asked only for what is left of the deadline.
async fn line_of_stored(
    session: &SafeSession,
    error: &Error,
    left: Duration,
) -> Option<HeaderValue> {
    let (id, cookie, browser, is_new) = {
        let state = session.shared.state();
        let memory = &state.memory;
        let (id, cookie) = *memory.written.as_ref().or(memory.saved.as_ref())?.clone();
        (id, cookie, memory.browser.clone(), state.is_new)
    };
    let record = SessionData::with_cookie(cookie);
    let browser = browser.as_ref();
    // After a timeout the store would only time out again, and the request would take two deadlines.
    if error.kind() != ErrorKind::Timeout && !left.is_zero() {
        let line = async { Ok(as_it_was(session, &id, &record, browser, is_new).await) };
        if let Ok(line) = within(Some(left), "session", "commit", Idempotency::Read, line).await {
            return line;
        }
    }
    let line = line_without_asking(session, &id, &record, browser);
    // Nobody else knows a new id. For an old one, silence is safer: the browser can have a newer cookie.
    line.filter(|_| is_new)
}

/// The last step of a request whose turn it is, and the cookie as the browser has it.
struct Ready<'a> {
    turn: MutexGuard<'a, ()>,
    step: LastStep,
    browser: Option<Browser>,
}

impl<'a> Ready<'a> {
    fn new(session: &SafeSession, turn: MutexGuard<'a, ()>, is_failed: bool) -> Self {
        if is_failed {
            session.leave_begun();
        }
        let state = session.shared.state();
        let browser = state.memory.browser.clone();
        let step = if is_failed {
            last_step_of_failed(&state)
        } else {
            last_step(session, &state, browser.as_ref())
        };
        Self { turn, step, browser }
    }
}

/// Takes the last step, when the handles that still ask the store are done.
async fn finish(
    session: &SafeSession,
    ready: Option<Ready<'_>>,
    is_failed: bool,
) -> Result<Option<HeaderValue>, Error> {
    let Ready { turn: _turn, step, browser } = match ready {
        Some(ready) => ready,
        None => Ready::new(session, session.shared.turn("commit").await?, is_failed),
    };
    take(session, step, browser.as_ref()).await
}

/// Chooses the last step of a request that succeeded.
fn last_step(session: &SafeSession, state: &State<Memory>, browser: Option<&Browser>) -> LastStep {
    let options = session.shared.setup.options();
    let memory = &state.memory;
    // The handles have refused every change, and the store would refuse the extension.
    if state.refused.is_some() {
        return LastStep::Nothing;
    }
    let record = match &state.current {
        Current::Live(record) => record,
        Current::Destroyed(cookie) => return destroyed(memory, cookie),
        Current::Unset(record) if options.unset == Unset::Destroy => {
            return LastStep::Drop { ids: ids_to_log_out(state), cookie: record.cookie().clone() };
        }
        // `unset: "keep"` keeps the session's own record. The one that it was to replace has to go, as after any new
        // id.
        Current::Unset(record) if !memory.old_ids.is_empty() => {
            let cookie = record.cookie().clone();
            let begun = memory.begun.iter().map(|begun| &begun.id);
            let ids = memory.old_ids.iter().chain(begun).cloned().collect();
            return LastStep::Drop { ids, cookie };
        }
        Current::Unset(_) => return LastStep::Nothing,
    };
    if !memory.is_stored {
        let is_replacement = !memory.old_ids.is_empty();
        if !is_replacement && !record.is_changed() && !options.save_uninitialized {
            let cookie = memory.destroyed.as_ref();
            return cookie.map_or(LastStep::Nothing, |cookie| destroyed(memory, cookie));
        }
        if session.withholds(record.cookie()) {
            return LastStep::Withheld { is_changed: is_replacement || record.is_changed() };
        }
    }
    let is_due = memory.is_stored && !memory.is_refused && is_due(session, record);
    let is_changed = !memory.is_stored
        || memory.is_touched
        || !memory.old_ids.is_empty()
        || record.is_changed()
        || record.is_cookie_changed();
    if is_due || is_changed {
        let extends = session.extends_on_write() || memory.is_touched || is_due;
        let write = Write::new(session, state, record);
        return LastStep::Write { write, extends, is_changed, is_new: state.is_new };
    }
    let extends = !memory.is_extended && !memory.is_refused && session.extends_on_write();
    // The cookies differ if the handler has saved the session. After a rotation of the secrets, `browser` is `None`, so
    // the cookie is sent once more, signed with the secret in use.
    if extends || !Browser::has(browser, record.cookie()) {
        let is_new = state.is_new;
        LastStep::Read { id: state.id.clone(), record: Arc::clone(record), extends, is_new }
    } else {
        LastStep::Nothing
    }
}

/// The last step of a request that failed: only what the handler itself has saved or destroyed counts.
fn last_step_of_failed(state: &State<Memory>) -> LastStep {
    let memory = &state.memory;
    if let Some((id, cookie)) = memory.saved.as_deref() {
        let record = Arc::new(SessionData::with_cookie(cookie.clone()));
        return LastStep::Read { id: id.clone(), record, extends: false, is_new: state.is_new };
    }
    match (&state.current, &memory.destroyed) {
        (Current::Destroyed(cookie), _) | (_, Some(cookie)) => destroyed(memory, cookie),
        _ => LastStep::Nothing,
    }
}

/// The last step for a session that the handler destroyed. If another request had logged it out before, the browser was
/// told then to forget the cookie, and a line now could remove the cookie of a newer login.
fn destroyed(memory: &Memory, cookie: &Cookie) -> LastStep {
    if memory.is_logged_out_already {
        return LastStep::Nothing;
    }
    LastStep::Drop { ids: Vec::new(), cookie: cookie.clone() }
}

/// Returns true if a session that was only read must be written, so that the cookie in the record and in the browser
/// does not expire before the session does.
fn is_due(session: &SafeSession, record: &SessionData) -> bool {
    let (options, cookie) = (session.shared.setup.options(), record.cookie());
    let (Some(expires_ms), Some(max_age_ms)) = (cookie.expires_ms(), cookie.original_max_age_ms())
    else {
        return false;
    };
    // It has a fixed end, up to which it has been extended already.
    if record.ends_at_ms().is_some_and(|ends_at_ms| ends_at_ms <= expires_ms) {
        return false;
    }
    let left_ms = expires_ms.saturating_sub(session.shared.setup.now_ms());
    match options.expiry.touch_after {
        // When a quarter of its life is over. With every response, as Express's `rolling` does it, would cost a second
        // command each time. If this response is lost, later ones have three quarters left to tell the browser.
        TouchAfter::EachRequest => options.expiry.rolling && left_ms < max_age_ms / 4 * 3,
        TouchAfter::Elapsed(after) => max_age_ms.saturating_sub(left_ms) >= milliseconds(after),
        TouchAfter::Never => false,
    }
}

/// Takes the step. Only then, with the store's answer, the `Set-Cookie` line is decided.
async fn take(
    session: &SafeSession,
    step: LastStep,
    browser: Option<&Browser>,
) -> Result<Option<HeaderValue>, Error> {
    let setup = &session.shared.setup;
    let tell = |error: Error| setup.tell(&error);
    match step {
        LastStep::Nothing => Ok(None),
        LastStep::Withheld { is_changed: true } => Err(session.withheld("commit")),
        LastStep::Withheld { is_changed: false } => {
            session.note_withheld();
            Ok(None)
        }
        LastStep::Drop { ids, cookie } => {
            // False if other requests had logged out all of them: see `destroyed`.
            if !ids.is_empty() && !log_out(&session.safe, ids).await? {
                return Ok(None);
            }
            Ok(session.shared.request.has_cookie.then(|| clear(session, &cookie)).flatten())
        }
        LastStep::Write { mut write, extends, is_changed, is_new } => {
            match write.run(session, extends).await {
                Ok(()) => {}
                Err(error) if is_changed => return Err(error),
                Err(error) => {
                    // Only the extension failed. The request has changed nothing that could be lost, so its response
                    // stands.
                    tell(error);
                    let record = &write.changes.record;
                    return Ok(as_it_was(session, &write.id, record, browser, is_new).await);
                }
            }
            if let Some(Written { record, .. }) = &write.written {
                return Ok(cookie_for(session, &write.id, record.cookie(), browser));
            }
            // Another request ended the session. It may have given the browser a newer cookie, so this response sends
            // none.
            let gone = Error::new(ErrorKind::Other, "session", "commit", write.obstacle.1);
            if write.is_login || is_changed {
                write.obstacle.tell();
            }
            if write.is_login {
                // The user would be told of a login that did not happen.
                return Err(gone);
            }
            if is_changed {
                tell(gone);
            }
            Ok(None)
        }
        LastStep::Read { id, record, extends, is_new } => {
            if extends {
                let mut extended = SessionData::clone(&record);
                extend(&mut extended, setup.now_ms());
                match setup.store().touch(&id, &extended).await {
                    Ok(Touched::Missing) => return Ok(None),
                    touched => touched.map_or_else(tell, drop),
                }
            }
            Ok(as_it_was(session, &id, &record, browser, is_new).await)
        }
    }
}

/// Returns the line for a record that was not written.
///
/// If the browser sent a cookie, the store is asked whether the session still exists. A login or a logout that ended
/// first has given the browser another cookie, and the line of this slower response would replace it.
async fn as_it_was(
    session: &SafeSession,
    id: &str,
    record: &SessionData,
    browser: Option<&Browser>,
    is_new: bool,
) -> Option<HeaderValue> {
    let setup = &session.shared.setup;
    let line = line_without_asking(session, id, record, browser)?;
    if session.shared.request.has_cookie {
        match setup.store().get(id).await {
            Ok(found) => found?,
            Err(error) => {
                setup.tell(&error);
                // Nobody else knows a new id, so this response has to tell it. For an id that the browser has, the next
                // request tries again.
                return is_new.then_some(line);
            }
        };
    }
    Some(line)
}

/// Returns the line for a record that was not written, without asking the store whether the session still exists.
fn line_without_asking(
    session: &SafeSession,
    id: &str,
    record: &SessionData,
    browser: Option<&Browser>,
) -> Option<HeaderValue> {
    let now_ms = session.shared.setup.now_ms();
    let mut extended = record.clone();
    // Node.js leaves an old `expires` in the record when it only touches the session. The store has returned the
    // record, so the session lives, but a browser would delete a cookie with that date at once.
    if !Browser::has(browser, record.cookie()) && record.cookie().has_expired(now_ms) {
        extend(&mut extended, now_ms);
    }
    cookie_for(session, id, extended.cookie(), browser)
}

/// Returns the line for the browser, if its copy differs and it would accept this one. If the record's cookie contains
/// characters that no header can have, only the line is lost and the error is reported, as in Express.
fn cookie_for(
    session: &SafeSession,
    id: &str,
    cookie: &Cookie,
    browser: Option<&Browser>,
) -> Option<HeaderValue> {
    let setup = &session.shared.setup;
    if Browser::has(browser, cookie) {
        return None;
    }
    if session.withholds(cookie) {
        session.note_withheld();
        return None;
    }
    // The signature of the value that the browser has sent is right: it was verified.
    let known = browser.map(|browser| &browser.found).filter(|found| found.id == id);
    let line = match known.and_then(|found| found.value.as_deref()) {
        Some(value) => setup.set_cookie_value(value, cookie),
        None => setup.set_cookie(id, cookie),
    };
    line.map_err(|error| setup.tell(&error)).ok()
}

/// Returns the line that makes the browser forget the cookie. A browser does so only if path and domain are those that
/// it was sent (RFC 6265, section 5.3), so the record's attributes come before the options'.
fn clear(session: &SafeSession, cookie: &Cookie) -> Option<HeaderValue> {
    let setup = &session.shared.setup;
    let of_options = || {
        let (_, record) = session.shared.generate()?;
        setup.clear_cookie(record.cookie())
    };
    let line = setup.clear_cookie(cookie).or_else(|error| {
        setup.tell(&error);
        of_options()
    });
    line.map_err(|error| setup.tell(&error)).ok()
}
