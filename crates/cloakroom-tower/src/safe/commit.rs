//! The end of a request: what is written, and what the browser is told.

use std::sync::Arc;

use cloakroom_core::{Cookie, Error, ErrorKind, SessionData, Touched};
use http::HeaderValue;

use super::{
    Safe, Write, extend, extends_on_write, is_withheld,
    logout::{ids_to_end, log_out},
    milliseconds, withheld,
};
use crate::{
    EventReason, Session, SessionEngine, TouchAfter, Unset,
    state::{Current, Rules, Shared, State},
};

/// What is left to do when the handler is done.
enum End {
    Nothing,
    /// The record stays as it is, but the store is to extend it, or the browser to be told.
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
    /// The sessions of these ids are logged out, and the browser is to forget the cookie.
    Drop {
        ids: Vec<String>,
        cookie: Cookie,
    },
    /// A new session is not stored. The handler has changed it, as a login does, or not.
    Withheld {
        is_changed: bool,
    },
}

/// `is_failed` says that nothing is to be stored but what the handler has stored itself.
pub(crate) async fn commit(shared: &Shared, is_failed: bool) -> Result<Option<HeaderValue>, Error> {
    if !shared.close() {
        return Ok(None);
    }
    let result = shared.engine.within("commit", commit_in_turn(shared, is_failed)).await;
    if let Err(error) = &result {
        let line = line_of_stored(shared, error).await;
        if let Rules::Safe(rules) = &mut shared.state().rules {
            rules.after_error = line;
        }
    }
    shared.forget();
    result
}

impl SessionEngine {
    /// The `Set-Cookie` line that belongs to the error response when [`commit`](Self::commit) has failed.
    ///
    /// A session that was stored under a new id before the failure is there, and the browser's old id is gone: without
    /// this line nobody could reach it. `None` when nothing was stored, when another request has logged the session out
    /// since, and with the express preset, whose `commit` does not fail.
    ///
    /// ```
    /// use cloakroom_tower::{Session, SessionEngine};
    /// use http::HeaderValue;
    ///
    /// /// Whether the response is to be an error, and the cookie to add to it.
    /// async fn finish(engine: &SessionEngine, session: &Session) -> (bool, Option<HeaderValue>) {
    ///     match engine.commit(session).await {
    ///         Ok(cookie) => (false, cookie),
    ///         Err(_) => (true, engine.cookie_after_error(session)),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn cookie_after_error(&self, session: &Session) -> Option<HeaderValue> {
        match &session.shared().state().rules {
            Rules::Safe(rules) => rules.after_error.clone(),
            Rules::Express(_) => None,
        }
    }
}

/// The line for what the request has stored before its end failed: the id that the browser has may be gone.
async fn line_of_stored(shared: &Shared, error: &Error) -> Option<HeaderValue> {
    let (id, cookie, browser, is_new) = {
        let state = shared.state();
        let Rules::Safe(rules) = &state.rules else { return None };
        let (id, cookie) = rules.written.as_ref().or(rules.saved.as_ref())?.clone();
        (id, cookie, rules.browser.clone(), state.is_new)
    };
    let record = SessionData::with_cookie(cookie);
    let browser = browser.as_ref();
    // A store that does not answer is not waited for twice.
    if error.kind() != ErrorKind::Timeout {
        let line = async { Ok(as_it_was(shared, &id, &record, browser, is_new).await) };
        if let Ok(line) = shared.engine.within_reading("commit", line).await {
            return line;
        }
    }
    let line = line_without_asking(shared, &id, &record, browser);
    line.filter(|_| is_new)
}

async fn commit_in_turn(shared: &Shared, is_failed: bool) -> Result<Option<HeaderValue>, Error> {
    let _turn = shared.turn("commit").await?;
    let (end, browser) = {
        let state = shared.state();
        let browser = match &state.rules {
            Rules::Safe(rules) => rules.browser.clone(),
            Rules::Express(_) => None,
        };
        let end =
            if is_failed { end_of_failed(&state) } else { end(shared, &state, browser.as_ref()) };
        (end, browser)
    };
    finish(shared, end, browser.as_ref()).await
}

