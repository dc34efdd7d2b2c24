//! The end of a request: what is written, and what the browser is told.

use cloakroom_core::{Cookie, Error, ErrorKind, Session as Record, TimeToLive};
use http::HeaderValue;

use super::{Write, extend, extends_on_write, ids_in_store, milliseconds};
use crate::{
    TouchAfter, Unset,
    state::{Current, Rules, Shared, State},
};

/// What is left to do when the handler is done.
enum End {
    Nothing,
    /// The record stays as it is, but the store is to extend it, or the browser to be told.
    Read {
        id: String,
        record: Record,
        extends: bool,
    },
    Write {
        write: Write,
        extends: bool,
    },
    Drop {
        ids: Vec<String>,
        cookie: Cookie,
    },
    /// A new session is not stored: its cookie could never come back.
    Withheld,
}

pub(crate) async fn commit(shared: &Shared) -> Result<Option<HeaderValue>, Error> {
    shared.engine.within("commit", commit_in_turn(shared)).await
}

async fn commit_in_turn(shared: &Shared) -> Result<Option<HeaderValue>, Error> {
    let _turn = shared.turn().await;
    let (end, browser) = {
        let mut state = shared.state();
        state.is_closed = true;
        let browser = match &mut state.rules {
            Rules::Safe(rules) => rules.browser.take(),
            Rules::Express(_) => None,
        };
        (end(shared, &state, browser.as_ref()), browser)
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
        Current::Destroyed(cookie) => {
            return End::Drop { ids: Vec::new(), cookie: cookie.clone() };
        }
        Current::Unset(cookie) if options.unset == Unset::Destroy => {
            return End::Drop { ids: ids_in_store(state), cookie: cookie.clone() };
        }
        Current::Unset(_) => return End::Nothing,
    };
    let is_due = rules.is_stored && (rules.is_touched || is_due(shared, record, browser));
    let is_written = if rules.is_stored {
        is_due || record.is_changed() || record.is_cookie_changed()
    } else {
        rules.is_replacement || record.is_changed() || options.save_uninitialized
    };
    if !is_written {
        if !rules.is_stored {
            let dropped = rules.destroyed.clone();
            return dropped.map_or(End::Nothing, |cookie| End::Drop { ids: Vec::new(), cookie });
        }
        let extends = !rules.is_extended && extends_on_write(shared);
        // It differs after a save, and the browser has none of the secret in use after a rotation.
        let is_told = browser != Some(record.cookie());
        if !extends && !is_told {
            return End::Nothing;
        }
        return End::Read { id: state.id.clone(), record: record.clone(), extends };
    }
    if !rules.is_stored && record.cookie().secure() && !shared.request.is_secure {
        return End::Withheld;
    }
    let extends = extends_on_write(shared) || is_due;
    Write::of(state, record).map_or(End::Nothing, |write| End::Write { write, extends })
}

/// Whether a session that was only read is to be written, so that it and the browser's copy live on.
fn is_due(shared: &Shared, record: &Record, browser: Option<&Cookie>) -> bool {
    let options = shared.engine.options();
    let cookie = browser.unwrap_or_else(|| record.cookie());
    let (Some(expires_ms), Some(max_age_ms)) = (cookie.expires_ms(), cookie.original_max_age_ms())
    else {
        return false;
    };
    let left_ms = expires_ms.saturating_sub(shared.engine.now_ms());
    match options.touch_after {
        TouchAfter::EachRequest => options.rolling && left_ms < max_age_ms / 2,
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
    match end {
        End::Nothing => Ok(None),
        End::Withheld => {
            let message = "a new session was not stored: its cookie is Secure and the request is not; \
                           the option \"proxy\" says which header to believe";
            engine.options().tell(&Error::new(ErrorKind::Config, "session", "commit", message));
            Ok(None)
        }
        End::Drop { ids, cookie } => {
            for id in &ids {
                engine.store().destroy(id).await?;
            }
            shared.request.has_cookie.then(|| engine.clear_cookie(&cookie)).transpose()
        }
        End::Write { mut write, extends } => match write.run(shared, extends).await? {
            Some(record) => cookie_for(shared, &write.id, record.cookie(), browser),
            // Logged out meanwhile. The browser may have a newer cookie by now, which is not ours to clear.
            None => Ok(None),
        },
        End::Read { id, record, extends } => {
            let mut extended = record.clone();
            extend(&mut extended, engine.now_ms());
            if extends && let Err(error) = engine.store().touch(&id, &extended).await {
                // Nothing of the request is lost by it.
                engine.options().tell(&error);
            }
            if browser == Some(record.cookie()) {
                return Ok(None);
            }
            let is_past = record.time_to_live(engine.now_ms()) == TimeToLive::Expired;
            let told = if is_past { &extended } else { &record };
            cookie_for(shared, &id, told.cookie(), browser)
        }
    }
}

/// The line for the browser, if its copy is another one and it would take this one.
fn cookie_for(
    shared: &Shared,
    id: &str,
    cookie: &Cookie,
    browser: Option<&Cookie>,
) -> Result<Option<HeaderValue>, Error> {
    let is_withheld = cookie.secure() && !shared.request.is_secure;
    if is_withheld || browser == Some(cookie) {
        return Ok(None);
    }
    shared.engine.set_cookie(id, cookie).map(Some)
}
