//! Compares the sessions of two stores.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use cloakroom_core::{Error, Listed, Store};
use futures::stream::StreamExt;

use super::{CopyOptions, is_of_one_session, meaning, unlisted, until_ms};
use crate::migrating::is_moving;

/// How far apart two expiries may be, in milliseconds: each store rounds up to seconds, and memcached keeps an item for
/// one more.
const APART_MS: u64 = 3_000;

/// The last ends that columns can hold: whole seconds of 32 bits, with a sign and without one, and years of four digits. A
/// store gives such an end to a session that lives for longer, or that has none.
const LAST_MS: [i64; 3] = [i32::MAX as i64 * 1_000, u32::MAX as i64 * 1_000, 253_402_300_799_999];

/// Returns the number of sessions that differ: those of one store whose copy in another is missing or differs, in its
/// record or by more than three seconds in the time it has left, and those of the other store that the first one lacks,
/// for example because their users have logged out there since they were copied.
///
/// Records are the same if JavaScript reads the same from them: `jsonb` of PostgreSQL does not keep the text. The
/// `expires` of the cookie is not compared, because a store of npm gets the time that the session has left there, where it
/// is stale. A record without a cookie is the same as its copy, which has one. A copy may end sooner if its store cannot
/// keep a later time, as `express-mysql-session` after the year 2106.
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
                    record: meaning::of_copy(&hasher, &listed.session.to_json()),
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
        let record = meaning::of_copy(&hasher, &listed.session.to_json());
        let is_same = copies.get_mut(&hasher.hash_one(&listed.id)).is_some_and(|copy| {
            copy.is_seen = true;
            copy.record == record && end_alike(until_ms, copy.until_ms)
        });
        differing += u64::from(!is_same || is_moving(&listed.session));
        seen += 1;
        progress(seen);
    }
    let lacking = copies.values().filter(|copy| !copy.is_seen).count();
    Ok(differing + lacking as u64)
}

/// Returns true if a copy ends with its original, or as late as its store can say.
fn end_alike(original_ms: i64, copy_ms: i64) -> bool {
    let are_close = |a: i64, b: i64| a.abs_diff(b) <= APART_MS;
    let is_last = || LAST_MS.iter().any(|last_ms| are_close(copy_ms, *last_ms));
    are_close(original_ms, copy_ms) || (copy_ms < original_ms && is_last())
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
