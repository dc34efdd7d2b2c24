//! The express preset: what express-session 1.19.0 does, call for call, its losses included.
//!
//! It exists for sites that move route by route and must not see any difference, and as the measure for the safe
//! preset. The names follow express-session's `index.js`: `is_modified`, `is_saved`, `should_save`. The calls that were
//! recorded from the package are in `tests/fixtures/express-lifecycle.json`.

use std::{mem, sync::Arc};

use cloakroom_backend::observe::{self, Event, note};
use cloakroom_core::{Error, SessionData};
use http::HeaderValue;

use crate::{
    EventReason, IdFormat, RequestHead, SessionOptions, Unset,
    cookie_options::with_life_of,
    request::RequestFacts,
    setup::Setup,
    state::{self, Current, Shared, State},
};

/// The preset of an engine.
pub(crate) struct Express {
    setup: Arc<Setup>,
}

/// What loading the session needs of its request. It borrows nothing, since an on-demand session is loaded later.
pub(crate) struct Asked {
    setup: Arc<Setup>,
    request: RequestFacts,
    /// `cookieId`: the id of the cookie that verified.
    cookie_id: Option<String>,
}

/// The session of a request.
pub(crate) struct ExpressSession {
    shared: Shared<Memory>,
}

/// What express-session remembers of a request. It compares hashes of the record; this keeps the records themselves,
/// which costs no hash.
pub(crate) struct Memory {
    /// `cookieId`: the id of the cookie that verified.
    cookie_id: Option<String>,
    /// `originalId`, and the record in place of its `originalHash`.
    original: (String, Arc<SessionData>),
    /// The record in place of `savedHash`: as `save` last wrote it, or as it was loaded.
    saved: Option<Arc<SessionData>>,
    /// `regenerate` has made another session, whose `save` Express does not note: it wraps only the first one's.
    is_regenerated: bool,
    /// The new session was counted as created or moved.
    is_counted: bool,
}

/// Express overwrites what other requests have written, so there is nothing to compute again.
impl state::Memory for Memory {}

impl Express {
    pub(crate) const fn new(setup: Arc<Setup>) -> Self {
        Self { setup }
    }

    /// Returns the id in the first cookie of the name, if that one verifies. Express looks at no second one.
    pub(crate) fn session_id(&self, header: &[u8]) -> Option<String> {
        let options = self.setup.options();
        let found =
            self.setup.ids().find_first(header, &options.ids.cookie_name, options.ids.unquote);
        found.map(|found| found.id)
    }

    pub(crate) fn ask(&self, head: RequestHead<'_>) -> Asked {
        let setup = Arc::clone(&self.setup);
        let header = setup.cookies_of_served(head.headers());
        let is_unread = header.is_none();
        let header = header.unwrap_or_default();
        let options = setup.options();
        let cookie_id = self.session_id(&header);
        if cookie_id.is_none()
            && IdFormat::is_sent(&header, &options.ids.cookie_name, options.ids.unquote)
        {
            setup.note(EventReason::CookieNotVerified);
        }
        let request = RequestFacts::new(options, head, cookie_id.is_some(), is_unread);
        Asked { setup, request, cookie_id }
    }
}

