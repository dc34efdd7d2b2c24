//! Writes go to the store, and no entry survives them.

use std::time::Duration;

use cloakroom_cache::Cached;
use cloakroom_compat::{ExpressSession, ExpressSessionOptions};
use cloakroom_core::{Atomic, Clock, Enumerate, SessionData, Store, Updated};
use futures::executor::block_on;

use crate::{Behind, HOUR, NOW, cached, session, text};

#[test]
fn a_process_reads_its_own_writes() {
    let (cached, far, _) = cached();
    block_on(async {
        let read = async || text(cached.get("a").await.unwrap());
        assert_eq!(read().await, None);
        cached.create("a", &session("created")).await.unwrap();
        assert_eq!(read().await.unwrap(), "created");
        cached.set("a", &session("set")).await.unwrap();
        assert_eq!(read().await.unwrap(), "set");
        let mut loaded = cached.get("a").await.unwrap().unwrap();
        loaded.insert("text", "updated").unwrap();
        assert!(matches!(cached.update("a", &loaded).await.unwrap(), Updated::Stored(_)));
        assert_eq!(read().await.unwrap(), "updated");
        cached.destroy("a").await.unwrap();
        assert_eq!(read().await, None);
        cached.set("a", &session("again")).await.unwrap();
        assert_eq!(read().await.unwrap(), "again");
        cached.clear().await.unwrap();
        assert_eq!(read().await, None);
    });
    for (operation, calls) in [("create", 1), ("set", 2), ("update", 1), ("destroy", 1)] {
        assert_eq!(far.calls(operation), calls, "{operation}");
    }
}

#[test]
fn a_stale_entry_is_a_conflict_and_the_next_read_is_fresh() {
    let (cached, far, _) = cached();
    block_on(async {
        far.store.set("a", &session("old")).await.unwrap();
        let mut stale = cached.get("a").await.unwrap().unwrap();
        far.store.set("a", &session("new")).await.unwrap();
        assert_eq!(text(cached.get("a").await.unwrap()).unwrap(), "old");
        stale.insert("mine", 1).unwrap();
        let Updated::Conflict(current) = cached.update("a", &stale).await.unwrap() else {
            panic!("the store must notice that the entry was old");
        };
        assert_eq!(text(Some(current)).unwrap(), "new");
        assert_eq!(text(cached.get("a").await.unwrap()).unwrap(), "new");

        far.store.destroy("a").await.unwrap();
        let mut stale = cached.get("a").await.unwrap().unwrap();
        stale.insert("mine", 1).unwrap();
        assert!(matches!(cached.update("a", &stale).await.unwrap(), Updated::Gone));
        assert_eq!(cached.get("a").await.unwrap(), None);
    });
}

#[test]
fn modify_loses_nothing_through_two_caches_whose_entries_are_always_old() {
    let clock = Clock::fixed(NOW);
    let far = Behind::new(&clock);
    block_on(far.store.set("a", &SessionData::new())).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let handles: Vec<_> = (0..2)
        .map(|_| {
            let options = cloakroom_cache::CacheOptions::default()
                .with_max_stale(HOUR)
                .with_clock(clock.clone());
            let patient = ExpressSessionOptions::default().with_deadline(Duration::from_secs(60));
            ExpressSession::with_options(Cached::new(far.store(), options), patient)
        })
        .collect();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|number: usize| {
                let handle = handles[number % 2].clone();
                tokio::spawn(async move {
                    for _ in 0..50 {
                        let add = |session: &mut SessionData| {
                            let count: u64 = session.get("count")?.unwrap_or(0);
                            session.insert("count", count + 1)
                        };
                        handle.modify("a", add).await.unwrap();
                        handle.get("a").await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let stored = block_on(far.store.get("a")).unwrap().unwrap();
    assert_eq!(stored.get::<u64>("count").unwrap(), Some(400));
}
