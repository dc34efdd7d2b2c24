//! The handle that a request's handler holds.

use std::{fmt, sync::Arc};

use cloakroom_core::{Cookie, Error, NewMember, SessionData};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    SessionEngine,
    computed::Computation,
    late_life::LateLife,
    rules::Life,
    state::{Current, MOST_TRIES, Memory, Shared, without_end},
};

mod expiry;
mod load;
mod whole;

/// The session of a request: Express's `req.session`.
///
/// With axum, it is an extractor. Without axum, take it from the request's extensions; if sessions are loaded on
/// demand, take a [`LazySession`](crate::LazySession) from there instead. Clones are handles to the same session.
///
/// Changes are written when the handler has returned, before the response begins; [`save`](Self::save) writes them
/// earlier. After that the session is closed. A handle that is used later, in a streaming body or a spawned task, gets
/// an [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) error for every read and change, because nothing would
/// write the change any more. Only `id`, `is_new` and `cookie` still answer.
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
/// let cookie = engine.commit(&session).await?.expect("the browser gets a new session's cookie");
/// assert!(cookie.to_str().unwrap().starts_with("connect.sid=s%3A"));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    engine: SessionEngine,
    life: LateLife,
}

impl Session {
    pub(crate) fn life(&self) -> &Life {
        self.inner.life.get()
    }

