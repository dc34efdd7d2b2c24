//! The handle that a request's handler holds.

use std::{fmt, sync::Arc};

use cloakroom_core::{Cookie, Error, NewMember, SessionData};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    SessionEngine,
    computed::Computation,
    rules::{Asked, Life},
    state::{Current, MOST_TRIES, Memory, Shared, without_end},
};

mod expiry;
mod whole;

/// The session of a request: Express's `req.session`.
///
/// With axum it is an extractor; elsewhere it is in the request's extensions, or behind a
/// [`LazySession`](crate::LazySession) there when it is loaded on demand. Clones are handles on the same session.
/// Changes are written back before the response begins, and not earlier unless [`save`](Self::save) is called. A handle
/// that is used later, in a streaming body or a task, gets an
/// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) error for every read and change; `id`, `is_new` and `cookie`
/// still answer.
///
/// ```
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::{RequestHead, Session, SessionOptions};
///
/// fn greet(session: &Session) -> Result<String, cloakroom_core::Error> {
///     let views = session.modify("views", |views: Option<u32>| views.unwrap_or_default() + 1)?;
///     let user = session.get::<String>("user")?;
///     Ok(format!("{}, view {views}", user.as_deref().unwrap_or("nobody")))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let engine = SessionOptions::new().engine(MemoryStore::new(), Secrets::new(["keyboard cat"])?)?;
/// let request = http::Request::new(());
/// let session = engine.load(RequestHead::from(&request)).await?.expect("the cookie's path is /");
/// assert_eq!(greet(&session)?, "nobody, view 1");
/// let cookie = engine.commit(&session).await?.expect("a new session is told to the browser");
/// assert!(cookie.to_str().unwrap().starts_with("connect.sid=s%3A"));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    engine: SessionEngine,
    life: Life,
}

impl Session {
    pub(crate) async fn load(engine: &SessionEngine, asked: &Asked) -> Result<Self, Error> {
        let life = asked.load().await?;
        Ok(Self { inner: Arc::new(Inner { engine: engine.clone(), life }) })
    }

    pub(crate) fn life(&self) -> &Life {
        &self.inner.life
    }

    pub(crate) fn shared(&self) -> &Shared<dyn Memory> {
        self.life().shared()
    }

