//! The engine: a store, a format of ids and options, and the preset that works with them.

use std::{fmt, sync::Arc};

use cloakroom_backend::observe::observed;
use cloakroom_core::Store;
use http::HeaderMap;

use crate::{IdFormat, SessionOptions, rules::Rules, setup::Setup};

/// Loads and commits the sessions of requests, for applications without tower. A
/// [`SessionLayer`](crate::SessionLayer) wraps one. Clones share the store. [`SessionOptions::engine`] makes one.
///
/// A framework calls [`load`](Self::load) before its handler and [`commit`](Self::commit) after it, and adds the result
/// to the response as a `Set-Cookie` line. This is next-session's `getSession` with `autoCommit: false`.
///
/// ```
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::{RequestHead, SessionEngine, SessionOptions};
/// use http::{Request, Response, StatusCode, header::SET_COOKIE};
///
/// async fn handle(engine: &SessionEngine, request: Request<()>) -> Result<Response<String>, cloakroom_core::Error> {
///     let Some(session) = engine.load(RequestHead::from(&request)).await? else {
///         return Ok(Response::new("no session on this path".to_owned()));
///     };
///     session.insert("seen", true)?;
///
///     let mut response = Response::new("hello".to_owned());
///     let cookie = match engine.commit(&session).await {
///         Ok(cookie) => cookie,
///         Err(_) => {
///             response = Response::new("try again".to_owned());
///             *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
///             engine.cookie_after_error(&session)
///         }
///     };
///     if let Some(cookie) = cookie {
///         response.headers_mut().append(SET_COOKIE, cookie);
///     }
///     Ok(response)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let engine = SessionOptions::new().engine(MemoryStore::new(), Secrets::new(["keyboard cat"])?)?;
/// let response = handle(&engine, Request::new(())).await?;
/// assert!(response.headers().contains_key(SET_COOKIE));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SessionEngine {
    inner: Arc<Inner>,
}

struct Inner {
    setup: Arc<Setup>,
    rules: Rules,
}

impl SessionEngine {
    pub(crate) fn unchecked(
        store: impl Store + 'static,
        ids: IdFormat,
        options: SessionOptions,
    ) -> Self {
        let setup = Arc::new(Setup::new(observed(store), ids, options));
        Self { inner: Arc::new(Inner { rules: Rules::new(Arc::clone(&setup)), setup }) }
    }

    /// Returns the options.
    #[must_use]
    pub fn options(&self) -> &SessionOptions {
        self.inner.setup.options()
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.inner.setup.store()
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.inner.setup
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.inner.rules
    }

    /// Returns true if both are handles on one engine.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Returns the session id in a request's cookie without asking the store. A WebSocket's upgrade can look the
    /// session up with it. Returns `None` if no secret verifies the cookie, and if the `Cookie` header is longer than
    /// [`max_cookie_header`](crate::IdOptions::max_cookie_header).
    ///
    /// The safe presets take the first cookie that verifies, the express preset the first of the name.
    #[must_use]
    pub fn session_id(&self, headers: &HeaderMap) -> Option<String> {
        self.rules().session_id(&self.setup().cookies(headers)?)
    }
}

impl fmt::Debug for SessionEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEngine")
            .field("store", &self.store().name())
            .field("ids", self.setup().ids())
            .field("options", self.options())
            .finish()
    }
}
