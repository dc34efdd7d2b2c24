//! What the docs of `MemoryStore` say about its memory and its options, and that many threads may use it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{sync::Arc, thread, time::Duration};

use cloakroom_core::{
    Atomic, Clock, Enumerate, MemoryOptions, MemoryStore, SessionData, Store, Touched, generate_id,
};
use futures::{StreamExt, TryStreamExt, executor::block_on};

const NOW: i64 = 1_700_000_000_000;

/// A store whose clock the test moves.
fn store(max_sessions: usize) -> (MemoryStore, Clock) {
    let clock = Clock::fixed(NOW);
    let options =
        MemoryOptions::default().with_max_sessions(max_sessions).with_clock(clock.clone());
    (MemoryStore::with_options(options), clock)
}

/// A session that lives for a minute.
fn minute(text: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert("text", text).unwrap();
    session.cookie_mut().set_max_age_ms(Some(60_000), NOW).unwrap();
    session
}

#[test]
fn a_session_takes_its_record_its_id_and_at_most_160_bytes() {
    let mut session = SessionData::new();
    session.insert("user", "ann").unwrap();
    for name in ["", "an id that is too long to be kept in place: "] {
        // Between doublings of the tables, and just behind one, where they are half empty.
        for sessions in [20_000, 35_000, 70_000] {
            let id = |_| name.to_owned() + &generate_id().unwrap();
            let ids: Vec<String> = (0..sessions).map(id).collect();
            let store = MemoryStore::new();
            let counted = allocation_counter::measure(|| {
                for sid in &ids {
                    block_on(store.set(sid, &session)).unwrap();
                }
            });
            let own = (session.to_json().len() + ids[0].len()) as i64;
            let besides = counted.bytes_current / sessions - own;
            assert!((0..=160).contains(&besides), "{besides} bytes besides record and id");
        }
    }
}

/// Stores that many sessions and returns the most bytes that one call allocated.
fn most_bytes_of_a_call(store: &MemoryStore, sessions: usize) -> u64 {
    let session = SessionData::new();
    let counted = (0..sessions).map(|number| {
        let sid = number.to_string();
        let set = || block_on(store.set(&sid, &session)).unwrap();
        allocation_counter::measure(set).bytes_total
    });
    counted.max().unwrap()
}

#[test]
fn no_call_copies_much_when_the_store_grows() {
    // One table of them all would be copied as a whole, in megabytes.
    let most = most_bytes_of_a_call(&MemoryStore::new(), 50_000);
    assert!(most < 100_000, "{most} bytes");
    // The most sessions that are under one lock.
    let most = most_bytes_of_a_call(&store(16_383).0, 16_383);
    assert!(most < 2_000_000, "{most} bytes");
}

#[test]
fn a_store_replaces_no_session_long_before_it_is_full() {
    let session = SessionData::new();
    // By chance, a lock of several is full before the others: at 94 % on average, and at 85 % in one of a million stores.
    for (max_sessions, percent) in
        [(100, 100), (1_024, 100), (2_000, 100), (16_383, 100), (16_384, 85), (40_000, 85)]
    {
        let (store, _) = store(max_sessions);
        let sessions = max_sessions * percent / 100;
        block_on(async {
            for number in 0..sessions {
                store.set(&number.to_string(), &session).await.unwrap();
            }
            assert_eq!(store.length().await.unwrap(), sessions as u64, "of {max_sessions}");
        });
    }
}

#[test]
fn a_call_removes_at_most_32_expired_sessions_and_all_are_gone_at_last() {
    const SESSIONS: u64 = 900;
    // So few are all under one lock.
    let (store, clock) = store(1_000);
    let (session, kept) = (minute("x"), SessionData::new());
    block_on(store.set("kept", &kept)).unwrap();
    let read = block_on(store.get("kept")).unwrap().unwrap();
    let held = allocation_counter::measure(|| {
        block_on(async {
            for number in 0..SESSIONS {
                store.set(&number.to_string(), &session).await.unwrap();
            }
            clock.advance(60_000);
            // They are still there, but nobody sees them.
            assert_eq!(store.length().await.unwrap(), 1);
            let ids: Vec<String> = store.ids().try_collect().await.unwrap();
            assert_eq!(ids, ["kept"]);
            assert_eq!(store.get("5").await.unwrap(), None);
            assert_eq!(store.touch("5", &kept).await.unwrap(), Touched::Missing);
            assert_eq!(store.get_and_touch("5", None).await.unwrap(), None);
        });
    });
    assert!(held.count_current > SESSIONS as i64 - 200, "it removed them at once");
    let calls: [&dyn Fn() -> bool; 8] = [
        &|| block_on(store.get("kept")).is_ok(),
        &|| block_on(store.set("kept", &kept)).is_ok(),
        &|| block_on(store.destroy("no id")).is_ok(),
        &|| block_on(store.touch("kept", &kept)).is_ok(),
        &|| block_on(store.create("kept", &kept)).is_ok(),
        &|| block_on(store.update("kept", &read)).is_ok(),
        &|| block_on(store.get_and_touch("kept", None)).is_ok(),
        &|| block_on(store.length()).is_ok(),
    ];
    let mut left = held.count_current;
    for call in calls.iter().cycle().take(SESSIONS as usize / 32 + 8) {
        let counted = allocation_counter::measure(|| assert!(call()));
        // Each session is one allocation.
        assert!(counted.count_current >= -32, "removed {} at once", -counted.count_current);
        left += counted.count_current;
    }
    assert!(left < 20, "{left} allocations are left");
    assert_eq!(block_on(store.length()).unwrap(), 1);
}

