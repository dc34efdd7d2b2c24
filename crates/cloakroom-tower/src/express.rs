//! The express preset: what express-session 1.19.0 does, call for call.
//!
//! The names follow its `index.js`: `is_modified`, `is_saved`, `should_save`. What was observed of it is in
//! `tests/fixtures/express-lifecycle.json`.

use std::sync::Arc;

use cloakroom_core::{Error, SessionData};
use http::HeaderValue;

use crate::{
    EventReason, IdFormat, RequestHead, Session, SessionEngine, SessionOptions, Unset,
    safe::with_life_of,
    state::{Current, RequestFacts, Rules, Shared, State},
};

/// What express-session remembers of a request.
pub(crate) struct Express {
    /// `cookieId`: the id of the cookie that verified.
    cookie_id: Option<String>,
    /// `originalId` and, for `originalHash`, the record that it is the hash of.
    original: (String, Arc<SessionData>),
    /// For `savedHash`, the record as it was last saved by hand, or loaded.
    saved: Option<Arc<SessionData>>,
}

pub(crate) async fn load(engine: &SessionEngine, head: RequestHead<'_>) -> Result<Session, Error> {
    let options = engine.options();
    let header = head.cookie_header();
    let cookie_id =
        engine.ids().find_first(&header, &options.name, options.unquote).map(|found| found.id);
    if cookie_id.is_none() && IdFormat::is_sent(&header, &options.name, options.unquote) {
        engine.note(EventReason::CookieNotVerified);
    }
    let request = RequestFacts::new(engine, head, cookie_id.is_some());
    let found = match &cookie_id {
        None => Ok(None),
        Some(id) => engine.within_reading("load", engine.store().get(id)).await,
    };
    let loaded = found.and_then(|found| {
        let Some(mut record) = found else { return Ok(None) };
        record.load_as_express().map(|()| Some(record))
    });
    let loaded = match (loaded, &cookie_id) {
        // Express knows no end, and may have extended the session beyond it.
        (Ok(Some(record)), Some(id)) if record.has_ended(engine.now_ms()) => {
            engine.within("load", engine.store().destroy(id)).await.map(|()| None)
        }
        (loaded, _) => loaded,
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            options.tell(&error);
            // The error's own response has no session, which counts as one that was unset.
            if let (Unset::Destroy, Some(id)) = (options.unset, &cookie_id)
                && let Err(error) = engine.within("load", engine.store().destroy(id)).await
            {
                options.tell(&error);
            }
            return Err(error);
        }
    };
    let (is_new, id, record) = match (loaded, &cookie_id) {
        (Some(record), Some(id)) => (false, id.clone(), record),
        (_, cookie_id) => {
            if cookie_id.is_some() {
                engine.note(EventReason::SessionUnknown);
            }
            let (id, record) =
                engine.generate(&request).inspect_err(|error| options.tell(error))?;
            (true, id, record)
        }
    };
    let record = Arc::new(record);
    let saved = (!is_new && !options.resave).then(|| Arc::clone(&record));
    let express = Express { cookie_id, original: (id.clone(), Arc::clone(&record)), saved };
    let state = State::new(id, record, is_new, Rules::Express(Box::new(express)));
    Ok(Session::start(Shared::new(engine.clone(), Arc::new(request), state)))
}

pub(crate) fn touch(shared: &Shared, state: &mut State) -> Result<(), Error> {
    match &mut state.current {
        Current::Live(record) => Arc::make_mut(record).touch_as_express(shared.engine.now_ms()),
        Current::Destroyed(_) | Current::Unset(_) => Ok(()),
    }
}

pub(crate) async fn reload(shared: &Shared) -> Result<bool, Error> {
    let id = {
        let state = shared.open_for_change("reload")?;
        state.record("reload")?;
        state.id.clone()
    };
    let engine = &shared.engine;
    let Some(mut loaded) = engine.within_reading("reload", engine.store().get(&id)).await? else {
        return Ok(false);
    };
    loaded.load_as_express()?;
    let mut state = shared.open("reload")?;
    *state.record_mut("reload")? = loaded;
    Ok(true)
}

/// Express has nothing like it. A session that it has regenerated has no other one to go back to.
pub(crate) fn rollback(shared: &Shared) -> Result<(), Error> {
    let mut state = shared.open_for_change("rollback")?;
    state.record_mut("rollback")?.rollback();
    let State { id, current: Current::Live(record), rules: Rules::Express(express), .. } =
        &mut *state
    else {
        return Ok(());
    };
    if *id == express.original.0 {
        *record = Arc::clone(express.saved.as_ref().unwrap_or(&express.original.1));
    }
    Ok(())
}

pub(crate) async fn save(shared: &Shared) -> Result<bool, Error> {
    let (id, record) = {
        let mut state = shared.open_for_change("save")?;
        let record = Arc::clone(state.record("save")?);
        if let Rules::Express(express) = &mut state.rules {
            // Before the store has answered, as Express does it. After `regenerate` Express does not, which makes no
            // difference: a session of another id than the first does not count as saved.
            express.saved = Some(Arc::clone(&record));
        }
        (state.id.clone(), record)
    };
    let engine = &shared.engine;
    engine.within("save", engine.store().set(&id, &record)).await.map(|()| true)
}

