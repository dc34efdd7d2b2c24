//! Reads and writes that meet, fail, panic or are dropped.

use std::{panic::AssertUnwindSafe, pin::pin};

use cloakroom_core::{Atomic, Store};
use futures::{FutureExt, executor::block_on, poll};

use crate::{cached, session, text};

#[test]
fn a_read_that_began_before_a_write_is_not_kept() {
    let (cached, far, _) = cached();
    block_on(async {
        far.store.set("a", &session("old")).await.unwrap();
        // The store has answered, and the answer is on its way.
        let release = far.hold_after();
        let mut read = pin!(cached.get("a"));
        assert!(poll!(read.as_mut()).is_pending());
        cached.set("a", &session("new")).await.unwrap();
        release.send(()).unwrap();
        assert_eq!(text(read.await.unwrap()).unwrap(), "old", "it began before the write");
        assert_eq!(text(cached.get("a").await.unwrap()).unwrap(), "new");
    });
}

#[test]
fn a_read_during_a_write_is_not_kept() {
    let (cached, far, _) = cached();
    block_on(async {
        far.store.set("a", &session("old")).await.unwrap();
        let release = far.hold_before();
        let new = session("new");
        let mut write = pin!(cached.set("a", &new));
        assert!(poll!(write.as_mut()).is_pending());
        assert_eq!(text(cached.get("a").await.unwrap()).unwrap(), "old");
        release.send(()).unwrap();
        write.await.unwrap();
        assert_eq!(text(cached.get("a").await.unwrap()).unwrap(), "new");
    });
}

#[test]
fn a_write_that_is_dropped_or_fails_leaves_no_entry() {
    let (cached, far, _) = cached();
    block_on(async {
        far.store.set("a", &session("old")).await.unwrap();
        cached.get("a").await.unwrap();
        // The store has carried it out, and nobody waits for the answer.
        let _release = far.hold_after();
        {
            let new = session("new");
            let mut write = pin!(cached.set("a", &new));
            assert!(poll!(write.as_mut()).is_pending());
        }
        assert_eq!(text(cached.get("a").await.unwrap()).unwrap(), "new");
        let reads = far.calls("get");
        far.fail_next();
        cached.destroy("a").await.unwrap_err();
        cached.get("a").await.unwrap();
        assert_eq!(far.calls("get"), reads + 1);
    });
}

#[test]
fn a_read_that_is_dropped_fails_or_panics_leaves_nothing_behind() {
    let (cached, far, _) = cached();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        {
            let _release = far.hold_before();
            let mut read = pin!(cached.get("a"));
            assert!(poll!(read.as_mut()).is_pending());
        }
        far.fail_next();
        cached.get("a").await.unwrap_err();
        far.fail_next();
        cached.get_and_touch("a", None).await.unwrap_err();
        far.panic_next();
        AssertUnwindSafe(cached.get("a")).catch_unwind().await.unwrap_err();
        let reads = far.calls("get");
        for _ in 0..3 {
            assert_eq!(text(cached.get("a").await.unwrap()).unwrap(), "ann");
        }
        assert_eq!(far.calls("get"), reads + 1, "the first of them is kept");
    });
}

#[test]
fn reads_that_meet_do_not_wait_for_each_other() {
    let (cached, far, _) = cached();
    block_on(async {
        far.store.set("a", &session("ann")).await.unwrap();
        let _release = far.hold_before();
        let mut slow = pin!(cached.get("a"));
        assert!(poll!(slow.as_mut()).is_pending());
        assert!(cached.get("a").await.unwrap().is_some());
    });
}