    /// Returns true if both are handles on one request's session.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Returns a member's value, or `None` if the session has no member of this name.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) when the value is not a `T`;
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported), as everywhere here, when the session was destroyed or
    /// the response has begun.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.copy("get")?.get(name)
    }

    /// Returns the record as it is now. User callbacks run on it without the lock.
    fn copy(&self, operation: &'static str) -> Result<Arc<SessionData>, Error> {
        self.shared().open(operation)?.record(operation).cloned()
    }

    fn copy_for_change(&self, operation: &'static str) -> Result<Arc<SessionData>, Error> {
        self.shared().open_for_change(operation)?.record(operation).cloned()
    }

    /// Sets a member.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) as [`SessionData::insert`]; the error that kept the session
    /// from being loaded, when the request goes on without the store.
    pub fn insert<T: Serialize>(&self, name: &str, value: T) -> Result<(), Error> {
        let member = NewMember::new(name, value)?;
        let computed = {
            let mut state = self.shared().open_for_change("insert")?;
            state.record_mut("insert")?.insert_member(member);
            state.memory.take_computed(Some(name))
        };
        drop(computed);
        Ok(())
    }

    /// Computes a member's new value from its present one, such as a counter's, and returns it. `change` gets `None` if
    /// the session has no such member.
    ///
    /// If another request has written the session in the meantime, the safe preset calls `change` again with the value
    /// that is now stored, so that no count is lost; [`insert`](Self::insert) would overwrite the other request's value.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert). If another request has stored a value that is not a `T`, the end
    /// of the request fails. After a [`save`](Self::save) whose outcome is unknown, a change may be made twice.
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
        let again: Arc<Computation> = Arc::new(move |record| {
            let value = once_more(record.get(&member)?);
            record.insert(&member, value)
        });
        for _ in 0..MOST_TRIES {
            let copy = self.copy_for_change("modify")?;
            let value = change(copy.get(name)?);
            let new = NewMember::new(name, &value)?;
            let mut state = self.shared().open_for_change("modify")?;
            // `change` may have changed the session itself, and so may other handles.
            if state.record("modify")?.get_json(name) == copy.get_json(name) {
                state.add_computed(name, &again);
                state.record_mut("modify")?.insert_member(new);
                return Ok(value);
            }
        }
        Err(without_end("modify"))
    }

    /// Removes a member and returns its value, or `None` if the session has no member of this name.
    ///
    /// To ignore the value, let `T` be [`IgnoredAny`](serde::de::IgnoredAny).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), after which the member is still there, and as [`insert`](Self::insert).
    pub fn remove<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        for _ in 0..MOST_TRIES {
            let copy = self.copy_for_change("remove")?;
            let value = copy.get(name)?;
            let mut state = self.shared().open_for_change("remove")?;
            if state.record("remove")?.get_json(name) == copy.get_json(name) {
                let is_removed = state.record_mut("remove")?.remove(name);
                let computed = state.memory.take_computed(Some(name));
                drop(state);
                drop(computed);
                // The cookie cannot be removed.
                return Ok(value.filter(|_| is_removed));
            }
        }
        Err(without_end("remove"))
    }

    /// Calls `look` with the whole record as it is now, and returns what that returns.
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
    pub fn with<T>(&self, look: impl FnOnce(&SessionData) -> T) -> Result<T, Error> {
        let record = self.copy("with")?;
        Ok(look(&record))
    }

    /// Returns the session's id: Express's `req.sessionID`. It is a secret while the session lives.
    #[must_use]
    pub fn id(&self) -> String {
        self.shared().state().id.clone()
    }

    /// Returns true if this request made the session: the browser sent no cookie of a live session.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.shared().state().is_new
    }

    /// Returns a copy of the session's cookie: change it and give it to [`set_cookie`](Self::set_cookie).
    #[must_use]
    pub fn cookie(&self) -> Cookie {
        self.shared().state().cookie().clone()
    }

    /// Sets the session's cookie, such as one for another path. [`set_max_age`](Self::set_max_age) sets how long it lives.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    ///
    /// ```
    /// # fn example(session: cloakroom_tower::Session) -> Result<(), cloakroom_core::Error> {
    /// let mut cookie = session.cookie();
    /// cookie.set_path(Some("/shop"));
    /// session.set_cookie(cookie)?;
    /// # Ok(()) }
    /// ```
    pub fn set_cookie(&self, cookie: Cookie) -> Result<(), Error> {
        let mut state = self.shared().open_for_change("set_cookie")?;
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
        self.life().touch()
    }

    /// Drops the session from this request: Express's `req.session = null`. The option
    /// [`unset`](crate::SessionOptions::unset) decides whether the record is destroyed when the request ends.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn unset(&self) -> Result<(), Error> {
        let mut state = self.shared().open_for_change("unset")?;
        let cookie = state.record("unset")?.cookie().clone();
        state.current = Current::Unset(cookie);
        Ok(())
    }

    /// Writes the session now, changed or not. Returns `false` if nothing was written.
    ///
    /// The safe preset keeps the changes of other requests, and does not bring back a session that was destroyed: it
    /// returns `false` then. It also returns `false` for a new session of a request whose cookie leads to a session that
    /// has just moved to another id or was just logged out, and for one that was to replace a session that was logged
    /// out. A future that is dropped may have written or not; the end of the request writes again.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) with the safe preset for a new session whose cookie is `Secure`
    /// when the request is not: the browser is not sent it. Then as
    /// [`Store::set`](cloakroom_core::Store::set), and as [`insert`](Self::insert).
    pub async fn save(&self) -> Result<bool, Error> {
        self.life().save().await
    }

    /// Loads the session again, and drops what this request has changed. Returns `false` if the store has it no more, or
    /// never had it; nothing is dropped then. [`rollback`](Self::rollback) drops the changes without asking the store.
    ///
    /// # Errors
    ///
    /// As [`Store::get`](cloakroom_core::Store::get), and as [`insert`](Self::insert).
    pub async fn reload(&self) -> Result<bool, Error> {
        self.life().reload().await
    }

    /// Gives the request a new, empty session under a new id. Call it at a login, so that an id that somebody knew before
    /// is worth nothing.
    ///
    /// The old one is destroyed: now by the express preset, and by the safe one when the new one is stored, so that
    /// a failure in between costs nobody their login. When another request logs the old one out before that, the safe
    /// preset stores no new one, and the end of the request fails. It also starts a session anew after
    /// [`destroy`](Self::destroy).
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert). With the express preset also as [`Store::destroy`](cloakroom_core::Store::destroy);
    /// the request has the new session even then. With the safe preset the store is asked by [`save`](Self::save) or at
    /// the end of the request, which then fails.
    pub async fn regenerate(&self) -> Result<(), Error> {
        self.life().regenerate(false).await
    }

    /// As [`regenerate`](Self::regenerate), but the new session keeps the members and the life of the old one. The other
    /// attributes of the cookie come from the options, as for any new session.
    ///
    /// When two requests move the same session at once, as a double click does, each gets a session of its own with what
    /// it has loaded. A logout of one of them ends the other one, too. A request that finds the session moved already has
    /// loaded nothing to move, and its login ends by itself.
    ///
    /// # Errors
    ///
    /// As [`regenerate`](Self::regenerate), and when the session was destroyed: there is nothing to keep. When another
    /// request logs it out first, the end of this one fails: a login is not answered as if it had been one.
    pub async fn regenerate_keeping_data(&self) -> Result<(), Error> {
        self.life().regenerate(true).await
    }

    /// Destroys the session now.
    ///
    /// The safe preset logs the browser out: it also destroys the sessions of all other cookies of the name that the
    /// browser sent and that verify, whatever these have moved to within the last minute, and any other login of a request
    /// that had loaded the same session, 32 sessions at the most. It makes the browser forget the cookie.
    ///
    /// # Errors
    ///
    /// As [`Store::destroy`](cloakroom_core::Store::destroy), and as [`insert`](Self::insert). The express preset has
    /// dropped the session from the request even then; with the safe one it is as before.
    pub async fn destroy(&self) -> Result<(), Error> {
        self.life().destroy().await
    }

    /// Returns the engine that loaded the session.
    #[must_use]
    pub fn engine(&self) -> &SessionEngine {
        &self.inner.engine
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
