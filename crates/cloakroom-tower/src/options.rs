//! The options: express-session's by their names, and what the safe preset adds.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom_core::{Clock, Cookie, Error, ErrorKind, set_cookie};

use crate::{CookieOptions, Loading, OnEvent, RequestHead, SameSitePolicy, Secure, SessionError};

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
/// Take the options of a preset and change fields; what does not fit together is an error when the layer is built.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::{Proxy, SessionLayer, SessionOptions};
///
/// let mut options = SessionOptions::new();
/// options.name = "sid".to_owned();
/// options.proxy = Proxy::Trusted;
/// options.cookie.max_age = Some(Duration::from_secs(14 * 86_400));
/// let secrets = Secrets::new(["new secret", "old secret"])?;
/// let layer = SessionLayer::with_options(MemoryStore::new(), secrets, options)?;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Which rules hold.
    pub preset: Preset,
    /// `name`: the cookie's name; `connect.sid` unless set.
    pub name: String,
    /// `cookie`: the cookie of new sessions.
    pub cookie: CookieOptions,
    /// `cookie` as a function of the request, in place of [`cookie`](Self::cookie).
    ///
    /// It is asked once a request for the path, and again when a session is made. What it answers is checked then: a
    /// cookie that cannot be sent is an error of that request.
    pub cookie_for: Option<CookieFor>,
    /// `resave`: write sessions back that nobody changed. The safe preset refuses it: it would undo what another request
    /// has written.
    pub resave: bool,
    /// `saveUninitialized`: store new sessions that nobody changed.
    pub save_uninitialized: bool,
    /// `rolling`: extend the browser's cookie along with the session. Express sends it with each response; the safe
    /// preset when a quarter of its life is over in the browser.
    pub rolling: bool,
    /// `unset`: what becomes of the record of a session that [`Session::unset`](crate::Session::unset) dropped.
    pub unset: Unset,
    /// `genid`; [`generate_id`](cloakroom_core::generate_id) unless set.
    pub genid: Option<Genid>,
    /// `proxy`: what tells whether a request is secure, when its own connection does not.
    pub proxy: Proxy,
    /// How the cookie's path is compared with a request's.
    pub path_match: PathMatch,
    /// When a session that is only read is extended. The express preset extends with each request.
    pub touch_after: TouchAfter,
    /// Whether a session is loaded before the handler runs, or when it is first asked for. The express preset loads it
    /// before.
    pub loading: Loading,
    /// Whether the changes of a request that has failed are stored: one that is answered with a status of 500 or more, or
    /// with 408. Express stores them; the safe preset stores only what the handler has saved itself.
    pub store_failed: bool,
    /// What a request gets when the store is down. The express preset answers 500.
    pub when_down: WhenDown,
    /// How long loading may take, and how long writing back may take; 5 s each unless set. A store with a deadline of its
    /// own keeps the earlier of the two, and says whether anything was sent.
    pub deadline: Duration,
    /// Whether a quoted cookie value is unquoted, as express-session 1 does and version 2 will not.
    pub unquote: bool,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether the store is connected: Connect's `connect` and `disconnect` events. While it answers `false`, requests
    /// pass without a session, as in Express. There is none unless set; then [`when_down`](Self::when_down) decides.
    pub is_connected: Option<IsConnected>,
    /// Told of every error that the layer meets, those that become responses too: the place for a log. It also hears the
    /// errors that a handler answers with, as a [`SessionError`] or an [`Error`], since these leave an `Arc<Error>` in the
    /// response's extensions.
    ///
    /// That a store can be read and not written, so that sessions are not extended, is told once until it is over.
    pub on_error: Option<OnError>,
    /// Told of what is no error and no request fails by, such as a cookie that no secret verifies: once, and then not
    /// more often than once an hour for each reason, with the number of requests since.
    pub on_event: Option<OnEvent>,
    /// Makes the response that stands for one that cannot be given; as [`SessionError`] unless set.
    pub error_response: ErrorResponse,
}

/// Which rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// The same cookie and the same records, without the known harm.
    Safe,
    /// What express-session 1.19.0 does, call for call.
    Express,
    /// The safe rules with the records of next-session 4: `maxAge` in seconds, and no `originalMaxAge`.
    NextSession,
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

