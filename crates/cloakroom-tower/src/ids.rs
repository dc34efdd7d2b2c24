//! How a session id is written in the cookie.

use std::{borrow::Cow, fmt, sync::Arc};

use cloakroom_core::{CookieParser, Secrets, Verified, is_marker};

use crate::head::joined;

/// next-session's `encode`: returns the cookie's value for an id, before percent-encoding.
pub type Encode = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// next-session's `decode`: returns the id in a cookie's value, after percent-decoding, or `None` if the value contains
/// no id.
pub type Decode = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How a session id is written in the cookie: signed as by Express or @fastify/session, or as next-session writes it.
#[derive(Clone)]
#[non_exhaustive]
pub enum IdFormat {
    /// `s:` and a signature: express-session.
    Signed(Secrets),
    /// A signature without the prefix `s:`: @fastify/session 11 without the option `cookiePrefix`. Its cookie is
    /// `sessionId` unless its option `cookieName` says otherwise.
    Fastify(Secrets),
    /// The id itself: next-session without `encode` and `decode`. The id alone is the secret then.
    Plain,
    /// next-session's `encode` and `decode`. If `decode` returns `None`, the request has no
    /// session.
    Custom {
        /// The value for an id.
        encode: Encode,
        /// The id in a value. It runs in `Service::call`, so it must not block.
        decode: Decode,
    },
}

/// An id that a request brought.
#[derive(PartialEq, Eq)]
pub(crate) struct FoundId {
    pub(crate) id: String,
    /// An old secret signed it, so the cookie is sent again with the secret in use.
    pub(crate) is_outdated: bool,
    /// What stands for the id in the cookie, decoded. `None` if a function of the application writes it.
    pub(crate) value: Option<String>,
}

impl From<Secrets> for IdFormat {
    fn from(secrets: Secrets) -> Self {
        Self::Signed(secrets)
    }
}

impl IdFormat {
    /// Returns the cookie's value for an id, before percent-encoding.
    pub(crate) fn value(&self, id: &str) -> String {
        match self {
            Self::Signed(secrets) => format!("s:{}", secrets.sign(id)),
            Self::Fastify(secrets) => secrets.sign(id),
            Self::Plain => id.to_owned(),
            Self::Custom { encode, .. } => encode(id),
        }
    }

    /// Returns the ids of all cookies of this name that verify, in order.
    pub(crate) fn find<'a>(
        &'a self,
        header: &'a [u8],
        name: &'a str,
        unquote: bool,
    ) -> impl Iterator<Item = FoundId> {
        let parser = CookieParser::new().with_unquote(unquote);
        parser.values(header, name).filter_map(|value| self.read(value))
    }

    /// Returns the id of the first cookie of this name if it verifies. Express looks at no other.
    pub(crate) fn find_first(&self, header: &[u8], name: &str, unquote: bool) -> Option<FoundId> {
        let parser = CookieParser::new().with_unquote(unquote);
        parser.values(header, name).next().and_then(|value| self.read(value))
    }

    /// Returns true if the browser sent a cookie of this name. An empty one does not count: a logout can leave it.
    pub(crate) fn is_sent(header: &[u8], name: &str, unquote: bool) -> bool {
        let parser = CookieParser::new().with_unquote(unquote);
        parser.values(header, name).any(|value| !value.is_empty())
    }

    /// Returns true if an id in a cookie must have come from the server, because a signature or an encoding proves it.
    pub(crate) fn is_verified(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    fn read(&self, value: Cow<'_, str>) -> Option<FoundId> {
        let found = match self {
            Self::Signed(secrets) => signed(value, |value| secrets.read_cookie_value(value))?,
            Self::Fastify(secrets) => signed(value, |value| secrets.unsign(value))?,
            Self::Plain => {
                let id = value.into_owned();
                FoundId { value: Some(id.clone()), id, is_outdated: false }
            }
            Self::Custom { decode, .. } => {
                FoundId { id: decode(&value)?, is_outdated: false, value: None }
            }
        };
        // Anybody can send a plain id, also the name of a marker, which does not hold a session.
        Some(found).filter(|found| !found.id.is_empty() && !is_marker(&found.id))
    }
}

fn signed(
    value: Cow<'_, str>,
    verify: impl FnOnce(&str) -> Option<Verified<'_>>,
) -> Option<FoundId> {
    let found = verify(&value)?;
    let (id, is_outdated) = (found.value.to_owned(), found.is_outdated());
    Some(FoundId { id, is_outdated, value: Some(value.into_owned()) })
}

impl fmt::Debug for IdFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signed(_) => "Signed(..)",
            Self::Fastify(_) => "Fastify(..)",
            Self::Plain => "Plain",
            Self::Custom { .. } => "Custom { .. }",
        })
    }
}

/// The session id that a request brings, by its headers and the secrets alone: what a WebSocket's upgrade or any
/// framework needs to look a session up itself. `None` without a cookie of that name that verifies.
///
/// It takes the first cookie of this name that verifies; Express takes the first of this name and no other.
///
/// ```
/// use cloakroom_core::Secrets;
/// use cloakroom_tower::session_id;
///
/// let secrets = Secrets::new(["keyboard cat"])?;
/// let mut headers = http::HeaderMap::new();
/// assert_eq!(session_id(&headers, "connect.sid", &secrets), None);
///
/// let cookie = "connect.sid=s%3Aapple.D8Y%2BpkTAmeR0PobOhY4G97PRW%2Bj7bUnP%2F5m6%2FOn1MCU";
/// headers.insert("cookie", cookie.parse().unwrap());
/// assert_eq!(session_id(&headers, "connect.sid", &secrets).as_deref(), Some("apple"));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[must_use]
pub fn session_id(headers: &http::HeaderMap, name: &str, secrets: &Secrets) -> Option<String> {
    let format = IdFormat::Signed(secrets.clone());
    format.find(&joined(headers), name, true).next().map(|found| found.id)
}
