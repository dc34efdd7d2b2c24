//! The engine: a session is loaded by a request's head and committed to a cookie, whatever the framework.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cloakroom_backend::{Idempotency, within};
use cloakroom_core::{
    Cookie, Error, ErrorKind, Secrets, SessionData, Store, clear_cookie, generate_id, set_cookie,
};
use http::{Extensions, HeaderMap, HeaderValue, StatusCode};

use crate::{
    IdFormat, LazySession, Loading, Preset, RequestHead, Session, SessionOptions,
    check::check,
    events::Events,
    express,
    head::joined,
    safe::{self, LeftOver},
    state::RequestFacts,
};

/// Loads and commits the sessions of requests: what [`SessionLayer`](crate::SessionLayer) is made of, for those without
/// tower. Clones share the store.
///
/// A framework calls [`load`](Self::load) before its handler, [`commit`](Self::commit) after it, and adds the answer to
/// the response as a `Set-Cookie` line. It is next-session's `getSession` with `autoCommit: false`.
///
/// ```
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::{RequestHead, SessionEngine};
/// use http::{Request, Response, header::SET_COOKIE};
///
/// async fn handle(engine: &SessionEngine, request: Request<()>) -> Result<Response<String>, cloakroom_core::Error> {
///     let Some(session) = engine.load(RequestHead::from(&request)).await? else {
///         return Ok(Response::new("no session on this path".to_owned()));
///     };
///     session.insert("seen", true)?;
///
///     let mut response = Response::new("hello".to_owned());
///     if let Some(cookie) = engine.commit(&session).await? {
///         response.headers_mut().append(SET_COOKIE, cookie);
///     }
///     Ok(response)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let engine = SessionEngine::new(MemoryStore::new(), Secrets::new(["keyboard cat"])?);
/// let response = handle(&engine, Request::new(())).await?;
/// assert!(response.headers().contains_key(SET_COOKIE));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SessionEngine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Box<dyn Store>,
    ids: IdFormat,
    options: SessionOptions,
    /// Why the store could last be read and not written, if that is so still.
    refusal: Mutex<Option<ErrorKind>>,
    events: Events,
    /// Held while a marker is written to a store without conditional writes.
    marking: tokio::sync::Mutex<()>,
    left_over: LeftOver,
}

/// What an engine has to do with a request.
enum Part {
    /// Nothing: the cookie has another path, or the engine was asked before.
    None,
    /// The store is disconnected.
    Away,
    /// The life of the sessions that the request makes.
    Serve(Option<Duration>),
}

impl SessionEngine {
    /// The safe preset with its default options.
    #[must_use]
    pub fn new(store: impl Store + 'static, secrets: Secrets) -> Self {
        Self::unchecked(store, secrets.into(), SessionOptions::new())
    }

    /// What express-session 1.19.0 does, with its default options.
    #[must_use]
    pub fn express(store: impl Store + 'static, secrets: Secrets) -> Self {
        Self::unchecked(store, secrets.into(), SessionOptions::express())
    }

    /// For a site of next-session 4, with its default options.
    #[must_use]
    pub fn next_session(store: impl Store + 'static, ids: IdFormat) -> Self {
        Self::unchecked(store, ids, SessionOptions::next_session())
    }

    /// With options of your own.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), quoting the offender, for options that cannot work: a name, domain or path that no
    /// cookie can have, a `max_age` beyond JavaScript's dates; with the safe preset also `resave`, a `max_age` of zero,
    /// and `SameSite=None` without `Secure`, which browsers refuse.
    pub fn with_options(
        store: impl Store + 'static,
        ids: impl Into<IdFormat>,
        options: SessionOptions,
    ) -> Result<Self, Error> {
        check(&options)?;
        Ok(Self::unchecked(store, ids.into(), options))
    }

