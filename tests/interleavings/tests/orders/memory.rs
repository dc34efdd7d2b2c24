//! The memory store: what it has acknowledged is there, and what has ended is not, whatever the order of the steps.

use cloakroom_interleavings::{
    Atomic, Clock, Created, Enumerate, MemoryOptions, MemoryStore, SessionData, Store, Touched,
    Updated,
};
use futures::StreamExt;
use shuttle::{future::block_on, thread};

use crate::in_any_order;

const NOW_MS: i64 = 1_700_000_000_000;

/// A store with several locks, and its clock.
fn store() -> (MemoryStore, Clock) {
    let clock = Clock::fixed(NOW_MS);
    let options = MemoryOptions::default().with_max_sessions(1 << 17).with_clock(clock.clone());
    (MemoryStore::with_options(options), clock)
}

fn session(member: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert(member, true).unwrap();
    session
}

/// A session that ends in a second.
fn short() -> SessionData {
    let mut session = SessionData::new();
    session.cookie_mut().set_max_age_ms(Some(1_000), NOW_MS).unwrap();
    session
}

/// Runs each work on a thread of its own.
fn at_once(store: &MemoryStore, works: &[fn(&MemoryStore)]) -> Vec<thread::JoinHandle<()>> {
    let start = |work: &fn(&MemoryStore)| {
        let (store, work) = (store.clone(), *work);
        thread::spawn(move || work(&store))
    };
    works.iter().map(start).collect()
}

fn join_all(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Adds a member to a session until the store takes it.
fn add(store: &MemoryStore, sid: &str, member: &str) {
    let mut read = block_on(store.get(sid)).unwrap().unwrap();
    loop {
        read.insert(member, true).unwrap();
        match block_on(store.update(sid, &read)).unwrap() {
            Updated::Stored(_) => return,
            Updated::Conflict(newer) => read = newer,
            Updated::Gone => panic!("nobody has destroyed it"),
        }
    }
}

#[test]
fn no_update_that_was_acknowledged_is_lost() {
    in_any_order(|| {
        let (store, _) = store();
        for sid in ["one", "other"] {
            block_on(store.set(sid, &SessionData::new())).unwrap();
        }
        join_all(at_once(
            &store,
            &[
                |store| add(store, "one", "a"),
                |store| add(store, "one", "b"),
                |store| {
                    add(store, "other", "c");
                    add(store, "one", "c");
                },
                |store| {
                    let ttl = block_on(store.get_and_touch("one", None)).unwrap();
                    assert!(ttl.is_some());
                },
            ],
        ));
        for (sid, members) in [("one", &["a", "b", "c"][..]), ("other", &["c"])] {
            let stored = block_on(store.get(sid)).unwrap().unwrap();
            for member in members {
                assert_eq!(stored.get(member).unwrap(), Some(true), "{sid} {member}");
            }
        }
    });
}

#[test]
fn nothing_brings_back_what_was_destroyed() {
    in_any_order(|| {
        let (store, _) = store();
        block_on(store.set("sid", &session("old"))).unwrap();
        join_all(at_once(
            &store,
            &[
                |store| block_on(store.destroy("sid")).unwrap(),
                |store| {
                    if let Some(read) = block_on(store.get("sid")).unwrap() {
                        block_on(store.update("sid", &read)).unwrap();
                    }
                },
                |store| {
                    block_on(store.touch("sid", &session("old"))).unwrap();
                },
                |store| drop(block_on(store.get_and_touch("sid", None)).unwrap()),
            ],
        ));
        assert_eq!(block_on(store.get("sid")).unwrap(), None);
        assert_eq!(block_on(store.length()).unwrap(), 0);
    });
}

#[test]
fn an_update_of_a_session_that_was_destroyed_does_not_change_the_next_one() {
    in_any_order(|| {
        let (store, _) = store();
        block_on(store.set("sid", &session("old"))).unwrap();
        let mut read = block_on(store.get("sid")).unwrap().unwrap();
        read.insert("late", true).unwrap();
        let updater = {
            let store = store.clone();
            thread::spawn(move || drop(block_on(store.update("sid", &read)).unwrap()))
        };
        block_on(store.destroy("sid")).unwrap();
        let created = block_on(store.create("sid", &session("new"))).unwrap();
        assert!(matches!(created, Created::Stored(_)));
        updater.join().unwrap();
        let stored = block_on(store.get("sid")).unwrap().unwrap();
        assert_eq!(stored.get("new").unwrap(), Some(true));
        assert!(!stored.contains("old") && !stored.contains("late"));
    });
}

#[test]
fn what_has_expired_stays_so_and_what_was_extended_lives() {
    in_any_order(|| {
        let (store, clock) = store();
        block_on(store.set("sid", &short())).unwrap();
        let toucher = {
            let store = store.clone();
            // It ends in a day.
            thread::spawn(move || block_on(store.touch("sid", &session("a"))).unwrap())
        };
        let updater = {
            let store = store.clone();
            thread::spawn(move || {
                let read = block_on(store.get("sid")).unwrap()?;
                Some(block_on(store.update("sid", &read)).unwrap())
            })
        };
        let sweeper = at_once(&store, &[|store| block_on(store.set("other", &short())).unwrap()]);
        thread::yield_now();
        clock.advance(2_000);
        let first = block_on(store.get("sid")).unwrap().is_some();
        let was_extended = match toucher.join().unwrap() {
            Touched::Extended => true,
            Touched::Missing => false,
            other => panic!("{other:?}"),
        };
        let was_updated = matches!(updater.join().unwrap(), Some(Updated::Stored(_)));
        join_all(sweeper);
        let last = block_on(store.get("sid")).unwrap().is_some();
        assert!(first || !last, "it came back");
        assert!(!was_extended || was_updated || last, "it was extended, and is gone");
        assert!(was_extended || was_updated || !last, "nobody extended it");
    });
}

#[test]
fn a_listing_has_all_that_was_stored_before_it_and_nothing_that_was_destroyed() {
    in_any_order(|| {
        let (store, _) = store();
        let ids = ["a", "b", "c", "d", "e"];
        for sid in &ids[..3] {
            block_on(store.set(sid, &SessionData::new())).unwrap();
        }
        block_on(store.destroy("c")).unwrap();
        let writers = at_once(
            &store,
            &[
                |store| block_on(store.set("d", &SessionData::new())).unwrap(),
                |store| {
                    block_on(store.set("e", &SessionData::new())).unwrap();
                    block_on(store.destroy("e")).unwrap();
                },
            ],
        );
        let listed: Vec<_> = block_on(store.ids().map(Result::unwrap).collect());
        assert!(["a", "b"].iter().all(|sid| listed.iter().any(|listed| listed == sid)));
        assert!(listed.iter().all(|listed| listed != "c"));
        let length = block_on(store.length()).unwrap();
        assert!((2..=4).contains(&length), "{length}");
        join_all(writers);
        let mut listed: Vec<_> = block_on(store.ids().map(Result::unwrap).collect());
        listed.sort();
        assert_eq!(listed, ["a", "b", "d"]);
    });
}
