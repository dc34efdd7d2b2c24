//! Events: not errors, but something that an operator should know of.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Is told of an event.
pub type OnEvent = Arc<dyn Fn(&SessionEvent) + Send + Sync>;

/// Something that can happen to any request, and that is a mistake of the configuration when it happens to many: a
/// secret that differs from Express's logs people out of both, and no request fails.
///
/// `Display` says in one sentence what happened, how often, and what to look at. It holds no id, no secret and nothing of
/// a session.
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
    /// The browser sent cookies of the name, and none of them verifies.
    CookieNotVerified,
    /// A cookie verifies, and the store has no session of its id.
    SessionUnknown,
    /// A cookie was not sent, since it is `Secure` and the request is not.
    CookieWithheld,
}

const REASONS: usize = 3;

/// An event is told again when so much time has passed.
const PAUSE_MS: i64 = 3_600_000;

impl SessionEvent {
    /// The reason.
    #[must_use]
    pub const fn reason(&self) -> EventReason {
        self.reason
    }

    /// How many requests it has happened to since the last event of this reason, this one included.
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
                "no secret verifies the cookie {name:?}; if there are many, compare the secrets with those of the service \
                 that signed it: users that get a new cookie here are logged out there"
            ),
            EventReason::SessionUnknown => write!(
                f,
                "the cookie {name:?} verifies, and the store has no session of its id; it has ended, or the store is \
                 another one than where it was written: compare the server, the database and the prefix"
            ),
            EventReason::CookieWithheld => write!(
                f,
                "the cookie {name:?} was not sent, since it is Secure and the request is not; behind a proxy that ends \
                 TLS, set the option \"proxy\"; for development on http://localhost, set \"secure\" to auto"
            ),
        }
    }
}

/// How often each event has happened since it was last told, and when that was.
#[derive(Default)]
pub(crate) struct Events(Mutex<[(u64, Option<i64>); REASONS]>);

impl Events {
    /// Counts an event of the cookie of this name. Returns it if it is to be told.
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
