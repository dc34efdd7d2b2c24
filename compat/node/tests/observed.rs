//! The store under a subscriber of `tracing` that panics.

#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom_core::Store;
use tokio::time::timeout;
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

use common::{PATIENCE, odd, promisified, session};

static EVENTS: AtomicUsize = AtomicUsize::new(0);

struct Panics;

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        EVENTS.fetch_add(1, Ordering::SeqCst);
        panic!("a subscriber panics");
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_subscriber_that_panics_ends_no_thread() {
    // The threads of the store have no other subscriber.
    tracing::subscriber::set_global_default(Panics).unwrap();
    let (builder, _) = odd();
    let store = promisified(&builder.build().unwrap());
    for _ in 0..2 {
        // The child is announced, and ends.
        timeout(PATIENCE, store.set("a", &session("ann"))).await.unwrap().unwrap();
        timeout(PATIENCE, store.set("exits", &session("ann"))).await.unwrap().unwrap_err();
    }
    timeout(PATIENCE, store.set("a", &session("ann"))).await.unwrap().unwrap();
    assert!(EVENTS.load(Ordering::SeqCst) >= 4);
}