impl Asked {
    pub(crate) async fn load(&self) -> Result<ExpressSession, Error> {
        let Self { setup, request, cookie_id } = self;
        let options = setup.options();
        let found = match cookie_id {
            None => Ok(None),
            Some(id) => setup.within_reading("load", setup.store().get(id)).await,
        };
        let loaded = found.and_then(|found| {
            let Some(mut record) = found else { return Ok(None) };
            record.load_as_express().map(|()| Some(record))
        });
        let loaded = match (loaded, cookie_id) {
            // A departure from Express, which does not read the end and can have extended the session beyond it.
            (Ok(Some(record)), Some(id)) if record.has_ended(setup.now_ms()) => {
                setup.within("load", setup.store().destroy(id)).await.map(|()| None)
            }
            (loaded, _) => loaded,
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                setup.tell(&error);
                // Express calls `next(err)` without having set `req.session`. At the end of the response it takes that
                // for a session that was unset, and destroys the one that it could not load.
                if let (Unset::Destroy, Some(id)) = (options.unset, cookie_id)
                    && let Err(error) = setup.within("load", setup.store().destroy(id)).await
                {
                    setup.tell(&error);
                }
                return Err(error);
            }
        };
        let (is_new, id, record) = match (loaded, cookie_id) {
            (Some(record), Some(id)) => (false, id.clone(), record),
            (_, cookie_id) => {
                if cookie_id.is_some() {
                    setup.note(EventReason::SessionUnknown);
                }
                let (id, record) =
                    setup.generate(request).inspect_err(|error| setup.tell(error))?;
                (true, id, record)
            }
        };
        let record = Arc::new(record);
        // `resave: false` counts a loaded session as saved, so that it is written only if it changes.
        let saved = (!is_new && !options.resave).then(|| Arc::clone(&record));
        let original = (id.clone(), Arc::clone(&record));
        let cookie_id = cookie_id.clone();
        let memory =
            Memory { cookie_id, original, saved, is_regenerated: false, is_counted: false };
        let state = State::new(id, record, is_new, memory);
        Ok(ExpressSession { shared: Shared::new(Arc::clone(setup), request.clone(), state) })
    }
}

impl ExpressSession {
    pub(crate) const fn shared(&self) -> &Shared<Memory> {
        &self.shared
    }

    pub(crate) fn touch(&self) -> Result<(), Error> {
        let mut state = self.shared.open_for_change("touch")?;
        state.record("touch")?;
        touch(&mut state, self.shared.setup.now_ms())
    }

    /// Loads the record again: Express's `req.session.reload()`, which is an error there if the session is gone.
    pub(crate) async fn reload(&self) -> Result<bool, Error> {
        let id = {
            let state = self.shared.open_for_change("reload")?;
            state.record("reload")?;
            state.id.clone()
        };
        let setup = &self.shared.setup;
        let Some(mut loaded) = setup.within_reading("reload", setup.store().get(&id)).await? else {
            return Ok(false);
        };
        loaded.load_as_express()?;
        let mut state = self.shared.open("reload")?;
        *state.record_mut("reload")? = loaded;
        Ok(true)
    }

    /// Express has no rollback, so this is our own. After `regenerate` the old session is destroyed, so there is no way
    /// back to it.
    pub(crate) fn rollback(&self) -> Result<(), Error> {
        let mut state = self.shared.open_for_change("rollback")?;
        state.record_mut("rollback")?.rollback();
        let State { current, memory, .. } = &mut *state;
        if let (Current::Live(record), false) = (current, memory.is_regenerated) {
            *record = Arc::clone(memory.saved.as_ref().unwrap_or(&memory.original.1));
        }
        Ok(())
    }

    /// Writes the whole record, over whatever other requests have written: Express's `req.session.save()`.
    pub(crate) async fn save(&self) -> Result<bool, Error> {
        let (id, record) = {
            let mut state = self.shared.open_for_change("save")?;
            let record = Arc::clone(state.record("save")?);
            // Before the store has answered, as in Express's wrapped `save`.
            if !state.memory.is_regenerated {
                state.memory.saved = Some(Arc::clone(&record));
            }
            (state.id.clone(), record)
        };
        let setup = &self.shared.setup;
        setup.within("save", setup.store().set(&id, &record)).await?;
        self.note_stored(&id);
        Ok(true)
    }

