//! Compares the sessions of two stores.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use cloakroom_core::{Error, Listed, Store};

use super::{CopyOptions, for_each, until_ms};

/// How far apart two expiries may be, in milliseconds: each store rounds up to seconds, and memcached keeps an item for
/// one more.
const APART_MS: u64 = 3_000;

/// Returns the number of sessions of one store whose copy in another is missing or differs, in its record or by more
/// than three seconds in the time it has left.
///
/// It keeps 16 bytes for each session of the other store in memory. A session that is used meanwhile can differ.
///
/// # Errors
///
/// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) if one of them cannot list its sessions; otherwise the error
/// of a listing that breaks off, and of a record that cannot be read.
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
    let of = |listed: &Listed| {
        let until_ms = until_ms(&options.clock, listed.time_left);
        (hasher.hash_one((&listed.id, listed.session.loaded_json())), until_ms)
    };
    let mut copies = HashMap::new();
    for_each(to, 1, |listed| {
        let (hash, until_ms) = of(&listed);
        copies.insert(hash, until_ms);
        std::future::ready(Ok(()))
    })
    .await?;
    let (seen, differing) = (AtomicU64::new(0), AtomicU64::new(0));
    for_each(from, 1, |listed| {
        let (hash, until_ms) = of(&listed);
        let is_same =
            copies.get(&hash).is_some_and(|copy_ms| copy_ms.abs_diff(until_ms) <= APART_MS);
        differing.fetch_add(u64::from(!is_same), Relaxed);
        progress(seen.fetch_add(1, Relaxed) + 1);
        std::future::ready(Ok(()))
    })
    .await?;
    Ok(differing.into_inner())
}
