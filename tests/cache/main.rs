//! Memory in front of Redis: the promises of the contract in both modes, and that no read is older than its mode allows,
//! whatever happens to the connection for invalidations.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod behind;
mod changes;
mod conformance;
mod failover;
mod harm;
mod history;
mod settled;

use std::time::{Duration, Instant};

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::{SessionData, Store};
use cloakroom_redis::{RedisOptions, RedisStore};

/// A time within which a healthy machine does anything, however slow it is.
const SOON: Duration = Duration::from_secs(60);

/// A store at an address, whose calls may take as long as they need.
fn redis(addr: &str, prefix: &str) -> RedisStore {
    let options = RedisOptions::default().with_prefix(prefix).with_deadline(SOON);
    // The connection for invalidations speaks RESP3, so a proxy can tell which one it is.
    RedisStore::open_with(&format!("redis://{addr}?protocol=resp2"), options).unwrap()
}

/// The first bytes of the other connections.
const RESP2: &[u8] = b"$5\r\nHELLO\r\n$1\r\n2\r\n";

/// A session with this number.
fn numbered(number: u64) -> SessionData {
    let mut session = SessionData::new();
    session.insert("number", number).unwrap();
    session
}

fn number(session: &SessionData) -> u64 {
    session.get("number").unwrap().unwrap()
}

/// Waits until memory is used.
async fn active(cached: &Cached) {
    let began = Instant::now();
    while !cached.stats().is_active {
        assert!(began.elapsed() < SOON, "{:?}", cached.stats());
        cached.get("no session has this id").await.ok();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a session is in memory. A read is not kept if a change of the session is announced during it.
async fn kept(cached: &Cached, sid: &str) {
    let began = Instant::now();
    loop {
        active(cached).await;
        let hits = cached.stats().hits;
        cached.get(sid).await.unwrap();
        if cached.stats().hits > hits {
            return;
        }
        assert!(began.elapsed() < SOON, "{:?}", cached.stats());
    }
}

/// Options whose memory outlives a machine that is ten times slower, so that only invalidations empty it.
fn patient() -> CacheOptions {
    CacheOptions::default().with_max_silence(SOON).with_max_stale(SOON)
}
