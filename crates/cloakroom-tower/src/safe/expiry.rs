//! How the safe preset extends a session.

use std::time::Duration;

use cloakroom_core::SessionData;

/// Moves the cookie's expiry. One that has passed and has no max age to be moved by is taken away, as Express does it:
/// the store says that the session lives.
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
