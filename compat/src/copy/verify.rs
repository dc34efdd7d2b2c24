//! Compares the sessions of two stores.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use cloakroom_core::{Error, Listed, Store};
use futures::stream::StreamExt;

use super::{CopyOptions, is_of_one_session, unlisted, until_ms};
use crate::migrating::is_moving;

/// How far apart two expiries may be, in milliseconds: each store rounds up to seconds, and memcached keeps an item for
/// one more.
const APART_MS: u64 = 3_000;

/// Returns the number of sessions that differ: those of one store whose copy in another is missing or differs, in its
/// record or by more than three seconds in the time it has left, and those of the other store that the first one lacks,
/// for example because their users have logged out there since they were copied.
///
/// A session that a [`Migrating`](crate::Migrating) handle is moving differs. One past its
/// [end](cloakroom_core::SessionData::ends_at_ms) is left out, as `copy` leaves it out. It keeps 32 bytes for each
/// session of the other store in memory. A session that is used meanwhile can differ.
///
/// A record that cannot be read differs, in either store.
///
/// # Errors
///
/// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) if one of them cannot list its sessions; otherwise the error
/// of a listing that breaks off.
///
/// ```
/// use cloakroom_compat::{CopyOptions, verify_copy};
/// use cloakroom_core::{MemoryStore, SessionData, Store};
///
/// # futures::executor::block_on(async {
/// let (from, to) = (MemoryStore::new(), MemoryStore::new());
/// from.set("an id", &SessionData::new()).await?;
/// assert_eq!(verify_copy(&from, &to, &CopyOptions::default(), |_| ()).await?, 1);
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
pub async fn verify_copy(
    from: &dyn Store,
    to: &dyn Store,
    options: &CopyOptions,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<u64, Error> {
    let hasher = RandomState::new();
    let is_over = |listed: &Listed| listed.session.has_ended(options.clock.now_ms());
    let mut copies = HashMap::new();
    let mut all = to.enumerate().ok_or_else(|| unlisted(to))?.all();
    let (mut seen, mut differing) = (0, 0);
    while let Some(listed) = all.next().await {
        let Some(listed) = readable(listed)? else {
            differing += 1;
            continue;
        };
        if !is_over(&listed) && !is_moving(&listed.session) {
            copies.insert(
                hasher.hash_one(&listed.id),
                Compared {
                    record: hasher.hash_one(listed.session.loaded_json()),
                    until_ms: until_ms(&options.clock, listed.time_left),
                    is_seen: false,
                },
            );
        }
    }
    drop(all);
    let mut all = from.enumerate().ok_or_else(|| unlisted(from))?.all();
    while let Some(listed) = all.next().await {
        let Some(listed) = readable(listed)? else {
            differing += 1;
            continue;
        };
        if is_over(&listed) {
            continue;
        }
        let until_ms = until_ms(&options.clock, listed.time_left);
        let record = hasher.hash_one(listed.session.loaded_json());
        let is_same = copies.get_mut(&hasher.hash_one(&listed.id)).is_some_and(|copy| {
            copy.is_seen = true;
            copy.record == record && copy.until_ms.abs_diff(until_ms) <= APART_MS
        });
        differing += u64::from(!is_same || is_moving(&listed.session));
        seen += 1;
        progress(seen);
    }
    let lacking = copies.values().filter(|copy| !copy.is_seen).count();
    Ok(differing + lacking as u64)
}

/// Returns `None` for a record that cannot be read.
fn readable(listed: Result<Listed, Error>) -> Result<Option<Listed>, Error> {
    match listed {
        Err(error) if is_of_one_session(error.kind()) => Ok(None),
        listed => listed.map(Some),
    }
}

/// What is kept of a session of the other store.
struct Compared {
    record: u64,
    until_ms: i64,
    is_seen: bool,
}