    /// Tells the operator of a session that was not in the store before, or under another id.
    fn note_stored(&self, id: &str) {
        if !observe::IS_ON {
            return;
        }
        let is_move = {
            let mut state = self.shared.state();
            let memory = &mut state.memory;
            let is_move = memory.original.0 != id;
            // Loaded, or saved before it got its new id.
            let was_stored =
                memory.saved.is_some() || memory.cookie_id.as_ref() == Some(&memory.original.0);
            let was_counted = mem::replace(&mut memory.is_counted, true);
            if !state.is_new || was_counted {
                return;
            }
            is_move && was_stored
        };
        let store = self.shared.setup.store().name();
        note(if is_move { Event::SessionMoved { store } } else { Event::SessionCreated { store } });
    }

    fn note_destroyed(&self) {
        note(Event::SessionDestroyed { store: self.shared.setup.store().name() });
    }

    /// Destroys the session and makes a new one: Express's `req.session.regenerate()`, which has no way to keep the
    /// data.
    pub(crate) async fn regenerate(&self, keeps_data: bool) -> Result<(), Error> {
        let id = {
            let state = self.shared.open_for_change("regenerate")?;
            if keeps_data {
                state.record("regenerate")?;
            }
            state.id.clone()
        };
        let setup = &self.shared.setup;
        // An error of the store does not keep Express from making the new session: it is passed on after that.
        let destroyed = setup.within("regenerate", setup.store().destroy(&id)).await;
        let (id, record) = self.shared.generate()?;
        let mut state = self.shared.open_for_change("regenerate")?;
        state.id = id;
        if keeps_data {
            // Another handle can have unset it while the store was asked.
            if let Current::Live(kept) = &mut state.current {
                let cookie = with_life_of(kept, record.cookie(), setup.now_ms());
                *Arc::make_mut(kept).cookie_mut() = cookie;
            }
        } else {
            state.current = Current::Live(Arc::new(record));
            state.is_brought = false;
        }
        state.is_new = true;
        (state.memory.is_regenerated, state.memory.is_counted) = (true, false);
        destroyed
    }

    pub(crate) async fn destroy(&self) -> Result<(), Error> {
        let id = {
            let mut state = self.shared.open_for_change("destroy")?;
            let cookie = state.record("destroy")?.cookie().clone();
            state.current = Current::Destroyed(Box::new(cookie));
            state.id.clone()
        };
        let setup = &self.shared.setup;
        setup.within("destroy", setup.store().destroy(&id)).await?;
        self.note_destroyed();
        Ok(())
    }

    /// Ends the request: at most one call, chosen as express-session's `res.end` chooses it, and the cookie. It cannot
    /// fail, because Express has sent the response's head by the time its store answers.
    pub(crate) async fn commit(&self) -> Option<HeaderValue> {
        let setup = &self.shared.setup;
        let (id, call, cookie, is_withheld) = {
            if !self.shared.close() {
                return None;
            }
            let mut state = self.shared.state();
            if state.refused.is_some() {
                return None;
            }
            // Express throws here if `originalMaxAge` is not a number: nothing is stored, no cookie is sent, and its
            // response never ends. Ours ends.
            let (call, cookie, is_withheld) = match touch(&mut state, setup.now_ms()) {
                Ok(()) => self.last_call(&state),
                Err(error) => (Call::Nothing, Some(Err(error)), false),
            };
            (state.id.clone(), call, cookie, is_withheld)
        };
        // A user callback, which runs without the lock.
        if is_withheld {
            setup.note(EventReason::CookieWithheld);
        }
        let store = setup.store();
        let done = match &call {
            Call::Nothing => Ok(()),
            Call::Destroy => setup.within("commit", store.destroy(&id)).await,
            Call::Set(record) => setup.within("commit", store.set(&id, record)).await,
            Call::Touch(record) => {
                setup.within("commit", store.touch(&id, record)).await.map(|_| ())
            }
        };
        match &call {
            Call::Set(_) if done.is_ok() => self.note_stored(&id),
            Call::Destroy if done.is_ok() => self.note_destroyed(),
            _ => {}
        }
        // As in Express, the response goes out as if nothing had failed.
        let tell = |error| setup.tell(&error);
        done.unwrap_or_else(tell);
        cookie?.map_err(tell).ok()
    }

