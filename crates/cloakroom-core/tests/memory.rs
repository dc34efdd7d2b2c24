//! What the docs of `MemoryStore` say about its memory, and that many threads may use it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{sync::Arc, thread};

use cloakroom_core::{Enumerate, MemoryStore, Session, Store, generate_id};
use futures::executor::block_on;

#[test]
fn a_session_takes_its_record_its_id_and_at_most_250_bytes() {
    let mut session = Session::new();
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
                    let mut session = Session::new();
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
