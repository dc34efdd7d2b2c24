//! Three callback-style stores of different kind, as one finds them: they answer inline, from a thread of their own,
//! and through a blocking client.

mod inline;
mod late;
mod memcached;
mod threaded;

pub(crate) use self::{
    inline::InlineStore,
    late::{Gate, Late},
    memcached::MemcachedStore,
    threaded::ThreadedStore,
};

use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom_core::SessionData;

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// When a store drops the session, in milliseconds since 1970; `None` when that has passed. It believes the cookie, as
/// the stores of npm do, unless the session has a store expiry.
pub(crate) fn expires_ms(session: &SessionData) -> Option<i64> {
    let now_ms = now_ms();
    match session.store_expiry_ms().or_else(|| session.cookie().expires_ms()) {
        None => Some(now_ms + 86_400_000),
        Some(expires_ms) if expires_ms > now_ms => {
            Some(expires_ms.saturating_add((now_ms - expires_ms).rem_euclid(1_000)))
        }
        Some(_) => None,
    }
}
