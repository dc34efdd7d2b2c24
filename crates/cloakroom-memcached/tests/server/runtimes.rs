//! One store on several runtimes, and on those that end.

use std::thread;

use cloakroom_core::Store;
use tokio::runtime::{Builder, Runtime};

use crate::{Bench, options, session};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
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