fn end(shared: &Shared, state: &State, browser: Option<&Cookie>) -> End {
    let options = shared.engine.options();
    let Rules::Safe(rules) = &state.rules else { return End::Nothing };
    if state.refused.is_some() {
        return End::Nothing;
    }
    let record = match &state.current {
        Current::Live(record) => record,
        Current::Destroyed(cookie) => return destroyed(rules, cookie),
        Current::Unset(cookie) if options.unset == Unset::Destroy => {
            return End::Drop { ids: ids_to_end(state), cookie: cookie.clone() };
        }
        // What is kept is the session's own record, not one that it was to replace.
        Current::Unset(cookie) if !rules.old_ids.is_empty() => {
            return End::Drop { ids: rules.old_ids.clone(), cookie: cookie.clone() };
        }
        Current::Unset(_) => return End::Nothing,
    };
    if !rules.is_stored {
        let is_replacement = !rules.old_ids.is_empty();
        if !is_replacement && !record.is_changed() && !options.save_uninitialized {
            let cookie = rules.destroyed.as_ref();
            return cookie.map_or(End::Nothing, |cookie| destroyed(rules, cookie));
        }
        if is_withheld(shared, record.cookie()) {
            return End::Withheld { is_changed: is_replacement || record.is_changed() };
        }
    }
    let is_due = rules.is_stored && !rules.is_refused && is_due(shared, record);
    let is_changed = !rules.is_stored
        || rules.is_touched
        || !rules.old_ids.is_empty()
        || record.is_changed()
        || record.is_cookie_changed();
    if is_due || is_changed {
        let extends = extends_on_write(shared) || rules.is_touched || is_due;
        let write = Write::of(shared, state, record);
        return write.map_or(End::Nothing, |write| End::Write {
            write,
            extends,
            is_changed,
            is_new: state.is_new,
        });
    }
    let extends = !rules.is_extended && !rules.is_refused && extends_on_write(shared);
    // It differs after a save, and the browser has none of the secret in use after a rotation.
    if extends || browser != Some(record.cookie()) {
        let is_new = state.is_new;
        End::Read { id: state.id.clone(), record: Arc::clone(record), extends, is_new }
    } else {
        End::Nothing
    }
}

/// The end of a request that failed: only what the handler itself has stored or destroyed counts.
fn end_of_failed(state: &State) -> End {
    let Rules::Safe(rules) = &state.rules else { return End::Nothing };
    if let Some((id, cookie)) = &rules.saved {
        let record = Arc::new(SessionData::with_cookie(cookie.clone()));
        return End::Read { id: id.clone(), record, extends: false, is_new: state.is_new };
    }
    match (&state.current, &rules.destroyed) {
        (Current::Destroyed(cookie), _) | (_, Some(cookie)) => destroyed(rules, cookie),
        _ => End::Nothing,
    }
}

/// The end of a session that the handler has destroyed. When another request had logged it out before, the browser was
/// told then, and may have a newer cookie by now.
fn destroyed(rules: &Safe, cookie: &Cookie) -> End {
    if rules.is_ended_already {
        return End::Nothing;
    }
    End::Drop { ids: Vec::new(), cookie: cookie.clone() }
}

/// Whether a session that was only read is to be written, so that it and the browser's copy live on.
fn is_due(shared: &Shared, record: &SessionData) -> bool {
    let (options, cookie) = (shared.engine.options(), record.cookie());
    let (Some(expires_ms), Some(max_age_ms)) = (cookie.expires_ms(), cookie.original_max_age_ms())
    else {
        return false;
    };
    // It cannot be extended any further.
    if record.ends_at_ms().is_some_and(|ends_at_ms| ends_at_ms <= expires_ms) {
        return false;
    }
    let left_ms = expires_ms.saturating_sub(shared.engine.now_ms());
    match options.touch_after {
        // A quarter of its life: a response that is lost has others behind it before the browser's copy ends.
        TouchAfter::EachRequest => options.rolling && left_ms < max_age_ms / 4 * 3,
        TouchAfter::Elapsed(after) => max_age_ms.saturating_sub(left_ms) >= milliseconds(after),
        TouchAfter::Never => false,
    }
}

