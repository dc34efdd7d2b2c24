//! One store on several runtimes, on those that end, and on those that lack something.

use std::{sync::LazyLock, thread};

use cloakroom_core::{Error, ErrorKind, Store};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::Memcached;
use tokio::runtime::{Builder, Runtime};

use crate::{Bench, atomic, large, listing, options, session};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// As an application has it, and its tests share it.
static STORE: LazyLock<(Memcached, MemcachedStore)> = LazyLock::new(|| {
    let server = Memcached::start().unwrap();
    let store = MemcachedStore::open(&format!("{}?prefix=s:", server.url())).unwrap();
    (server, store)
});

async fn use_it(name: &str) {
    let store = &STORE.1;
    for turn in 0..20 {
        let sid = format!("{name}-{turn}");
        store.set(&sid, &session()).await.unwrap();
        let read = store.get(&sid).await.unwrap().unwrap();
        atomic(store).update(&sid, &read).await.unwrap();
        store.destroy(&sid).await.unwrap();
    }
    // Calls that are cut off by the end of the runtime.
    for _ in 0..4 {
        tokio::spawn(async { while STORE.1.get("a").await.is_ok() {} });
    }
    tokio::task::yield_now().await;
}

#[test]
#[ignore = "needs memcached"]
fn a_static_store_works_on_runtimes_that_come_and_go() {
    for round in 0..25 {
        let runtimes = (0..4).map(|number| {
            thread::spawn(move || {
                let runtime = match number {
                    0 => {
                        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
                    }
                    _ => current_thread(),
                };
                runtime.block_on(use_it(&format!("{round}-{number}")));
            })
        });
        for runtime in runtimes.collect::<Vec<_>>() {
            runtime.join().unwrap_or_else(|_| panic!("in round {round}"));
        }
    }
}

#[test]
#[ignore = "needs memcached"]
fn a_runtime_that_stands_still_holds_up_no_other() {
    let bench = Bench::with(options(|options| options.pool_size = 2));
    let still = current_thread();
    still.block_on(async {
        for _ in 0..10 {
            let store = bench.store.clone();
            tokio::spawn(async move { while store.get("a").await.is_ok() {} });
        }
        // The tasks have begun, hold what there is to hold, and are never run again.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    });
    current_thread().block_on(async {
        for _ in 0..10 {
            bench.store.set("a", &session()).await.unwrap();
        }
    });
    still.block_on(async { bench.store.set("a", &session()).await.unwrap() });
}

#[test]
#[ignore = "needs memcached"]
fn runtimes_that_have_ended_leave_no_connections_behind() {
    let bench = Bench::start();
    for _ in 0..20 {
        current_thread().block_on(async {
            futures::future::join_all((0..5).map(|_| bench.store.get("a"))).await;
        });
    }
    current_thread().block_on(async { bench.store.ping().await.unwrap() });
    let mut raw = bench.raw();
    // The server sees their end a little later.
    while raw.stat("curr_connections") > 10 {
        thread::yield_now();
    }
}

async fn all_errors(store: &MemcachedStore) -> Vec<Error> {
    let read = session().with_revision(cloakroom_core::Revision::from_number(7));
    vec![
        store.get("a").await.unwrap_err(),
        store.set("a", &session()).await.unwrap_err(),
        store.set("a", &large(5_000)).await.unwrap_err(),
        store.touch("a", &session()).await.unwrap_err(),
        store.destroy("a").await.unwrap_err(),
        atomic(store).create("a", &session()).await.unwrap_err(),
        atomic(store).update("a", &read).await.unwrap_err(),
        atomic(store).get_and_touch("a", None).await.unwrap_err(),
        listing(store).length().await.unwrap_err(),
        listing(store).clear().await.unwrap_err(),
        store.ping().await.unwrap_err(),
        store.flush_servers().await.unwrap_err(),
    ]
}

#[test]
fn a_runtime_without_timers_or_io_is_a_config_error() {
    let urls =
        ["memcached://127.0.0.1:1?prefix=s:", "memcached://localhost:1,localhost:2?prefix=s:"];
    #[cfg(feature = "encryption")]
    let urls = [urls[0], urls[1], "memcached://127.0.0.1:1?prefix=s:&secret=S3cre%2B_Squ1rr3l"];
    for url in urls {
        let store = MemcachedStore::open(url).unwrap();
        for (missing, runtime) in [
            (
                "has no time driver: build it with enable_time or enable_all",
                Builder::new_current_thread().build(),
            ),
            (
                "has no time driver: build it with enable_time or enable_all",
                Builder::new_current_thread().enable_io().build(),
            ),
            (
                "has no I/O driver: build it with enable_io or enable_all",
                Builder::new_current_thread().enable_time().build(),
            ),
            (
                "has no I/O driver: build it with enable_io or enable_all",
                Builder::new_multi_thread().worker_threads(1).enable_time().build(),
            ),
        ] {
            for error in runtime.unwrap().block_on(all_errors(&store)) {
                assert_eq!(error.kind(), ErrorKind::Config, "{error}");
                assert!(error.to_string().contains(missing), "{error}");
                assert!(!error.outcome_unknown());
            }
        }
    }
}
