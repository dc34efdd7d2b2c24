//! What the docs of `MemoryStore` say about its memory and its options, and that many threads may use it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{sync::Arc, thread, time::Duration};

use cloakroom_core::{
    Clock, Enumerate, MemoryOptions, MemoryStore, SessionData, Store, generate_id,
};
use futures::executor::block_on;

#[test]
fn a_session_takes_its_record_its_id_and_at_most_250_bytes() {
    let mut session = SessionData::new();
    session.insert("user", "ann").unwrap();
    // Between doublings of the maps, and just behind one, where they are half empty.
    for sessions in [20_000, 28_000, 30_000, 50_000] {
        let ids: Vec<String> = (0..sessions).map(|_| generate_id().unwrap()).collect();
        let store = MemoryStore::new();
        let counted = allocation_counter::measure(|| {
            for sid in &ids {
                block_on(store.set(sid, &session)).unwrap();
            }
        });
        let own = (session.to_json().len() + ids[0].len()) as i64;
        let besides = counted.bytes_current / sessions - own;
        assert!((0..=250).contains(&besides), "{besides} bytes a session besides record and id");
    }
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
