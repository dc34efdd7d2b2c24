//! A history of reads and of writes elsewhere, while the connection for invalidations is harmed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::Store;
use cloakroom_test_support::{Proxy, RedisServer};
use tokio::time::sleep;

use crate::{RESP2, active, behind::Other, number, numbered, redis};

const MOST: Duration = Duration::from_millis(100);

/// What was written, and when Redis had answered.
type Written = Arc<Mutex<Vec<(u64, Instant)>>>;

/// Reads until it is over, and checks that each read shows what was answered `MOST` before it began.
async fn read(cached: Cached, written: Written, is_over: Arc<AtomicBool>) -> u64 {
    let mut reads = 0;
    while !is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        let read = number(&cached.get("a").await.unwrap().unwrap());
        let oldest = began.checked_sub(MOST);
        let must = {
            let written = written.lock().unwrap();
            let is_old = |(_, at): &&(u64, Instant)| Some(*at) <= oldest;
            written.iter().rev().find(is_old).map_or(0, |(number, _)| *number)
        };
        assert!(read >= must, "read {read}, but {must} was there in time");
        reads += 1;
        tokio::task::yield_now().await;
    }
    reads
}

/// Writes and reads while `harm` runs.
async fn history(addr: &str, cached: &Cached, harm: impl Future<Output = ()>) -> (u64, u64) {
    let mut other = Other::connect(addr, "sess:").await;
    other.run::<()>("SET", "a", &[&numbered(0).to_json()]).await;
    let (written, is_over) = (Written::default(), Arc::new(AtomicBool::new(false)));
    written.lock().unwrap().push((0, Instant::now()));
    let before = cached.stats().hits;
    let readers: Vec<_> = (0..2)
        .map(|_| tokio::spawn(read(cached.clone(), Arc::clone(&written), Arc::clone(&is_over))))
        .collect();
    let writer = tokio::spawn({
        let (written, is_over) = (Arc::clone(&written), Arc::clone(&is_over));
        async move {
            let mut number = 0;
            while !is_over.load(Ordering::SeqCst) {
                number += 1;
                other.run::<()>("SET", "a", &[&numbered(number).to_json()]).await;
                written.lock().unwrap().push((number, Instant::now()));
                sleep(Duration::from_millis(2)).await;
            }
        }
    });
    harm.await;
    is_over.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    let mut reads = 0;
    for reader in readers {
        reads += reader.await.unwrap();
    }
    (reads, cached.stats().hits - before)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs redis-server"]
async fn in_coherent_mode_no_read_is_older_than_allowed_whatever_happens_to_the_connection() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start_sparing(&server.addr(), RESP2).unwrap();
    let options = CacheOptions::default().with_max_silence(MOST);
    let cached = Cached::coherent(redis(&proxy.addr(), "sess:"), options).unwrap();
    active(&cached).await;
    let (reads, hits) = history(&server.addr(), &cached, async {
        for round in 0..12 {
            sleep(Duration::from_millis(250)).await;
            match round % 3 {
                0 => proxy.silence(),
                1 => proxy.cut(),
                _ => proxy.lose_answers(),
            }
            sleep(Duration::from_millis(250)).await;
            proxy.pass();
        }
    })
    .await;
    assert!(reads > hits && hits > 0, "{hits} of {reads}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs redis-server"]
async fn in_coherent_mode_no_read_is_older_than_allowed_although_the_server_freezes() {
    let mut server = RedisServer::start().unwrap();
    let options = CacheOptions::default().with_max_silence(MOST);
    let cached = Cached::coherent(redis(&server.addr(), "sess:"), options).unwrap();
    active(&cached).await;
    let addr = server.addr();
    let (reads, hits) = history(&addr, &cached, async {
        for _ in 0..5 {
            sleep(Duration::from_millis(200)).await;
            server.pause().unwrap();
            sleep(Duration::from_millis(200)).await;
            server.resume().unwrap();
        }
    })
    .await;
    assert!(reads > hits && hits > 0, "{hits} of {reads}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs redis-server"]
async fn in_bounded_mode_no_read_is_older_than_allowed() {
    let server = RedisServer::start().unwrap();
    let options = CacheOptions::default().with_max_stale(MOST);
    let cached = Cached::new(redis(&server.addr(), "sess:"), options);
    let (reads, hits) = history(&server.addr(), &cached, sleep(Duration::from_secs(2))).await;
    assert!(reads > hits && hits > 0, "{hits} of {reads}");
}
