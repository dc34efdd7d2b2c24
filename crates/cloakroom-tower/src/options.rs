//! The options: those of express-session by their names, and those that the safe preset adds.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom_core::{Clock, Error, ErrorKind};

use crate::{CookieOptions, OnEvent, RequestHead, SameSitePolicy, Secure, SessionError};

mod path_match;
mod preset;
mod proxy;
mod with;

pub use path_match::PathMatch;
pub use preset::Preset;
pub use proxy::Proxy;

/// Makes session ids, from the request if it likes.
pub type Genid = Arc<dyn Fn(RequestHead<'_>) -> Result<String, Error> + Send + Sync>;

/// Answers a question about a request, such as whether it is secure.
pub type AskRequest = Arc<dyn Fn(RequestHead<'_>) -> bool + Send + Sync>;

/// Gives the cookie options for a request.
pub type CookieFor = Arc<dyn Fn(RequestHead<'_>) -> CookieOptions + Send + Sync>;

/// Tells whether the store is connected.
pub type IsConnected = Arc<dyn Fn() -> bool + Send + Sync>;

/// Is told of an error.
pub type OnError = Arc<dyn Fn(&Error) + Send + Sync>;

/// Makes the response for an error.
pub type ErrorResponse = Arc<dyn Fn(&Error) -> http::Response<Bytes> + Send + Sync>;

/// What a [`SessionLayer`](crate::SessionLayer) does.
///
/// Take the options of a preset and change them, by the `with_…` methods or field by field. Options that do not fit
/// together are an error when the layer is built.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::{Proxy, SessionLayer, SessionOptions};
///
/// let mut options = SessionOptions::new().with_name("sid").with_proxy(Proxy::Trusted);
/// options.cookie.max_age = Some(Duration::from_secs(14 * 86_400));
/// let secrets = Secrets::new(["new secret", "old secret"])?;
/// let layer = SessionLayer::with_options(MemoryStore::new(), secrets, options)?;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The rules that the layer follows.
    pub preset: Preset,
    /// `name`: the cookie's name; `connect.sid` unless set.
    pub name: String,
    /// `cookie`: the cookie of new sessions.
    pub cookie: CookieOptions,
    /// `cookie` as a function of the request, in place of [`cookie`](Self::cookie).
    ///
    /// It is called once a request for the path, and again when a session is made. A cookie that cannot be sent is then
    /// an error of that request.
    pub cookie_for: Option<CookieFor>,
    /// `resave`: write sessions back that nobody changed. The safe preset refuses it, since it undoes the changes of other
    /// requests.
    pub resave: bool,
    /// `saveUninitialized`: store new sessions that nobody changed.
    pub save_uninitialized: bool,
    /// `rolling`: extend the browser's cookie along with the session. Express sends the cookie with each response, and the
    /// safe preset when a quarter of its life is over.
    pub rolling: bool,
    /// `unset`: whether the record of a session is destroyed that [`Session::unset`](crate::Session::unset) has dropped.
    pub unset: Unset,
    /// `genid`; [`generate_id`](cloakroom_core::generate_id) unless set.
    pub genid: Option<Genid>,
    /// `proxy`: how to tell that a request is secure when its own connection is not.
    pub proxy: Proxy,
    /// How the cookie's path is compared with a request's.
    pub path_match: PathMatch,
    /// When a session that is only read is extended. The express preset extends with each request.
    pub touch_after: TouchAfter,
    /// Whether a session is loaded before the handler runs, or when it is first asked for. The express preset loads it
    /// before.
    pub loading: Loading,
    /// Whether the changes of a failed request are stored: one that is answered with a status of 500 or more, or with
    /// 408. Express stores them; the safe preset stores only what the handler has saved itself.
    pub store_failed: bool,
    /// The answer to a request when the store is down. The express preset answers 500.
    pub when_unavailable: WhenUnavailable,
    /// How long loading may take, and how long writing back may take; 5 s each unless set. A store with a deadline of its
    /// own keeps the earlier of the two, and says whether anything was sent.
    pub deadline: Duration,
    /// Whether a quoted cookie value is unquoted, as express-session 1 does and version 2 will not.
    pub unquote: bool,
    /// Where the time comes from.
    pub clock: Clock,
    /// Returns true while the store is connected: Connect's `connect` and `disconnect` events. While it returns `false`,
    /// requests pass without a session, as in Express. Unless set, [`when_unavailable`](Self::when_unavailable) decides.
    pub is_connected: Option<IsConnected>,
    /// Called with every error that the layer meets, including those that become responses: log them here. It is also
    /// called with the errors that a handler answers with, as a [`SessionError`] or an [`Error`]: these leave an
    /// `Arc<Error>` in the response's extensions.
    ///
    /// A store that can be read but not written, so that sessions are not extended, is reported once until it is over.
    pub on_error: Option<OnError>,
    /// Called for things that fail no request, such as a cookie that no secret verifies: at once, and then at most once an
    /// hour for each reason, with the number of requests since.
    pub on_event: Option<OnEvent>,
    /// Makes the response when the session cannot be loaded or stored; as [`SessionError`] unless set.
    pub error_response: ErrorResponse,
}

/// The `unset` option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unset {
    /// `'keep'`: the record stays as it is.
    Keep,
    /// `'destroy'`: the record is destroyed.
    Destroy,
}

/// When a session that is only read is extended, in the store and in the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TouchAfter {
    /// With each request, in the round trip that loads it.
    EachRequest,
    /// When so much of its life has passed, by writing it: `touchAfter` of next-session, which counts seconds.
    Elapsed(Duration),
    /// Only by [`Session::touch`](crate::Session::touch).
    Never,
}

