//! Runtimes that end, that run side by side, and that lack something.

use std::{sync::LazyLock, thread};

use cloakroom_core::{Error, ErrorKind, Store};
use cloakroom_mongodb::{IndexStatus, MongoStore};
use cloakroom_test_support::unique;
use tokio::runtime::{Builder, Runtime};

use crate::{SERVER, atomic, listing, session};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
#[ignore = "needs mongod"]
fn a_static_store_works_on_runtimes_that_end_side_by_side() {
    static STORE: LazyLock<MongoStore> =
        LazyLock::new(|| MongoStore::open(&format!("{}/static", SERVER.url())).unwrap());
    let round = |thread: usize| {
        for round in 0..25 {
            let runtime =
                if (thread + round).is_multiple_of(2) { current_thread() } else { multi_thread() };
            runtime.block_on(async {
                let sid = unique("sid");
                STORE.set(&sid, &session()).await.unwrap();
                let read = STORE.get(&sid).await.unwrap().unwrap();
                atomic(&STORE).update(&sid, &read).await.unwrap();
                STORE.destroy(&sid).await.unwrap();
            });
        }
    };
    let threads: Vec<_> = (0..8).map(|number| thread::spawn(move || round(number))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
#[ignore = "needs mongod"]
fn what_a_runtime_had_begun_is_begun_again_on_the_next() {
    let url = format!("{}/runtimes?collectionName={}", SERVER.url(), unique("sessions"));
    let store = MongoStore::open(&url).unwrap();
    // The index is asked for after the first operation, with which this runtime ends.
    current_thread().block_on(store.set("a", &session())).unwrap();
    let runtime = current_thread();
    runtime.block_on(async {
        while !matches!(store.index_status(), IndexStatus::Ready) {
            store.get("a").await.unwrap();
        }
    });
}

/// What a few operations answer on this runtime, those that encrypt among them.
fn errors(runtime: &Runtime, store: &MongoStore) -> Vec<Error> {
    runtime.block_on(async {
        vec![
            store.get("a").await.unwrap_err(),
            store.set("a", &session()).await.unwrap_err(),
            atomic(store).create("a", &session()).await.map(drop).unwrap_err(),
            listing(store).length().await.unwrap_err(),
            store.ping().await.unwrap_err(),
            store.ensure_index().await.unwrap_err(),
        ]
    })
}

#[test]
fn a_runtime_without_timers_or_io_is_a_config_error() {
    let mut urls = vec!["mongodb://127.0.0.1:1/app".to_owned()];
    if cfg!(feature = "encryption") {
        urls.push("mongodb://127.0.0.1:1/app?secret=squirrel".to_owned());
    }
    for url in urls {
        let store = MongoStore::open(&url).unwrap();
        for (runtime, missing) in [
            (
                Builder::new_current_thread().build().unwrap(),
                "has no time driver: build it with enable_time or enable_all",
            ),
            (
                Builder::new_current_thread().enable_io().build().unwrap(),
                "has no time driver: build it with enable_time or enable_all",
            ),
            (
                Builder::new_current_thread().enable_time().build().unwrap(),
                "has no I/O driver: build it with enable_io or enable_all",
            ),
            (
                Builder::new_multi_thread().worker_threads(1).build().unwrap(),
                "has no time driver: build it with enable_time or enable_all",
            ),
        ] {
            for error in errors(&runtime, &store) {
                assert_eq!(error.kind(), ErrorKind::Config, "{error}");
                assert!(error.to_string().contains(missing), "{error}");
                assert!(!error.outcome_unknown());
            }
        }
        let without = futures::executor::block_on(store.set("a", &session())).unwrap_err();
        assert_eq!(without.kind(), ErrorKind::Config, "{without}");
    }
}
