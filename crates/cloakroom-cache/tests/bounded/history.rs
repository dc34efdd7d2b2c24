//! No read is older than allowed, by a history of real threads and the real clock.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::{MemoryStore, SessionData, Store};
use futures::executor::block_on;

const MAX_STALE: Duration = Duration::from_millis(5);

fn numbered(number: u64) -> SessionData {
    let mut session = SessionData::new();
    session.insert("number", number).unwrap();
    session
}

/// Writes numbers behind the cache for a while, and checks each read against what had been answered before.
#[test]
fn no_read_is_older_than_allowed() {
    let far = MemoryStore::new();
    block_on(far.set("a", &numbered(0))).unwrap();
    let cached = Cached::new(far.clone(), CacheOptions::default().with_max_stale(MAX_STALE));
    // What was written, and when the store had answered.
    let written = Arc::new(Mutex::new(vec![(0, Instant::now())]));
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (cached, written) = (cached.clone(), Arc::clone(&written));
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let mut reads = 0;
                while !is_over.load(Ordering::SeqCst) {
                    let began = Instant::now();
                    let session = block_on(cached.get("a")).unwrap().unwrap();
                    let read: u64 = session.get("number").unwrap().unwrap();
                    let oldest = began.checked_sub(MAX_STALE);
                    let written = written.lock().unwrap();
                    let is_old = |(_, at): &&(u64, Instant)| Some(*at) <= oldest;
                    let must = written.iter().rev().find(is_old).map_or(0, |(number, _)| *number);
                    assert!(read >= must, "read {read}, but {must} was there in time");
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    for number in 1..=2_000 {
        block_on(far.set("a", &numbered(number))).unwrap();
        written.lock().unwrap().push((number, Instant::now()));
        thread::sleep(Duration::from_micros(100));
    }
    is_over.store(true, Ordering::SeqCst);
    let reads: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    let stats = cached.stats();
    assert_eq!(stats.hits + stats.misses, reads);
    assert!(stats.hits > 0 && stats.misses > 0, "{stats:?}");
}