/// When a session is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loading {
    /// Before the handler runs. Each visit keeps the session alive, and [`Session`](crate::Session) is in the request's extensions.
    Eager,
    /// When a handler first asks for it, by axum's extractor or by [`LazySession::get`](crate::LazySession::get). A request that never asks sends
    /// nothing to the store and does not depend on it, and does not keep the session alive either.
    OnDemand,
}

/// The answer to a request when the store cannot be reached or does not answer.
///
/// A store that can be read and refuses to extend a session is not down: requests get their sessions.
///
/// If the store fails to write a change, the answer is an error response in any case: a lost login is not answered with
/// 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenUnavailable {
    /// An error response, 503; the handler does not run.
    Error,
    /// An empty session that cannot be changed: every change is an error. The browser keeps its cookie.
    Anonymous,
    /// The session if it can at least be read, else an empty one. Neither can be changed, so a handler learns of it
    /// before the end of the request. The layer notices that a store only reads when it extends a session; where reading
    /// does not extend, the end of a request with changes fails.
    ReadOnly,
}

impl SessionOptions {
    /// The safe preset: sessions that are used are stored, persistent ones roll, the cookie is `SameSite=Lax`, and
    /// `Secure` when the request is.
    #[must_use]
    pub fn new() -> Self {
        let cookie = CookieOptions {
            secure: Some(Secure::Auto),
            same_site: Some(SameSitePolicy::Lax),
            ..CookieOptions::default()
        };
        Self {
            preset: Preset::Safe,
            name: "connect.sid".to_owned(),
            cookie,
            cookie_for: None,
            resave: false,
            save_uninitialized: false,
            rolling: true,
            unset: Unset::Destroy,
            genid: None,
            proxy: Proxy::Untrusted,
            path_match: PathMatch::Segments,
            touch_after: TouchAfter::EachRequest,
            loading: Loading::Eager,
            store_failed: false,
            when_unavailable: WhenUnavailable::Error,
            deadline: Duration::from_secs(5),
            unquote: true,
            clock: Clock::system(),
            is_connected: None,
            on_error: None,
            on_event: None,
            error_response: Arc::new(SessionError::response),
        }
    }

    /// The defaults of express-session 1.19.0, `resave` and `saveUninitialized` included.
    #[must_use]
    pub fn express() -> Self {
        Self {
            preset: Preset::Express,
            cookie: CookieOptions::default(),
            resave: true,
            save_uninitialized: true,
            rolling: false,
            unset: Unset::Keep,
            path_match: PathMatch::Prefix,
            store_failed: true,
            error_response: Arc::new(SessionError::express_response),
            ..Self::new()
        }
    }

    /// The safe rules with the cookie and the record of next-session 4: the name `sid`, no `SameSite`, `secure` named
    /// and off, and no extension unless [`touch_after`](Self::touch_after) says so.
    #[must_use]
    pub fn next_session() -> Self {
        Self {
            preset: Preset::NextSession,
            name: "sid".to_owned(),
            cookie: CookieOptions { secure: Some(Secure::Never), ..CookieOptions::default() },
            rolling: false,
            touch_after: TouchAfter::Never,
            ..Self::new()
        }
    }

    pub(crate) fn tell(&self, error: &Error) {
        if let Some(on_error) = &self.on_error {
            on_error(error);
        }
    }
}

pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, "session", "options", message)
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("preset", &self.preset)
            .field("name", &self.name)
            .field("cookie", &self.cookie)
            .field("proxy", &self.proxy)
            .field("when_unavailable", &self.when_unavailable)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
