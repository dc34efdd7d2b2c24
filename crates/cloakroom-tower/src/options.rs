//! The options: those of express-session by their names, and those that the safe preset adds.

use std::{borrow::Cow, fmt, sync::Arc};

use cloakroom_backend::observe::{Event, note};
use cloakroom_core::{Error, ErrorKind};

use crate::{CookieOptions, RequestHead, SameSitePolicy, Secure};

mod expiry;
mod failure;
mod ids;
mod path_match;
mod preset;
mod proxy;
mod with;

pub use expiry::{ExpiryOptions, TouchAfter};
pub use failure::{ErrorResponse, FailureOptions, IsConnected, OnError, WhenUnavailable};
pub use ids::{Genid, IdOptions};
pub use path_match::PathMatch;
pub use preset::Preset;
pub use proxy::Proxy;

/// Answers a question about a request, such as whether it is secure.
pub type AskRequest = Arc<dyn Fn(RequestHead<'_>) -> bool + Send + Sync>;

/// Returns the cookie options for a request.
pub type CookieFor = Arc<dyn Fn(RequestHead<'_>) -> CookieOptions + Send + Sync>;

/// The options of a [`SessionLayer`](crate::SessionLayer).
///
/// Start from the options of a preset and change them with the `with_…` methods or field by field. A group, such as
/// [`failure`](Self::failure), has its own fields and methods; everything else stays as in the preset.
/// [`layer`](Self::layer) and [`engine`](Self::engine) check whether the options fit together.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::{Proxy, SessionOptions};
///
/// let mut options = SessionOptions::new()
///     .with_ids(|ids| ids.with_cookie_name("sid"))
///     .with_proxy(Proxy::Trusted);
/// options.cookie.max_age = Some(Duration::from_secs(14 * 86_400));
/// let secrets = Secrets::new(["new secret", "old secret"])?;
/// let layer = options.layer(MemoryStore::new(), secrets)?;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The rules that the layer follows. The constructors of this type choose them.
    pub preset: Preset,
    /// How session ids are made, and which cookie brings them back.
    pub ids: IdOptions,
    /// `cookie`: the cookie of new sessions.
    pub cookie: CookieOptions,
    /// `cookie` as a function of the request, in place of [`cookie`](Self::cookie).
    ///
    /// It is called once per request, to compare the paths, and again when a session is created. If its cookie cannot
    /// be sent, that request fails. It runs in `Service::call`, so it must not block.
    pub cookie_for: Option<CookieFor>,
    /// `resave`: write back sessions that nobody changed. The safe preset rejects it, because it undoes the changes of
    /// other requests.
    pub resave: bool,
    /// `saveUninitialized`: store new sessions that nobody changed.
    pub save_uninitialized: bool,
    /// `unset`: what happens to the record when [`Session::unset`](crate::Session::unset) drops a session.
    pub unset: Unset,
    /// `proxy`: how to recognize a secure request if its own connection is not secure.
    pub proxy: Proxy,
    /// How the cookie's path is compared with a request's.
    pub path_match: PathMatch,
    /// Whether a session is loaded before the handler runs or when it is first asked for. The express preset always
    /// loads it before.
    pub loading: Loading,
    /// When a session is extended.
    pub expiry: ExpiryOptions,
    /// What happens if the store or the request fails, and who is informed.
    pub failure: FailureOptions,
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

/// When a session is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loading {
    /// Before the handler runs. Each visit keeps the session alive, and [`Session`](crate::Session) is in the request's
    /// extensions.
    Eager,
    /// When a handler first asks for it, by axum's extractor or by [`LazySession::get`](crate::LazySession::get). A
    /// request that never asks sends nothing to the store and does not depend on it, and does not keep the session
    /// alive either.
    OnDemand,
}

impl SessionOptions {
    /// Returns the safe preset: a session is stored once it is used, a persistent one is extended by each visit, and
    /// the cookie is `SameSite=Lax`, and `Secure` if the request is.
    #[must_use]
    pub fn new() -> Self {
        let cookie = CookieOptions {
            secure: Some(Secure::Auto),
            same_site: Some(SameSitePolicy::Lax),
            ..CookieOptions::default()
        };
        Self {
            preset: Preset::Safe,
            ids: IdOptions::new("connect.sid"),
            cookie,
            cookie_for: None,
            resave: false,
            save_uninitialized: false,
            unset: Unset::Destroy,
            proxy: Proxy::Untrusted,
            path_match: PathMatch::Segments,
            loading: Loading::Eager,
            expiry: ExpiryOptions::new(true, TouchAfter::EachRequest),
            failure: FailureOptions::new(),
        }
    }

    /// Returns the defaults of express-session 1.19.0, including `resave` and `saveUninitialized`.
    #[must_use]
    pub fn express() -> Self {
        Self {
            preset: Preset::Express,
            cookie: CookieOptions::default(),
            resave: true,
            save_uninitialized: true,
            unset: Unset::Keep,
            path_match: PathMatch::Prefix,
            expiry: ExpiryOptions::new(false, TouchAfter::EachRequest),
            failure: FailureOptions::express(),
            ..Self::new()
        }
    }

    /// Returns the safe rules with the cookie and the record of next-session 4: the name `sid`, no `SameSite`, `secure`
    /// in the record and off, and no extension of a session that is only read unless
    /// [`touch_after`](ExpiryOptions::touch_after) is set.
    #[must_use]
    pub fn next_session() -> Self {
        Self {
            preset: Preset::NextSession,
            ids: IdOptions::new("sid"),
            cookie: CookieOptions { secure: Some(Secure::Never), ..CookieOptions::default() },
            expiry: ExpiryOptions::new(false, TouchAfter::Never),
            ..Self::new()
        }
    }

    pub(crate) fn tell(&self, error: &Error) {
        note(Event::Failed { error });
        if let Some(on_error) = &self.failure.on_error {
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
            .field("ids", &self.ids)
            .field("cookie", &self.cookie)
            .field("proxy", &self.proxy)
            .field("expiry", &self.expiry)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