    fn unchecked(store: impl Store + 'static, ids: IdFormat, options: SessionOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: Box::new(store),
                ids,
                options,
                refusal: Mutex::default(),
                events: Events::default(),
                marking: Default::default(),
                left_over: LeftOver::default(),
            }),
        }
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &SessionOptions {
        &self.inner.options
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    pub(crate) fn ids(&self) -> &IdFormat {
        &self.inner.ids
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.options.clock.now_ms()
    }

    pub(crate) fn events(&self) -> &Events {
        &self.inner.events
    }

    pub(crate) fn marking(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.marking
    }

    /// Returns true if both are handles on one engine.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The session of a request: a stored one, or a new one. `None` when the request has none: its path is not the
    /// cookie's, the store is disconnected, or this engine has given it a session already. Those of other engines do not
    /// count.
    ///
    /// # Errors
    ///
    /// What the store says, unless [`when_unavailable`](SessionOptions::when_unavailable) turns it into a session that cannot be
    /// changed; each within the deadline.
    pub async fn load(&self, head: RequestHead<'_>) -> Result<Option<Session>, Error> {
        match self.part_in(head) {
            Part::None | Part::Away => Ok(None),
            Part::Serve(max_age) => self.serve(head, max_age).await.map(Some),
        }
    }

    /// The session of a request, or what will load it. `None` when this engine has nothing to do with the request.
    pub(crate) async fn begin(&self, head: RequestHead<'_>) -> Result<Option<LazySession>, Error> {
        let outer = || LazySession::innermost(head.extensions());
        match self.part_in(head) {
            Part::None => Ok(None),
            Part::Away => Ok(Some(LazySession::away(self.clone(), outer()))),
            Part::Serve(max_age) if self.options().loading == Loading::OnDemand => {
                let asked = safe::Asked::new(self, head, max_age);
                Ok(Some(LazySession::waiting(self.clone(), asked, outer())))
            }
            Part::Serve(max_age) => {
                let session = self.serve(head, max_age).await?;
                Ok(Some(LazySession::loaded(session, outer())))
            }
        }
    }

    fn part_in(&self, head: RequestHead<'_>) -> Part {
        let options = self.options();
        if self.lazy_session(head.extensions()).is_some() {
            return Part::None;
        }
        // As express-session does when another middleware has set `req.session`.
        if options.preset == Preset::Express
            && LazySession::put_by_hand(head.extensions()).is_some()
        {
            return Part::None;
        }
        let made = options.cookie_for.as_ref().map(|cookie_for| cookie_for(head));
        let cookie = made.as_ref().unwrap_or(&options.cookie);
        let path = cookie.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
        // next-session has no such rule.
        let is_ours =
            options.preset == Preset::NextSession || options.path_match.matches(path, head.path());
        if !is_ours {
            Part::None
        } else if options.is_connected.as_ref().is_some_and(|is_connected| !is_connected()) {
            Part::Away
        } else {
            Part::Serve(cookie.max_age)
        }
    }

    async fn serve(
        &self,
        head: RequestHead<'_>,
        max_age: Option<Duration>,
    ) -> Result<Session, Error> {
        match self.options().preset {
            Preset::Express => express::load(self, head).await,
            _ => safe::load(self, &safe::Asked::new(self, head, max_age)).await,
        }
    }

    /// This engine's session among the extensions of a request, whichever other engines have served it. `None` when the
    /// request came through no layer of this engine, or has another path than its cookie.
    ///
    /// Where layers are nested, the extractor gives the innermost one's session; this finds any other.
    ///
    /// ```
    /// use cloakroom_core::Error;
    /// use cloakroom_tower::SessionEngine;
    ///
    /// async fn customer(shop: &SessionEngine, request: &http::Request<()>) -> Result<Option<String>, Error> {
    ///     let Some(session) = shop.lazy_session(request.extensions()) else { return Ok(None) };
    ///     session.get().await?.map_or(Ok(None), |session| session.get("customer"))
    /// }
    /// ```
    #[must_use]
    pub fn lazy_session(&self, extensions: &Extensions) -> Option<LazySession> {
        LazySession::of(self, extensions)
    }

    /// The session id that a request brings, without asking the store: what a WebSocket's upgrade needs to look the
    /// session up itself. `None` without a cookie that verifies.
    ///
    /// The safe presets take the first cookie that verifies, the express preset the first of the name.
    #[must_use]
    pub fn session_id(&self, headers: &HeaderMap) -> Option<String> {
        let options = self.options();
        let header = joined(headers);
        let found = match options.preset {
            Preset::Express => self.ids().find_first(&header, &options.name, options.unquote),
            _ => self.ids().find(&header, &options.name, options.unquote).into_iter().next(),
        };
        found.map(|found| found.id)
    }

    /// Writes back what the request has changed, and returns the `Set-Cookie` line that the response needs, if any.
    /// From here on the session's handles are closed, and another call finds nothing to do.
    ///
    /// # Errors
    ///
    /// With the safe preset, when a change could not be written: the response must not go out as if it had been, and the
    /// error response takes the cookie of [`cookie_after_error`](Self::cookie_after_error). The express preset tells
    /// [`on_error`](SessionOptions::on_error) alone.
    pub async fn commit(&self, session: &Session) -> Result<Option<HeaderValue>, Error> {
        finish(session, false).await
    }

    /// As [`commit`](Self::commit), for a response with this status.
    ///
    /// When the request has failed, with a status of 500 or more or with 408, what the handler changed is dropped. What it
    /// has saved or destroyed itself stays so, and the browser is told. With the option
    /// [`store_failed`](SessionOptions::store_failed) the status does not matter.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub async fn commit_with_status(
        &self,
        session: &Session,
        status: StatusCode,
    ) -> Result<Option<HeaderValue>, Error> {
        // 408 is what a timeout of tower-http answers.
        let is_failed = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
        finish(session, is_failed).await
    }

    /// Tells why the store can be read and not written, unless it has been told since it last could be.
    pub(crate) fn tell_refusal(&self, error: &Error) {
        if self.replace_refusal(Some(error.kind())) != Some(error.kind()) {
            self.options().tell(error);
        }
    }

    /// Notes that the store can be written.
    pub(crate) fn end_refusal(&self) {
        self.replace_refusal(None);
    }

    fn replace_refusal(&self, refusal: Option<ErrorKind>) -> Option<ErrorKind> {
        let mut state = self.inner.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *state, refusal)
    }

    /// The answer of `work`, which writes, within the deadline.
    pub(crate) async fn within<T: Send>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        within(self.options().deadline, "session", operation, Idempotency::Once, work).await
    }

    /// As [`within`](Self::within), of work that writes nothing.
    pub(crate) async fn within_reading<T: Send>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        within(self.options().deadline, "session", operation, Idempotency::Read, work).await
    }

    pub(crate) fn left_over(&self) -> &LeftOver {
        &self.inner.left_over
    }

    /// A new id and an empty session.
    pub(crate) fn generate(&self, request: &RequestFacts) -> Result<(String, SessionData), Error> {
        let options = self.options();
        request.with_head(|head| {
            let cookie = options.new_cookie(head, request.is_secure)?;
            let id = match &options.genid {
                Some(genid) => genid(head)?,
                None => generate_id()?,
            };
            Ok((id, SessionData::with_cookie(cookie)))
        })
    }

    /// The `Set-Cookie` line for this id and cookie.
    pub(crate) fn set_cookie(&self, id: &str, cookie: &Cookie) -> Result<HeaderValue, Error> {
        header(&set_cookie(&self.options().name, &self.ids().value(id), cookie)?)
    }

    /// The `Set-Cookie` line that makes the browser forget the cookie.
    pub(crate) fn clear_cookie(&self, cookie: &Cookie) -> Result<HeaderValue, Error> {
        header(&clear_cookie(&self.options().name, cookie)?)
    }
}

/// Commits a session by the engine that has loaded it, whichever was asked to.
async fn finish(session: &Session, is_failed: bool) -> Result<Option<HeaderValue>, Error> {
    let shared = session.shared();
    let options = shared.engine.options();
    let is_dropped = is_failed && !options.store_failed;
    match options.preset {
        Preset::Express => Ok(express::commit(shared).await),
        _ => safe::commit(shared, is_dropped).await.inspect_err(|error| options.tell(error)),
    }
}

fn header(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidData,
            "session",
            "set_cookie",
            "the cookie contains characters that are not allowed in a header",
        )
    })
}

impl fmt::Debug for SessionEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEngine")
            .field("store", &self.store().name())
            .field("ids", self.ids())
            .field("options", self.options())
            .finish()
    }
}
