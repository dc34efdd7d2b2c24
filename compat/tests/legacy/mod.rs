//! Three callback-style stores of different kind, as one finds them: they answer inline, from a thread of their own,
//! and through a blocking client.

mod inline;
mod memcached;
mod threaded;

pub(crate) use self::{inline::InlineStore, memcached::MemcachedStore, threaded::ThreadedStore};

use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom_core::{Session, TimeToLive};

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// When a store drops the session, in milliseconds since 1970; `None` when that has passed.
pub(crate) fn expires_ms(session: &Session) -> Option<i64> {
    let seconds = match session.time_to_live(now_ms()) {
        TimeToLive::Seconds(seconds) => seconds,
        TimeToLive::Browser => 86_400,
        TimeToLive::Expired => return None,
    };
    Some(now_ms().saturating_add(seconds as i64 * 1_000))
}