async fn finish(
    shared: &Shared,
    end: End,
    browser: Option<&Cookie>,
) -> Result<Option<HeaderValue>, Error> {
    let engine = &shared.engine;
    let tell = |error: Error| engine.options().tell(&error);
    match end {
        End::Nothing => Ok(None),
        End::Withheld { is_changed: true } => Err(withheld("commit")),
        End::Withheld { is_changed: false } => {
            engine.note(EventReason::CookieWithheld);
            Ok(None)
        }
        End::Drop { ids, cookie } => {
            if !ids.is_empty() && !log_out(engine, ids).await? {
                return Ok(None);
            }
            Ok(shared.request.has_cookie.then(|| clear(shared, &cookie)).flatten())
        }
        End::Write { mut write, extends, is_changed, is_new } => {
            match write.run(shared, extends).await {
                Ok(()) => {}
                Err(error) if is_changed => return Err(error),
                Err(error) => {
                    // Nothing of the request is lost by it, and the session is as it was.
                    tell(error);
                    let record = &write.changes.record;
                    return Ok(as_it_was(shared, &write.id, record, browser, is_new).await);
                }
            }
            if let Some(record) = &write.written {
                return Ok(cookie_for(shared, &write.id, record.cookie(), browser));
            }
            // The browser may have a newer cookie by now, which this response leaves alone.
            let gone = Error::new(ErrorKind::Other, "session", "commit", write.obstacle);
            if write.is_login {
                // It must not be answered as if it had succeeded.
                return Err(gone);
            }
            if is_changed {
                tell(gone);
            }
            Ok(None)
        }
        End::Read { id, record, extends, is_new } => {
            if extends {
                let mut extended = SessionData::clone(&record);
                extend(&mut extended, engine.now_ms());
                match engine.store().touch(&id, &extended).await {
                    Ok(Touched::Missing) => return Ok(None),
                    touched => touched.map_or_else(tell, drop),
                }
            }
            Ok(as_it_was(shared, &id, &record, browser, is_new).await)
        }
    }
}

/// The line for a record that was not written. One whose end has passed lives all the same, or it had not been found.
///
/// When the browser has sent a cookie, the store is asked whether the session is there still: a login or a logout that
/// came first has given the browser another cookie.
async fn as_it_was(
    shared: &Shared,
    id: &str,
    record: &SessionData,
    browser: Option<&Cookie>,
    is_new: bool,
) -> Option<HeaderValue> {
    let engine = &shared.engine;
    let line = line_without_asking(shared, id, record, browser)?;
    if shared.request.has_cookie {
        match engine.store().get(id).await {
            Ok(found) => found?,
            Err(error) => {
                engine.options().tell(&error);
                // Nobody else knows a new id. For one that the browser has, the next request tries again.
                return is_new.then_some(line);
            }
        };
    }
    Some(line)
}

fn line_without_asking(
    shared: &Shared,
    id: &str,
    record: &SessionData,
    browser: Option<&Cookie>,
) -> Option<HeaderValue> {
    let now_ms = shared.engine.now_ms();
    let mut extended = record.clone();
    if browser != Some(record.cookie()) && record.cookie().has_expired(now_ms) {
        extend(&mut extended, now_ms);
    }
    cookie_for(shared, id, extended.cookie(), browser)
}

/// The line for the browser, if its copy is another one and it would take this one. A record can hold a cookie that no
/// browser can be sent, which costs it the line and no more, as in Express.
fn cookie_for(
    shared: &Shared,
    id: &str,
    cookie: &Cookie,
    browser: Option<&Cookie>,
) -> Option<HeaderValue> {
    let engine = &shared.engine;
    if browser == Some(cookie) {
        return None;
    }
    if is_withheld(shared, cookie) {
        engine.note(EventReason::CookieWithheld);
        return None;
    }
    engine.set_cookie(id, cookie).map_err(|error| engine.options().tell(&error)).ok()
}

/// The line that makes the browser forget: by the record's attributes, or by the options' where nobody can send those.
fn clear(shared: &Shared, cookie: &Cookie) -> Option<HeaderValue> {
    let engine = &shared.engine;
    let of_options = || {
        let (_, record) = shared.generate()?;
        engine.clear_cookie(record.cookie())
    };
    let line = engine.clear_cookie(cookie).or_else(|error| {
        engine.options().tell(&error);
        of_options()
    });
    line.map_err(|error| engine.options().tell(&error)).ok()
}