    /// Returns the call that ends the request, the cookie to send, and whether a cookie is withheld because it is
    /// `Secure` and the request is not.
    fn last_call(&self, state: &State<Memory>) -> (Call, Option<Result<HeaderValue, Error>>, bool) {
        let Shared { setup, request, .. } = &self.shared;
        let options = setup.options();
        let (Current::Live(record), memory) = (&state.current, &state.memory) else {
            let call = if options.unset == Unset::Destroy { Call::Destroy } else { Call::Nothing };
            return (call, None, false);
        };
        let call = if memory.should_save(options, &state.id, record) {
            Call::Set(Arc::clone(record))
        } else if memory.cookie_id.as_ref() == Some(&state.id) {
            Call::Touch(Arc::clone(record))
        } else {
            Call::Nothing
        };
        let is_due = memory.should_set_cookie(options, &state.id, record);
        let is_sent = is_due && (!record.cookie().secure() || request.is_secure);
        let cookie = is_sent.then(|| setup.set_cookie(&state.id, record.cookie()));
        (call, cookie, is_due && !is_sent)
    }
}

/// The call that ends a request.
enum Call {
    Nothing,
    Destroy,
    Set(Arc<SessionData>),
    Touch(Arc<SessionData>),
}

fn touch(state: &mut State<Memory>, now_ms: i64) -> Result<(), Error> {
    match &mut state.current {
        Current::Live(record) => Arc::make_mut(record).touch_as_express(now_ms),
        Current::Destroyed(_) | Current::Unset(_) => Ok(()),
    }
}

impl Memory {
    fn is_modified(&self, id: &str, record: &SessionData) -> bool {
        self.original.0 != id || !same_members(&self.original.1, record)
    }

    fn is_saved(&self, id: &str, record: &SessionData) -> bool {
        self.original.0 == id
            && self.saved.as_ref().is_some_and(|saved| same_members(saved, record))
    }

    /// A session that was neither loaded nor saved by hand is stored if it was modified, unless `saveUninitialized` is
    /// on; any other one is stored if it differs from what was saved last. With `resave`, a loaded session counts as
    /// not saved.
    fn should_save(&self, options: &SessionOptions, id: &str, record: &SessionData) -> bool {
        let is_ours = self.cookie_id.as_deref() == Some(id);
        if !options.save_uninitialized && self.saved.is_none() && !is_ours {
            self.is_modified(id, record)
        } else {
            !self.is_saved(id, record)
        }
    }

    /// A known session's cookie is sent only if it has an expiry and was changed, or if `rolling` is on. Hence
    /// the browser's copy can expire before a session that is only read.
    fn should_set_cookie(&self, options: &SessionOptions, id: &str, record: &SessionData) -> bool {
        if self.cookie_id.as_deref() == Some(id) {
            options.expiry.rolling || (has_expires(record) && self.is_modified(id, record))
        } else {
            options.save_uninitialized || self.is_modified(id, record)
        }
    }
}

/// JavaScript's `cookie.expires != null`, which is true for texts and numbers that are not dates.
fn has_expires(record: &SessionData) -> bool {
    use cloakroom_core::{CookieMember::Expires, JsValue};
    !matches!(record.cookie().raw(Expires), JsValue::Undefined | JsValue::Null)
}

/// Returns true if Express's hashes of the two would be equal: they cover all members but the cookie, in order.
fn same_members(a: &SessionData, b: &SessionData) -> bool {
    // Most requests only read. Their record is still the text that was loaded, and no member needs to be parsed.
    if !a.is_changed() && !b.is_changed() && a.loaded_json() == b.loaded_json() {
        return true;
    }
    a.iter()
        .map(|member| (member.name().to_owned(), member.json()))
        .eq(b.iter().map(|member| (member.name().to_owned(), member.json())))
}
