//! Events: no request fails by them, but an operator should know.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use cloakroom_backend::observe::Event;

/// Receives events, such as to log them.
pub type OnEvent = Arc<dyn Fn(&SessionEvent) + Send + Sync>;

/// An event that is harmless for one request, and points to a mistake in the configuration if it happens to many.
///
/// A secret that differs from Express's, for example, logs people out of both services, although no request fails.
///
/// It prints as one sentence: what happened, how often, and what to check. It contains no id, secret or session data.
///
/// ```
/// use std::sync::Arc;
/// use cloakroom_tower::SessionOptions;
///
/// let mut options = SessionOptions::new();
/// options.failure.on_error = Some(Arc::new(|error| eprintln!("error: {error}")));
/// options.failure.on_event = Some(Arc::new(|event| eprintln!("warning: {event}")));
/// ```
#[derive(Clone, Debug)]
pub struct SessionEvent {
    reason: EventReason,
    count: u64,
    name: String,
}

/// Why a request has no session, or a browser no cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventReason {
    /// The browser sent cookies of the name, but no secret verifies any of them.
    CookieNotVerified,
    /// A secret verifies a cookie, but the store has no session with its id.
    SessionUnknown,
    /// A cookie was not sent because it is `Secure` and the request is not.
    CookieWithheld,
    /// The `Cookie` header was longer than the limit, so no cookie was read, and the session could not be changed.
    CookieHeaderTooLong,
}

impl EventReason {
    /// Returns the event for traces and metrics, which have each one, and not one an hour.
    pub(crate) const fn observed(self) -> Event<'static> {
        match self {
            Self::CookieNotVerified => Event::CookieRefused { reason: "not_verified" },
            Self::SessionUnknown => Event::CookieRefused { reason: "session_unknown" },
            Self::CookieWithheld => Event::CookieWithheld,
            Self::CookieHeaderTooLong => Event::CookieRefused { reason: "header_too_long" },
        }
    }
}

const REASONS: usize = 4;

/// An event is reported again after this time.
const PAUSE_MS: i64 = 3_600_000;

impl SessionEvent {
    /// Returns the reason.
    #[must_use]
    pub const fn reason(&self) -> EventReason {
        self.reason
    }

    /// Returns the number of requests that it happened to since the last event of this reason, including this request.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Display for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, count, name } = self;
        match count {
            1 => f.write_str("1 request: ")?,
            _ => write!(f, "{count} requests: ")?,
        }
        match reason {
            EventReason::CookieNotVerified => write!(
                f,
                "the cookie {name:?} was not signed with any of the secrets; if this happens often, compare the secrets \
                 with those of the service that signed it: users who get a new cookie here are logged out there"
            ),
            EventReason::SessionUnknown => write!(
                f,
                "the cookie {name:?} is valid, but the store has no session with its id: the session has ended, or it is \
                 in another store; compare the server, the database and the prefix"
            ),
            EventReason::CookieWithheld => write!(
                f,
                "the cookie {name:?} was not sent because it is Secure and the request is not; behind a proxy that \
                 terminates TLS, set the option \"proxy\"; for development on http://localhost, set \"secure\" to auto"
            ),
            EventReason::CookieHeaderTooLong => write!(
                f,
                "the Cookie header is longer than the option \"max_cookie_header\", so the cookie {name:?} was not \
                 read; look for other cookies that grow, or set a larger limit"
            ),
        }
    }
}

/// How often each event happened since it was last reported, and when that was.
#[derive(Default)]
pub(crate) struct Events(Mutex<[(u64, Option<i64>); REASONS]>);

impl Events {
    /// Counts an event about the cookie of this name. Returns the event if it is due to be reported.
    pub(crate) fn note(
        &self,
        reason: EventReason,
        name: &str,
        now_ms: i64,
    ) -> Option<SessionEvent> {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, told_at) = &mut events[reason as usize];
        *count += 1;
        // A clock may be set back.
        let is_told = told_at.is_some_and(|told_at| (0..PAUSE_MS).contains(&(now_ms - told_at)));
        if is_told {
            return None;
        }
        *told_at = Some(now_ms);
        Some(SessionEvent { reason, count: std::mem::take(count), name: name.to_owned() })
    }
}