pub(crate) async fn regenerate(shared: &Shared, keeps_data: bool) -> Result<(), Error> {
    let id = {
        let state = shared.open_for_change("regenerate")?;
        if keeps_data {
            state.record("regenerate")?;
        }
        state.id.clone()
    };
    let engine = &shared.engine;
    let destroyed = engine.within("regenerate", engine.store().destroy(&id)).await;
    let (id, record) = shared.generate()?;
    let mut state = shared.open_for_change("regenerate")?;
    state.id = id;
    if keeps_data {
        // It may have been unset while the store was asked.
        if let Current::Live(kept) = &mut state.current {
            let cookie = with_life_of(kept, record.cookie(), shared.engine.now_ms());
            *Arc::make_mut(kept).cookie_mut() = cookie;
        }
    } else {
        state.current = Current::Live(Arc::new(record));
    }
    state.is_new = true;
    destroyed
}

pub(crate) async fn destroy(shared: &Shared) -> Result<(), Error> {
    let id = {
        let mut state = shared.open_for_change("destroy")?;
        let cookie = state.record("destroy")?.cookie().clone();
        state.current = Current::Destroyed(cookie);
        state.id.clone()
    };
    let engine = &shared.engine;
    engine.within("destroy", engine.store().destroy(&id)).await
}

/// The call that ends a request.
enum Call {
    Nothing,
    Destroy,
    Set(Arc<SessionData>),
    Touch(Arc<SessionData>),
}

pub(crate) async fn commit(shared: &Shared) -> Option<HeaderValue> {
    let engine = &shared.engine;
    let (id, call, cookie, is_withheld) = {
        if !shared.close() {
            return None;
        }
        let mut state = shared.state();
        // Where Express throws, nothing is stored and no cookie is sent. Its response never ends, and ours does.
        let (call, cookie, is_withheld) = match touch(shared, &mut state) {
            Ok(()) => end(&state, shared),
            Err(error) => (Call::Nothing, Some(Err(error)), false),
        };
        (state.id.clone(), call, cookie, is_withheld)
    };
    // A user callback, which runs without the lock.
    if is_withheld {
        engine.note(EventReason::CookieWithheld);
    }
    let store = engine.store();
    let done = match &call {
        Call::Nothing => Ok(()),
        Call::Destroy => engine.within("commit", store.destroy(&id)).await,
        Call::Set(record) => engine.within("commit", store.set(&id, record)).await,
        Call::Touch(record) => engine.within("commit", store.touch(&id, record)).await.map(|_| ()),
    };
    // The response goes out as if nothing had failed.
    let tell = |error| engine.options().tell(&error);
    done.unwrap_or_else(tell);
    cookie?.map_err(tell).ok()
}

/// What the end of the request calls, and the cookie it sends.
fn end(state: &State, shared: &Shared) -> (Call, Option<Result<HeaderValue, Error>>, bool) {
    let options = shared.engine.options();
    let (Current::Live(record), Rules::Express(express)) = (&state.current, &state.rules) else {
        let call = if options.unset == Unset::Destroy { Call::Destroy } else { Call::Nothing };
        return (call, None, false);
    };
    let call = if express.should_save(options, &state.id, record) {
        Call::Set(Arc::clone(record))
    } else if express.cookie_id.as_ref() == Some(&state.id) {
        Call::Touch(Arc::clone(record))
    } else {
        Call::Nothing
    };
    let is_due = express.should_set_cookie(options, &state.id, record);
    let is_sent = is_due && (!record.cookie().secure() || shared.request.is_secure);
    let cookie = is_sent.then(|| shared.engine.set_cookie(&state.id, record.cookie()));
    (call, cookie, is_due && !is_sent)
}

impl Express {
    fn is_modified(&self, id: &str, record: &SessionData) -> bool {
        self.original.0 != id || !same_members(&self.original.1, record)
    }

    fn is_saved(&self, id: &str, record: &SessionData) -> bool {
        self.original.0 == id
            && self.saved.as_ref().is_some_and(|saved| same_members(saved, record))
    }

    fn should_save(&self, options: &SessionOptions, id: &str, record: &SessionData) -> bool {
        let is_ours = self.cookie_id.as_deref() == Some(id);
        if !options.save_uninitialized && self.saved.is_none() && !is_ours {
            self.is_modified(id, record)
        } else {
            !self.is_saved(id, record)
        }
    }

    fn should_set_cookie(&self, options: &SessionOptions, id: &str, record: &SessionData) -> bool {
        if self.cookie_id.as_deref() == Some(id) {
            options.rolling || (has_expires(record) && self.is_modified(id, record))
        } else {
            options.save_uninitialized || self.is_modified(id, record)
        }
    }
}

/// `cookie.expires != null`.
fn has_expires(record: &SessionData) -> bool {
    use cloakroom_core::{CookieMember::Expires, JsValue};
    !matches!(record.cookie().raw(Expires), JsValue::Undefined | JsValue::Null)
}

/// Whether Express's hashes of the two are equal: all members but the cookie, in order.
fn same_members(a: &SessionData, b: &SessionData) -> bool {
    if !a.is_changed() && !b.is_changed() && a.loaded_json() == b.loaded_json() {
        return true;
    }
    a.iter()
        .map(|member| (member.name().to_owned(), member.json()))
        .eq(b.iter().map(|member| (member.name().to_owned(), member.json())))
}