#[test]
fn a_call_gives_back_at_most_a_megabyte_and_a_record() {
    let (store, clock) = store(1_000);
    let large = minute(&"x".repeat(600_000));
    for number in 0..20 {
        block_on(store.set(&number.to_string(), &large)).unwrap();
    }
    clock.advance(60_000);
    let mut left = 20 * 600_000;
    for _ in 0..10 {
        let counted = allocation_counter::measure(|| drop(block_on(store.get("id")).unwrap()));
        assert!(counted.bytes_current > -1_300_000, "{} bytes", -counted.bytes_current);
        left += counted.bytes_current;
    }
    assert!(left < 1_000, "{left} bytes are left");
}

#[test]
fn an_emptied_store_gives_its_memory_back() {
    let session = minute("x");
    for expires in [false, true] {
        let (store, clock) = store(1_000_000);
        let counted = allocation_counter::measure(|| {
            block_on(async {
                for number in 0..50_000 {
                    store.set(&number.to_string(), &session).await.unwrap();
                }
                if expires {
                    clock.advance(60_000);
                    for number in 0..50_000 {
                        store.get(&number.to_string()).await.unwrap();
                    }
                } else {
                    for number in 0..50_000 {
                        store.destroy(&number.to_string()).await.unwrap();
                    }
                }
            });
        });
        assert!(counted.bytes_max > 10_000_000);
        assert!(counted.bytes_current < 300_000, "{} bytes", counted.bytes_current);
    }
}

#[test]
fn a_listing_holds_what_is_under_one_lock_at_a_time() {
    let (store, _) = store(1_000_000);
    for number in 0..50_000 {
        block_on(store.set(&number.to_string(), &SessionData::new())).unwrap();
    }
    let mut listed = 0;
    let counted = allocation_counter::measure(|| {
        block_on(async {
            let mut ids = store.ids();
            while let Some(id) = ids.next().await {
                assert!(id.is_ok());
                listed += 1;
            }
            let mut all = store.all();
            while let Some(session) = all.next().await {
                assert!(session.is_ok());
                listed += 1;
            }
        });
    });
    assert_eq!(listed, 100_000);
    assert!(counted.bytes_max < 100_000, "{} bytes", counted.bytes_max);
}

#[test]
fn many_threads_share_a_store() {
    let store = Arc::new(MemoryStore::new());
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                for round in 0..500 {
                    let sid = format!("{number}-{round}");
                    let mut session = SessionData::new();
                    session.insert("round", round).unwrap();
                    block_on(async {
                        store.set(&sid, &session).await.unwrap();
                        let found = store.get(&sid).await.unwrap().unwrap();
                        assert_eq!(found.get::<u32>("round").unwrap(), Some(round));
                        if round % 2 == 0 {
                            store.destroy(&sid).await.unwrap();
                        }
                    });
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(block_on(store.length()).unwrap(), 8 * 250);
}

#[test]
fn the_option_ttl_is_the_life_of_browser_sessions_only() {
    let clock = Clock::fixed(1_700_000_000_000);
    let mut options = MemoryOptions::default();
    (options.ttl, options.clock) = (Duration::from_secs(60), clock.clone());
    let store = MemoryStore::with_options(options);
    let mut expiring = SessionData::new();
    expiring.cookie_mut().set_max_age_ms(Some(3_600_000), clock.now_ms()).unwrap();
    block_on(async {
        store.set("browser", &SessionData::new()).await.unwrap();
        store.set("expiring", &expiring).await.unwrap();
        clock.advance(59_999);
        assert_eq!(store.length().await.unwrap(), 2);
        clock.advance(1);
        assert_eq!(store.get("browser").await.unwrap(), None);
        assert!(store.get("expiring").await.unwrap().is_some());
        clock.advance(3_540_000);
        assert_eq!(store.get("expiring").await.unwrap(), None);
    });
}
