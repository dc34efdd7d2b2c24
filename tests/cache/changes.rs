//! Coherent mode: what another program changes is gone from memory when its announcement can have arrived.
//!
//! Announcements arrive in the order of the changes. So a test writes a marker behind the changes, and waits until the cache
//! shows it: from then on no read may return what was there before.

use std::time::{Duration, Instant};

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::{Atomic, Store, Touched};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisServer, unique};
use tokio::time::sleep;

use crate::{SOON, behind::Other, kept, number, numbered, patient, redis};

struct Bench {
    // Dropped last.
    cached: Cached,
    far: RedisStore,
    other: Other,
    marker: u64,
    _server: RedisServer,
}

impl Bench {
    async fn start() -> Self {
        Self::start_with(patient()).await
    }

    async fn start_with(options: CacheOptions) -> Self {
        let server = RedisServer::start_with(&["--enable-debug-command", "local"]).unwrap();
        let far = redis(&server.addr(), "sess:");
        let cached = Cached::coherent(far.clone(), options).unwrap();
        let mut other = Other::connect(&server.addr(), "sess:").await;
        other.run::<()>("SET", "marker", &[&numbered(0).to_json()]).await;
        kept(&cached, "marker").await;
        Self { cached, far, other, marker: 0, _server: server }
    }

    /// Waits until the announcements of all changes so far have arrived.
    async fn announced(&mut self) {
        self.marker += 1;
        let record = numbered(self.marker).to_json().into_owned();
        self.other.run::<()>("SET", "marker", &[&record]).await;
        let began = Instant::now();
        while number(&self.cached.get("marker").await.unwrap().unwrap()) < self.marker {
            assert!(began.elapsed() < SOON, "{:?}", self.cached.stats());
            sleep(Duration::from_millis(1)).await;
        }
        kept(&self.cached, "marker").await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn no_session_is_served_after_logouts_elsewhere() {
    let mut bench = Bench::start().await;
    let ids: Vec<_> = (0..1_000).map(|_| unique("sid")).collect();
    for sid in &ids {
        bench.far.set(sid, &numbered(1)).await.unwrap();
    }
    bench.announced().await;
    for sid in &ids {
        kept(&bench.cached, sid).await;
    }
    for sid in &ids {
        assert_eq!(bench.other.run::<u64>("DEL", sid, &[]).await, 1);
    }
    bench.announced().await;
    let mut served = 0;
    for sid in &ids {
        served += usize::from(bench.cached.get(sid).await.unwrap().is_some());
    }
    assert_eq!(served, 0);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn every_kind_of_change_is_seen() {
    let mut bench = Bench::start().await;
    let record = |number: u64| numbered(number).to_json().into_owned();
    for (change, rest, wanted) in [
        ("SET", vec![record(2), "EX".to_owned(), "60".to_owned()], Some(2)),
        ("GETSET", vec![record(3)], Some(3)),
        ("DEL", vec![], None),
        ("UNLINK", vec![], None),
        ("RENAME", vec!["sess:elsewhere".to_owned()], None),
        ("EXPIRE", vec!["-1".to_owned()], None),
    ] {
        bench.other.run::<()>("SET", "a", &[&record(1)]).await;
        bench.announced().await;
        kept(&bench.cached, "a").await;
        let rest: Vec<_> = rest.iter().map(String::as_str).collect();
        bench.other.run::<redis::Value>(change, "a", &rest).await;
        bench.announced().await;
        let read = bench.cached.get("a").await.unwrap();
        assert_eq!(read.as_ref().map(number), wanted, "{change}");
    }
    // A session that did not exist, and does now.
    assert_eq!(bench.cached.get("b").await.unwrap(), None);
    kept(&bench.cached, "b").await;
    bench.other.run::<()>("SET", "b", &[&record(1)]).await;
    bench.announced().await;
    assert!(bench.cached.get("b").await.unwrap().is_some());
    kept(&bench.cached, "b").await;
    bench.other.run_plain("FLUSHALL", &[]).await;
    bench.other.run::<()>("SET", "marker", &[&record(bench.marker)]).await;
    let began = Instant::now();
    while bench.cached.get("b").await.unwrap().is_some() {
        assert!(began.elapsed() < SOON, "{:?}", bench.cached.stats());
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_session_that_has_expired_is_not_served_although_redis_removes_it_later() {
    let mut bench = Bench::start().await;
    // Nothing announces an expired key before Redis has removed it.
    bench.other.run_plain("DEBUG", &["SET-ACTIVE-EXPIRE", "0"]).await;
    for _ in 0..5 {
        let record = numbered(1).to_json().into_owned();
        bench.other.run::<()>("SET", "a", &[&record, "PX", "400"]).await;
        let written = Instant::now();
        bench.announced().await;
        bench.cached.get("a").await.unwrap();
        sleep(Duration::from_millis(420).saturating_sub(written.elapsed())).await;
        assert_eq!(bench.cached.get("a").await.unwrap(), None);
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn reads_of_a_hot_session_send_nothing() {
    let mut bench = Bench::start().await;
    bench.far.set("a", &numbered(1)).await.unwrap();
    bench.announced().await;
    kept(&bench.cached, "a").await;
    bench.other.run_plain("CONFIG", &["RESETSTAT"]).await;
    for _ in 0..1_000 {
        assert!(bench.cached.get("a").await.unwrap().is_some());
    }
    let mut stats = String::new();
    for line in info(&mut bench.other).await.lines() {
        if line.starts_with("cmdstat_get:") || line.starts_with("cmdstat_pttl:") {
            stats.push_str(line);
        }
    }
    assert_eq!(stats, "");
}

async fn info(other: &mut Other) -> String {
    other.ask("INFO", &["commandstats"]).await
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_session_is_extended_once_per_interval_and_by_what_redis_says_is_left() {
    let options = patient().with_touch_interval(Duration::from_secs(600));
    let mut bench = Bench::start_with(options).await;
    let day = Some(Duration::from_secs(86_400));
    let mut session = numbered(1);
    let now_ms = cloakroom_core::Clock::system().now_ms();
    session.cookie_mut().set_max_age_ms(Some(86_400_000), now_ms).unwrap();
    bench.far.set("a", &session).await.unwrap();
    bench.announced().await;
    kept(&bench.cached, "a").await;
    bench.other.run_plain("CONFIG", &["RESETSTAT"]).await;
    for _ in 0..100 {
        assert!(bench.cached.get_and_touch("a", day).await.unwrap().is_some());
        assert_eq!(bench.cached.touch("a", &session).await.unwrap(), Touched::NotDue);
    }
    let stats = info(&mut bench.other).await;
    assert!(!stats.contains("cmdstat_getex") && !stats.contains("cmdstat_expire"), "{stats}");
    // Another program has shortened the time, so the session would end.
    assert_eq!(bench.other.run::<u64>("EXPIRE", "a", &["100"]).await, 1);
    bench.announced().await;
    kept(&bench.cached, "a").await;
    assert_eq!(bench.cached.touch("a", &session).await.unwrap(), Touched::Extended);
    let left = bench.other.run::<u64>("TTL", "a", &[]).await;
    assert!(left > 86_000, "{left}");
    // A logout elsewhere.
    assert_eq!(bench.other.run::<u64>("DEL", "a", &[]).await, 1);
    bench.announced().await;
    assert_eq!(bench.cached.touch("a", &session).await.unwrap(), Touched::Missing);
    assert_eq!(bench.cached.get_and_touch("a", day).await.unwrap(), None);
}
