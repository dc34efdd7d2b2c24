//! Coherent mode on a master that sentinels name, while another server becomes the master.

use std::time::{Duration, Instant};

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::Store;
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_support::{SentinelSet, Wait};
use tokio::{task::block_in_place, time::sleep};

use crate::{SOON, behind::Other, kept, number, numbered};

/// Waits until a session that another program has changed is seen.
async fn seen(cached: &Cached, wanted: u64) {
    let began = Instant::now();
    while number(&cached.get("a").await.unwrap().unwrap()) < wanted {
        assert!(began.elapsed() < SOON, "{:?}", cached.stats());
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn after_a_failover_only_the_new_master_vouches_for_what_is_in_memory() {
    let mut set = SentinelSet::start().unwrap();
    // Neither a question nor silence ends the lease during this test.
    let options = CacheOptions::default().with_max_silence(Duration::from_secs(86_400));
    let redis = RedisOptions::default().with_deadline(SOON);
    let far = RedisStore::open_with(&set.url(), redis).unwrap();
    let cached = Cached::coherent(far.clone(), options).unwrap();
    far.set("a", &numbered(1)).await.unwrap();
    kept(&cached, "a").await;
    let wait = Wait::until("the replica has the session");
    while set.ask(1, &["DBSIZE"]).unwrap() != "1" {
        wait.check();
        sleep(Duration::from_millis(10)).await;
    }
    // The connections to it stay open, and nothing is announced on them.
    set.server(0).pause().unwrap();
    let hits = cached.stats().hits;
    seen(&cached, 1).await;
    assert!(cached.stats().hits > hits, "a frozen server answers nothing");
    block_in_place(|| set.wait_for_another_master(0)).unwrap();
    let mut other = Other::connect(&set.master_addr().unwrap(), "sess:").await;
    for written in [2, 3] {
        other.run::<()>("SET", "a", &[&numbered(written).to_json()]).await;
        seen(&cached, written).await;
        kept(&cached, "a").await;
    }
    set.server(0).resume().unwrap();
}