    /// Ends the request's part in the session. Returns its life, unless nobody has asked anything of it.
    pub(crate) fn end(&self) -> Option<&Life> {
        self.inner.life.end()
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
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if the value is not a `T`.
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported), like every method that returns a `Result`, if the
    /// session was destroyed or the response has begun.
    ///
    /// ```
    /// # fn example(session: cloakroom_tower::Session) -> Result<(), cloakroom_core::Error> {
    /// session.insert("user", "ann")?;
    /// assert_eq!(session.get::<String>("user")?.as_deref(), Some("ann"));
    /// assert_eq!(session.get::<String>("nobody")?, None);
    /// # Ok(()) }
    /// ```
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        if self.inner.life.is_awaited() {
            // Nobody has put anything into it yet.
            return Ok(None);
        }
        self.copy("get")?.get(name)
    }

    /// Returns the record as it is now. User callbacks get this copy, so that they can use the session themselves:
    /// under the lock they would wait for it for ever.
    fn copy(&self, operation: &'static str) -> Result<Arc<SessionData>, Error> {
        self.shared().open(operation)?.record(operation).cloned()
    }

    /// Like [`copy`](Self::copy), but an error if the session cannot be changed: the caller is told before its closure
    /// runs.
    fn copy_for_change(&self, operation: &'static str) -> Result<Arc<SessionData>, Error> {
        self.shared().open_for_change(operation)?.record(operation).cloned()
    }

    /// Sets a member, and replaces its value if there is one. A change that depends on the earlier value belongs in
    /// [`modify`](Self::modify).
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if JSON or Express could not keep the name or the value,
    /// as in [`SessionData::insert`], and if the `Cookie` header is longer than
    /// [`max_cookie_header`](crate::IdOptions::max_cookie_header). If the request goes on although the store is
    /// unavailable, the kind of the error that loading the session has met.
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

    /// Computes a member's new value from its current one, and returns the new value: for counters and lists. `change`
    /// gets `None` if the session has no such member.
    ///
    /// If another request has written the session in the meantime, the safe preset calls `change` again with the value
    /// that is stored now, so that no count is lost. [`insert`](Self::insert) would overwrite the other request's
    /// value.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert). If another request has stored a value that is not a `T`, the
    /// end of the request fails. If the outcome of a [`save`](Self::save) is unknown, the change can be made twice.
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
    /// With [`IgnoredAny`](serde::de::IgnoredAny) as `T`, it removes a value of any type.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); the member stays then. And as [`insert`](Self::insert).
    ///
    /// ```
    /// # fn example(session: cloakroom_tower::Session) -> Result<(), cloakroom_core::Error> {
    /// // A message that the next page shows once.
    /// let flash: Option<String> = session.remove("flash")?;
    /// # Ok(()) }
    /// ```
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

    /// Calls `look` with the whole record as it is now, and returns its result.
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

    /// Returns the session's id: Express's `req.sessionID`. Whoever knows it can use the session, so never log it.
    #[must_use]
    pub fn id(&self) -> String {
        self.shared().state().id.clone()
    }

    /// Returns true if this request made the session, because the browser sent no cookie of a live one, or because the
    /// handler asked for a new id.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.shared().state().is_new
    }

    /// Returns true if the browser brought the session's cookie, or that of a session whose data this one keeps.
    pub(crate) fn is_brought(&self) -> bool {
        self.shared().state().is_brought
    }

    /// Returns a copy of the session's cookie. To change the session's own, pass the copy to
    /// [`set_cookie`](Self::set_cookie).
    #[must_use]
    pub fn cookie(&self) -> Cookie {
        self.shared().state().cookie().clone()
    }

    /// Sets the attributes of this session's cookie, such as its path, in place of the options'. They are stored with
    /// the session, as in Express. To change how long it lives, call [`set_max_age`](Self::set_max_age).
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

    /// Extends the session by its max age from now: Express's `req.session.touch()`. With the safe preset, the end of
    /// the request writes the extension and tells the browser, even if the options extend no session that was only
    /// read. The express preset tells the browser only where Express does.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert). The express preset also returns
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if the stored cookie's `originalMaxAge` is not a number,
    /// because Express throws then.
    pub fn touch(&self) -> Result<(), Error> {
        self.life().touch()
    }

    /// Drops the session from this request: Express's `req.session = null`. When the request ends, the record is
    /// destroyed or kept, as the option [`unset`](crate::SessionOptions::unset) says. [`destroy`](Self::destroy) does
    /// not wait.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn unset(&self) -> Result<(), Error> {
        let mut state = self.shared().open_for_change("unset")?;
        let record = Arc::clone(state.record("unset")?);
        state.current = Current::Unset(record);
        Ok(())
    }

    /// Writes the session now, changed or not. Returns `false` if nothing was written, which only the safe preset does:
    ///
    /// - another request has destroyed the session;
    /// - the session is new, and the request's cookie belongs to one that was just logged out or has just moved to
    ///   another id, so that the browser may have a newer cookie;
    /// - it was to replace a session that another request has logged out.
    ///
    /// The safe preset keeps what other requests have changed. If the future is dropped, the session was written or
    /// not; the end of the request writes it again.
    ///
    /// # Errors
    ///
    /// As [`Store::set`](cloakroom_core::Store::set) and [`insert`](Self::insert). With the safe preset,
    /// [`Config`](cloakroom_core::ErrorKind::Config) if the session is new and its cookie is `Secure`, but the request
    /// is not: the browser would not be sent the cookie.
    pub async fn save(&self) -> Result<bool, Error> {
        self.life().save().await
    }

    /// Loads the session from the store again and discards what this request has changed. Returns `false`, and discards
    /// nothing, if the session is not in the store. [`rollback`](Self::rollback) discards the changes without asking
    /// the store.
    ///
    /// # Errors
    ///
    /// As [`Store::get`](cloakroom_core::Store::get), and as [`insert`](Self::insert).
    pub async fn reload(&self) -> Result<bool, Error> {
        self.life().reload().await
    }

    /// Gives the request a new, empty session under a new id. Call it at every login: an attacker who planted an id in
    /// the browser before then holds an id that leads nowhere. After [`destroy`](Self::destroy) it starts a new
    /// session. The safe preset does not store that one if another request had logged the old one out before; a second
    /// call makes it a login.
    ///
    /// The express preset destroys the old session now. The safe preset destroys it when the new one is stored, so that
    /// a failure in between costs nobody their login. If another request logs the old session out before that, the safe
    /// preset does not store the new one, and the end of the request fails.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert). The express preset also fails as [`Store::destroy`](cloakroom_core::Store::destroy)
    /// does; the request has the new session anyway. The safe preset does not ask the store here: a failure of the
    /// store is an error of [`save`](Self::save) or of the end of the request.
    ///
    /// ```
    /// # async fn example(session: cloakroom_tower::Session) -> Result<(), cloakroom_core::Error> {
    /// session.regenerate().await?;
    /// session.insert("user", "ann")?;
    /// # Ok(()) }
    /// ```
    pub async fn regenerate(&self) -> Result<(), Error> {
        self.life().regenerate(false).await
    }

    /// Gives the session a new id, as [`regenerate`](Self::regenerate) does, and keeps its members and its life: the
    /// cart survives the login. The cookie's other attributes come from the options, as for any new session.
    ///
    /// If two requests move the same session at the same time, as after a double click, each gets a session of its own
    /// with what it has loaded, and a logout of one ends the other, too. A request that begins after the move finds no
    /// session to move. Its login is a new one, which ends with no other.
    ///
    /// # Errors
    ///
    /// As [`regenerate`](Self::regenerate), and [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) if the session
    /// was destroyed or unset. If another request logs it out first, the end of this request fails: a login that did
    /// not happen must not look like one.
    pub async fn regenerate_keeping_data(&self) -> Result<(), Error> {
        self.life().regenerate(true).await
    }

    /// Destroys the session now: a logout.
    ///
    /// The safe preset logs the browser out and makes it forget the cookie. It also destroys, 32 sessions at most:
    ///
    /// - the session of every other verified cookie of the name that the browser sent;
    /// - the sessions that these have moved to within the last minute;
    /// - other logins that came from the same session, as after a double click.
    ///
    /// Cookies beyond [`max_cookies`](crate::IdOptions::max_cookies) are neither tried when the session is loaded nor
    /// logged out.
    ///
    /// # Errors
    ///
    /// As [`Store::destroy`](cloakroom_core::Store::destroy) and [`insert`](Self::insert). After an error, the express
    /// preset has dropped the session from the request anyway; with the safe preset the request still has it.
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
