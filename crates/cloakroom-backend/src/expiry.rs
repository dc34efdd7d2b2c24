//! When a session expires, for backends that count milliseconds.

use std::time::Duration;

use cloakroom_core::{SessionData, TimeToLive};

/// Returns when a session expires that is written now, in milliseconds since 1970, or `None` if its expiry has passed.
/// `ttl` is the store's default for a browser session.
///
/// It is what [`SessionData::time_to_live`] returns, but precise to the millisecond.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_backend::expires_at_ms;
/// use cloakroom_core::SessionData;
///
/// let (now_ms, ttl) = (1_700_000_000_000, Duration::from_secs(3_600));
/// let mut session = SessionData::new();
/// assert_eq!(expires_at_ms(&session, now_ms, ttl), Some(now_ms + 3_600_000));
/// session.set_max_age(Duration::from_millis(1_500), now_ms)?;
/// assert_eq!(expires_at_ms(&session, now_ms, ttl), Some(now_ms + 1_500));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[must_use]
pub fn expires_at_ms(session: &SessionData, now_ms: i64, ttl: Duration) -> Option<i64> {
    let ends_at_ms = session.ends_at_ms();
    let copied = session.store_expiry_ms().map(|at| ends_at_ms.map_or(at, |end| at.min(end)));
    let by_cookie = || session.extended(now_ms).cookie().expires_ms().filter(|at| *at > now_ms);
    // The cookie of a browser session has no expiry, but the session may have an end.
    match (session.time_to_live(now_ms), copied.or_else(by_cookie).or(ends_at_ms)) {
        (TimeToLive::Expired, _) => None,
        (TimeToLive::Seconds(_), Some(ends_ms)) => Some(ends_ms),
        _ => Some(later(now_ms, ttl)),
    }
}

/// Returns the time that is so much later, in milliseconds since 1970, or the last one that there is.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_backend::later;
///
/// assert_eq!(later(1_700_000_000_000, Duration::from_secs(1)), 1_700_000_001_000);
/// assert_eq!(later(1_700_000_000_000, Duration::MAX), i64::MAX);
/// ```
#[must_use]
pub fn later(now_ms: i64, ttl: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX))
}
