//! A listing tells how long each session lives from when its caller asks for it, not from when its page was read: a copy
//! to a slow store would otherwise let sessions live longer than they may.

use std::time::{Duration, Instant};

use cloakroom::{
    Clock, ExpressSession, MemoryStore, SessionData, callbackify_store, promisify_store,
};
use cloakroom_file::FileStore;
use cloakroom_sql::SqlStore;
use cloakroom_test_support::{Memcached, Mongod, Postgres, RedisServer};
use futures::{StreamExt, future::join_all};

/// All in one page. What is read after the pause depends on the server's clock, which is late on a busy machine.
const SESSIONS: usize = 20;
/// More than one in each shard, each of which is a page.
const IN_MEMORY: usize = 200;
const PAUSE: Duration = Duration::from_secs(6);
const LIFE_MS: i64 = 600_000;
/// Some backends count whole seconds and round up.
const ROUNDED_MS: i64 = 1_000;

/// Returns the first session that is told to live longer than it does.
async fn too_long(name: &str, sessions: ExpressSession, stored: usize) -> Option<String> {
    let now_ms = Clock::system().now_ms();
    let mut session = SessionData::new();
    session.cookie_mut().set_expires_ms(Some(now_ms + LIFE_MS), now_ms).unwrap();
    for number in 0..stored {
        sessions.set(&format!("sid-{number}"), &session).await.unwrap();
    }
    let mut all = sessions.all();
    all.next().await.unwrap().unwrap();
    let since = Instant::now();
    tokio::time::sleep(PAUSE).await;
    let mut listed = 1;
    loop {
        let most_ms = LIFE_MS + ROUNDED_MS - i64::try_from(since.elapsed().as_millis()).unwrap();
        let Some(next) = all.next().await else { break };
        let left_ms = i64::try_from(next.unwrap().time_left.unwrap().as_millis()).unwrap();
        if left_ms > most_ms {
            return Some(format!("{name}: {left_ms} ms left, of at most {most_ms}"));
        }
        listed += 1;
    }
    assert_eq!(listed, stored, "{name}");
    None
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server, memcached, mongod and PostgreSQL"]
async fn the_time_left_counts_from_when_the_caller_asks() {
    let (redis, memcached) = (RedisServer::start().unwrap(), Memcached::start().unwrap());
    let (mongod, postgres) = (Mongod::start().unwrap(), Postgres::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let url = |scheme: &str| format!("{scheme}://{}/{scheme}", folder.path().display());
    let postgres = SqlStore::open(&format!("{}?createTable=true", postgres.url())).unwrap();
    let callbacks = callbackify_store(MemoryStore::new());
    let stores = [
        ("memory", ExpressSession::new(MemoryStore::new())),
        ("callbacks", ExpressSession::new(promisify_store(callbacks))),
        ("redis", cloakroom::open(&redis.url()).unwrap()),
        ("memcached", cloakroom::open(&memcached.url()).unwrap()),
        ("mongodb", cloakroom::open(&mongod.url()).unwrap()),
        ("postgres", ExpressSession::new(postgres)),
        ("sqlite", ExpressSession::new(SqlStore::open(&url("sqlite")).unwrap())),
        ("files", ExpressSession::new(FileStore::open(&url("file")).unwrap())),
    ];
    let checks = stores.into_iter().map(|(name, sessions)| {
        let is_memory = ["memory", "callbacks"].contains(&name);
        too_long(name, sessions, if is_memory { IN_MEMORY } else { SESSIONS })
    });
    let wrong: Vec<String> = join_all(checks).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
