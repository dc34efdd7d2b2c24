//! How the safe preset extends a session.

use std::time::Duration;

use cloakroom_core::SessionData;

/// Moves the cookie's expiry by its max age. An expiry that has passed and has no max age is removed, as Express does:
/// the store says that the session lives, and a browser would delete a cookie with a date in the past.
pub(super) fn extend(record: &mut SessionData, now_ms: i64) {
    record.touch(now_ms);
    if record.cookie().original_max_age_ms().is_none() && record.cookie().has_expired(now_ms) {
        // It cannot fail without a date.
        let _ = record.cookie_mut().set_expires_ms(None, now_ms);
    }
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