/// The `proxy` option: whether a request is secure, when its connection is not [`Encrypted`](crate::Encrypted).
#[derive(Clone)]
#[non_exhaustive]
pub enum Proxy {
    /// `false`: no header is believed.
    Untrusted,
    /// `true`: it is secure when the first item of `X-Forwarded-Proto` is `https`. Only behind a proxy that sets it.
    Trusted,
    /// What a function says, as Express's own setting `trust proxy` does.
    By(AskRequest),
}

/// How the cookie's path is compared with a request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathMatch {
    /// As text: `/admin` matches `/administrator` too (express-session 1.19.0).
    Prefix,
    /// By whole segments, as browsers do (RFC 6265, 5.1.4).
    Segments,
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

/// What a request gets when the store cannot be reached or does not answer.
///
/// A store that can be read and refuses to extend a session is not down: requests get their sessions.
///
/// A change that the store fails to write is an error response in any case: a login that is lost is not answered
/// with 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenDown {
    /// An error response, 503; the handler does not run.
    Error,
    /// An empty session that cannot be changed: what would change it is an error. The browser keeps its cookie.
    Anonymous,
    /// The session if it can at least be read, else an empty one; neither can be changed, so that a handler learns of
    /// it before the end of the request. That a store only reads is found by extending a session: where reading does
    /// not extend, it is the end of a request with changes that fails.
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
            when_down: WhenDown::Error,
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

    /// The cookie of a session that this request makes.
    ///
    /// # Errors
    ///
    /// As [`CookieOptions::cookie`].
    pub(crate) fn new_cookie(
        &self,
        head: RequestHead<'_>,
        is_secure: bool,
    ) -> Result<Cookie, Error> {
        let now_ms = self.clock.now_ms();
        let Some(cookie_for) = &self.cookie_for else {
            return self.cookie.cookie(self.preset, is_secure, now_ms);
        };
        let made = cookie_for(head);
        self.check_cookie(&made)?;
        made.cookie(self.preset, is_secure, now_ms)
    }

    /// Whether sessions can have such a cookie.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), quoting the offender.
    pub(crate) fn check_cookie(&self, options: &CookieOptions) -> Result<(), Error> {
        let is_sent = options
            .cookie(self.preset, true, 0)
            .and_then(|cookie| set_cookie(&self.name, "", &cookie));
        if let Err(error) = is_sent {
            let offender = options.offender().map(|text| format!(", not {text}"));
            let message =
                format!("the cookie cannot be sent: {error}{}", offender.unwrap_or_default());
            return Err(config(message).with_source(error));
        }
        // Browsers would take a path of their own for it, and no request has such a path.
        if let Some(path) = options.path.as_deref()
            && !path.is_empty()
            && !path.starts_with('/')
        {
            let path: String = path.chars().take(40).collect();
            return Err(config(format!(
                "the option \"path\" must begin with a slash, not {path:?}"
            )));
        }
        if self.preset == Preset::Express {
            return Ok(());
        }
        if options.max_age.is_some_and(|max_age| max_age.is_zero()) {
            return Err(config("the option \"max_age\" is zero: no session would live"));
        }
        match (options.same_site, options.secure) {
            (Some(SameSitePolicy::None), secure) if secure != Some(Secure::Always) => {
                Err(config("SameSite=None without Secure: browsers refuse such a cookie"))
            }
            (Some(SameSitePolicy::Auto), None | Some(Secure::Never)) => Err(config(
                "SameSite=auto is None on secure requests, where browsers ask for Secure: set secure to auto",
            )),
            _ => Ok(()),
        }?;
        self.check_secure(options)
    }

    /// Browsers refuse these without `Secure`.
    fn check_secure(&self, options: &CookieOptions) -> Result<(), Error> {
        let is_always = options.secure == Some(Secure::Always);
        let is_host = self.name.starts_with("__Host-");
        if (is_host || self.name.starts_with("__Secure-")) && !is_always {
            let message =
                format!("the name {:?} asks for a cookie that is always Secure", self.name);
            return Err(config(message));
        }
        if is_host && (options.domain.is_some() || options.path.as_deref() != Some("/")) {
            let message = format!("the name {:?} asks for the path \"/\" and no domain", self.name);
            return Err(config(message));
        }
        let is_ever = is_always || options.secure == Some(Secure::Auto);
        if options.partitioned == Some(true) && !is_ever {
            return Err(config(
                "a partitioned cookie without Secure: browsers refuse such a cookie",
            ));
        }
        Ok(())
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

impl Proxy {
    /// Whether the request is secure.
    pub(crate) fn is_secure(&self, head: RequestHead<'_>) -> bool {
        head.is_encrypted()
            || match self {
                Self::Untrusted => false,
                Self::Trusted => {
                    let proto = head.headers().get("x-forwarded-proto");
                    let first =
                        proto.and_then(|proto| proto.as_bytes().split(|b| *b == b',').next());
                    first.is_some_and(|first| first.trim_ascii().eq_ignore_ascii_case(b"https"))
                }
                Self::By(function) => function(head),
            }
    }
}

impl PathMatch {
    /// Whether a request for `path` has a session of a cookie for `cookie_path`.
    pub(crate) fn matches(self, cookie_path: &str, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(cookie_path) else { return false };
        match self {
            Self::Prefix => true,
            Self::Segments => {
                rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/')
            }
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untrusted => "Untrusted",
            Self::Trusted => "Trusted",
            Self::By(_) => "By(..)",
        })
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("preset", &self.preset)
            .field("name", &self.name)
            .field("cookie", &self.cookie)
            .field("proxy", &self.proxy)
            .field("when_down", &self.when_down)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_text_or_by_segments() {
        // Path of the cookie, path of the request, as text (observed on express-session 1.19.0), by segments.
        let rows = [
            ("/", "/", true, true),
            ("/", "/x", true, true),
            ("/", "*", false, false),
            ("/admin", "/admin", true, true),
            ("/admin", "/admin/", true, true),
            ("/admin", "/admin/x", true, true),
            ("/admin", "/administrator", true, false),
            ("/admin", "/Admin", false, false),
            ("/admin", "/x/admin", false, false),
            ("/admin", "/%61dmin", false, false),
            ("/admin", "//admin", false, false),
            ("/admin/", "/admin", false, false),
            ("/admin/", "/admin/x", true, true),
        ];
        for (cookie, path, prefix, segments) in rows {
            assert_eq!(PathMatch::Prefix.matches(cookie, path), prefix, "{cookie} {path}");
            assert_eq!(PathMatch::Segments.matches(cookie, path), segments, "{cookie} {path}");
        }
    }

    #[test]
    fn a_request_is_secure_by_its_connection_or_by_a_proxy_that_is_trusted() {
        let with = |proto: Option<&str>, encrypted: bool| {
            let mut request = http::Request::new(());
            if let Some(proto) = proto {
                request.headers_mut().insert("x-forwarded-proto", proto.parse().unwrap());
            }
            if encrypted {
                request.extensions_mut().insert(crate::Encrypted);
            }
            request
        };
        let rows = [
            (None, false, false, false),
            (None, true, true, true),
            (Some("https"), false, false, true),
            (Some(" HTTPS , http"), false, false, true),
            (Some("http, https"), false, false, false),
            (Some("httpsx"), false, false, false),
            (Some(""), false, false, false),
        ];
        for (proto, encrypted, untrusted, trusted) in rows {
            let request = with(proto, encrypted);
            let head = RequestHead::from(&request);
            assert_eq!(Proxy::Untrusted.is_secure(head), untrusted, "{proto:?} {encrypted}");
            assert_eq!(Proxy::Trusted.is_secure(head), trusted, "{proto:?} {encrypted}");
        }
        let by_host = Proxy::By(Arc::new(|head| head.headers().contains_key("x-secure")));
        let mut request = with(Some("https"), false);
        assert!(!by_host.is_secure(RequestHead::from(&request)));
        request.headers_mut().insert("x-secure", "1".parse().unwrap());
        assert!(by_host.is_secure(RequestHead::from(&request)));
    }
}
