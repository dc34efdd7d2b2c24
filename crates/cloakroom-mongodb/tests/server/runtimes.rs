//! Runtimes that end.

use cloakroom_core::Store;
use cloakroom_mongodb::{IndexStatus, MongoStore};
use cloakroom_test_support::{Wait, unique};
use tokio::runtime::{Builder, Runtime};

use crate::{SERVER, session};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
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
        let wait = Wait::until("the index is there");
        while !matches!(store.index_status(), IndexStatus::Ready) {
            wait.check();
            store.get("a").await.unwrap();
        }
    });
}
