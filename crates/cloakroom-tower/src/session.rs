//! The handle that a request's handler holds.

use std::{fmt, sync::Arc};

use cloakroom_core::{Cookie, Error, ErrorKind, Session as Record};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Preset, SessionEngine, express, safe,
    state::{Current, Shared},
};

/// The session of a request: Express's `req.session`.
///
/// With axum it is an extractor; elsewhere it is in the request's extensions, or behind a
/// [`LazySession`](crate::LazySession) there when it is loaded on demand. Clones are handles on the same session.
/// What is changed here is written back before the response begins, and not earlier unless [`save`](Self::save) is
/// called. A handle that outlives that, in a streaming body or a task, gets an
/// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) error for whatever it reads or changes; `id`, `is_new` and
/// `cookie` still answer.
///
/// ```
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::{RequestHead, Session, SessionEngine};
///
/// fn greet(session: &Session) -> Result<String, cloakroom_core::Error> {
///     let views = session.modify("views", |views: Option<u32>| views.unwrap_or_default() + 1)?;
///     let user = session.get::<String>("user")?;
///     Ok(format!("{}, view {views}", user.as_deref().unwrap_or("nobody")))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let engine = SessionEngine::new(MemoryStore::new(), Secrets::new(["keyboard cat"])?);
/// let request = http::Request::new(());
/// let session = engine.load(RequestHead::from(&request)).await?.expect("the cookie's path is /");
/// assert_eq!(greet(&session)?, "nobody, view 1");
/// let cookie = engine.commit(&session).await?.expect("a new session is told to the browser");
/// assert!(cookie.to_str().unwrap().starts_with("connect.sid=s%3A"));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    pub(crate) fn start(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Returns true if both are handles on one request's session.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    fn preset(&self) -> Preset {
        self.shared.engine.options().preset
    }

    /// The value of a member, or `None` when there is none of this name.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) when the value is not a `T`;
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported), as everywhere here, when the session was destroyed or
    /// the response has begun.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.copy("get")?.get(name)
    }

    /// The record as it is now, which user callbacks can look at without a lock.
    fn copy(&self, operation: &'static str) -> Result<Arc<Record>, Error> {
        self.shared.open(operation)?.record(operation).cloned()
    }

    fn copy_for_change(&self, operation: &'static str) -> Result<Arc<Record>, Error> {
        self.shared.open_for_change(operation)?.record(operation).cloned()
    }

    /// Sets a member.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) as [`Record::insert`]; the error that kept the session
    /// from being loaded, when the request goes on without the store.
    pub fn insert<T: Serialize>(&self, name: &str, value: T) -> Result<(), Error> {
        let json = Record::member_json(name, value)?;
        let edits = {
            let mut state = self.shared.open_for_change("insert")?;
            state.record_mut("insert")?.insert_json(name, json)?;
            safe::take_edits(&mut state, Some(name))
        };
        drop(edits);
        Ok(())
    }

    /// Sets a member by what it is, such as a counter, and returns the new value. `change` gets `None` when there is no
    /// such member.
    ///
    /// When another request has written the session meanwhile, the safe preset calls `change` again with what the
    /// member is by then, so that no count is lost; [`insert`](Self::insert) would put its own value over the other's.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert). When another request has made something else of the member,
    /// it is the end of the request that fails. After a [`save`](Self::save) whose outcome is unknown, a change may be
    /// made twice.
    ///
    /// ```
    /// # fn example(session: cloakroom_tower::Session) -> Result<(), cloakroom_core::Error> {
    /// let views = session.modify("views", |views: Option<u32>| views.unwrap_or_default() + 1)?;
    /// # Ok(()) }
    /// ```
    pub fn modify<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        change: impl Fn(Option<T>) -> T + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let (change, member) = (Arc::new(change), name.to_owned());
        let once_more = Arc::clone(&change);
        // Declared first so that it is dropped after the lock guard: its destructor runs user code.
        let again: Arc<safe::Change> = Arc::new(move |record| {
            let value = once_more(record.get(&member)?);
            record.insert(&member, value)
        });
        for _ in 0..MOST_TRIES {
            let copy = self.copy_for_change("modify")?;
            let value = change(copy.get(name)?);
            let json = Record::member_json(name, &value)?;
            let mut state = self.shared.open_for_change("modify")?;
            // `change` may have changed the session itself, and so may other handles.
            if state.record("modify")?.get_json(name) == copy.get_json(name) {
                safe::add_edit(&mut state, name, &again);
                state.record_mut("modify")?.insert_json(name, json)?;
                return Ok(value);
            }
        }
        Err(without_end("modify"))
    }

    /// Removes a member and returns its value, or `None` when there is none of this name.
    ///
    /// Where the value is of no interest, `T` can be [`IgnoredAny`](serde::de::IgnoredAny).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), after which the member is still there, and as [`insert`](Self::insert).
    pub fn remove<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        for _ in 0..MOST_TRIES {
            let copy = self.copy_for_change("remove")?;
            let value = copy.get(name)?;
            let mut state = self.shared.open_for_change("remove")?;
            if state.record("remove")?.get_json(name) == copy.get_json(name) {
                let is_removed = state.record_mut("remove")?.remove(name);
                let edits = safe::take_edits(&mut state, Some(name));
                drop(state);
                drop(edits);
                // The cookie is no member that can be removed.
                return Ok(value.filter(|_| is_removed));
            }
        }
        Err(without_end("remove"))
    }

    /// Looks at the whole record, as it is at this moment: its members by name, their JSON texts.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// ```
    /// # fn example(session: cloakroom_tower::Session) -> Result<(), cloakroom_core::Error> {
    /// let names: Vec<String> =
    ///     session.with(|record| record.iter().map(|member| member.name().to_owned()).collect())?;
    /// # Ok(()) }
    /// ```
    pub fn with<T>(&self, look: impl FnOnce(&Record) -> T) -> Result<T, Error> {
        let record = self.copy("with")?;
        Ok(look(&record))
    }

    /// The session's id: Express's `req.sessionID`. It is a secret while the session lives.
    #[must_use]
    pub fn id(&self) -> String {
        self.shared.state().id.clone()
    }

    /// Whether this request made the session: the browser sent no cookie of a session that lives.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.shared.state().is_new
    }

    /// A copy of the session's cookie: what [`set_cookie`](Self::set_cookie) takes back when it is changed.
    #[must_use]
    pub fn cookie(&self) -> Cookie {
        self.shared.state().cookie().clone()
    }

    /// Sets the session's cookie, such as a longer life for those who want to be remembered.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    ///
    /// ```
    /// # fn example(session: cloakroom_tower::Session, now_ms: i64) -> Result<(), cloakroom_core::Error> {
    /// let mut cookie = session.cookie();
    /// cookie.set_max_age_ms(Some(30 * 86_400_000), now_ms)?;
    /// session.set_cookie(cookie)?;
    /// # Ok(()) }
    /// ```
    pub fn set_cookie(&self, cookie: Cookie) -> Result<(), Error> {
        let mut state = self.shared.open_for_change("set_cookie")?;
        *state.record_mut("set_cookie")?.cookie_mut() = cookie;
        Ok(())
    }

    /// Extends the session from now, in the store and in the browser, even where a read alone would not.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert). With the express preset also
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) where Express throws: the stored cookie's
    /// `originalMaxAge` is not a number.
    pub fn touch(&self) -> Result<(), Error> {
        let mut state = self.shared.open_for_change("touch")?;
        state.record("touch")?;
        match self.preset() {
            Preset::Express => express::touch(&self.shared, &mut state),
            Preset::Safe | Preset::NextSession => {
                safe::touch(&mut state);
                Ok(())
            }
        }
    }

    /// Drops the session from this request: Express's `req.session = null`. The option
    /// [`unset`](crate::SessionOptions::unset) says what becomes of the record when the request ends.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn unset(&self) -> Result<(), Error> {
        let mut state = self.shared.open_for_change("unset")?;
        let cookie = state.record("unset")?.cookie().clone();
        state.current = Current::Unset(cookie);
        Ok(())
    }

    /// Writes the session now, changed or not.
    ///
    /// The safe preset keeps what other requests have changed meanwhile, and does not bring back a session that was
    /// destroyed: the answer is `false` then. It is `false` too for a new session of a request whose cookie leads to a
    /// session that has just moved to another id or was just logged out, and for one that was to replace a session that
    /// was logged out. A future
    /// that is dropped may have written or not; the end of the request writes again.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) with the safe preset for a new session whose cookie is `Secure`
    /// when the request is not: the browser is not sent it. Then as
    /// [`Store::set`](cloakroom_core::Store::set), and as [`insert`](Self::insert).
    pub async fn save(&self) -> Result<bool, Error> {
        match self.preset() {
            Preset::Express => express::save(&self.shared).await,
            Preset::Safe | Preset::NextSession => safe::save(&self.shared).await,
        }
    }

    /// Loads the session anew, and forgets what this request has changed. `false` when there is none any more; nothing
    /// is forgotten then.
    ///
    /// # Errors
    ///
    /// As [`Store::get`](cloakroom_core::Store::get), and as [`insert`](Self::insert).
    pub async fn reload(&self) -> Result<bool, Error> {
        match self.preset() {
            Preset::Express => express::reload(&self.shared).await,
            Preset::Safe | Preset::NextSession => safe::reload(&self.shared).await,
        }
    }

    /// Gives the request a new, empty session under a new id: what belongs after a login, so that an id that was known
    /// before is worth nothing.
    ///
    /// The old one is destroyed: now by the express preset, and by the safe one when the new one is stored, so that
    /// a failure in between costs nobody their login. When another request logs the old one out before that, the safe
    /// preset stores no new one, and the end of the request fails. It also starts a session anew after
    /// [`destroy`](Self::destroy).
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert). With the express preset also as [`Store::destroy`](cloakroom_core::Store::destroy),
    /// and the new session is there all the same; with the safe one the store is asked by [`save`](Self::save) or at the
    /// end of the request, which then fails.
    pub async fn regenerate(&self) -> Result<(), Error> {
        match self.preset() {
            Preset::Express => express::regenerate(&self.shared, false).await,
            Preset::Safe | Preset::NextSession => safe::regenerate(&self.shared, false).await,
        }
    }

    /// As [`regenerate`](Self::regenerate), but the new session has all members that the old one has, and its life. The
    /// other attributes of the cookie are those of the options, as for any new session.
    ///
    /// When two requests move the same session at once, as a double click does, each gets a session of its own with what
    /// it has loaded. A logout of one of them ends the other one, too.
    ///
    /// # Errors
    ///
    /// As [`regenerate`](Self::regenerate), and when the session was destroyed: there is nothing to keep. When another
    /// request logs it out first, the end of this one fails: a login is not answered as if it had been one.
    pub async fn regenerate_keeping_data(&self) -> Result<(), Error> {
        match self.preset() {
            Preset::Express => express::regenerate(&self.shared, true).await,
            Preset::Safe | Preset::NextSession => safe::regenerate(&self.shared, true).await,
        }
    }

    /// Destroys the session now.
    ///
    /// The safe preset logs the browser out: it also destroys the sessions of all other cookies of the name that the
    /// browser sent and that verify, whatever these have moved to within the last minute, and any other login that came
    /// from the same session, and makes the browser forget the cookie.
    ///
    /// # Errors
    ///
    /// As [`Store::destroy`](cloakroom_core::Store::destroy), and as [`insert`](Self::insert). The express preset has
    /// dropped the session from the request even then; with the safe one it is as before.
    pub async fn destroy(&self) -> Result<(), Error> {
        match self.preset() {
            Preset::Express => express::destroy(&self.shared).await,
            Preset::Safe | Preset::NextSession => safe::destroy(&self.shared).await,
        }
    }

    /// The engine that loaded it.
    #[must_use]
    pub fn engine(&self) -> &SessionEngine {
        &self.shared.engine
    }
}

/// How often a change is tried while others change the same: more than handles that meet by chance need.
pub(crate) const MOST_TRIES: usize = 100;

/// A change that changes the session each time it is made would be made for ever.
pub(crate) fn without_end(operation: &'static str) -> Error {
    let message = "the session is changed again and again while it is changed";
    Error::new(ErrorKind::Other, "session", operation, message)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
