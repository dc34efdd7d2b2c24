//! The writers of one session wait for each other, whatever the order of their steps.

use std::{
    future::{Future, Pending, Ready, pending},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use cloakroom_interleavings::{Turn, execution};
use shuttle::{
    future::{block_on, yield_now},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

const PATIENCE: Duration = Duration::from_secs(1);

/// Runs the test in many orders, and looks each time whether it leaves anything behind.
fn in_any_order(test: fn()) {
    // What the included code keeps in a `static` is one for all tests.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    crate::in_any_order(move || {
        execution();
        test();
        is_left_alone();
    });
}

/// A timer that never fires.
fn never(_: Duration) -> Option<Pending<()>> {
    Some(pending())
}

/// A timer that fires some time.
fn soon(_: Duration) -> Option<impl Future<Output = ()> + Send> {
    Some(yield_now())
}

fn no_timer(_: Duration) -> Option<Ready<()>> {
    None
}

/// Nobody has the turn, and nobody waits for it.
fn is_left_alone() {
    let turn = block_on(Turn::take("store", "sid", PATIENCE, no_timer));
    assert!(turn.is_some(), "somebody has it still");
}

/// Polls a future once, and drops it.
fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[test]
fn two_never_have_the_turn_and_everybody_gets_it() {
    in_any_order(|| {
        let (inside, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let (inside, count) = (Arc::clone(&inside), Arc::clone(&count));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let turn = block_on(Turn::take("store", "sid", PATIENCE, never)).unwrap();
                        assert!(!inside.swap(true, Ordering::SeqCst), "two have the turn");
                        thread::yield_now();
                        inside.store(false, Ordering::SeqCst);
                        count.fetch_add(1, Ordering::SeqCst);
                        drop(turn);
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(count.load(Ordering::SeqCst), 6);
    });
}

#[test]
fn a_waiter_that_is_dropped_at_any_moment_holds_up_nobody() {
    in_any_order(|| {
        let dropped =
            thread::spawn(|| drop(poll_once(Turn::take("store", "sid", PATIENCE, never))));
        let writers: Vec<_> = (0..2)
            .map(|_| {
                thread::spawn(|| {
                    let turn = block_on(Turn::take("store", "sid", PATIENCE, never));
                    assert!(turn.is_some());
                })
            })
            .collect();
        dropped.join().unwrap();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
}

#[test]
fn a_stuck_holder_is_overtaken_and_its_end_harms_nobody() {
    in_any_order(|| {
        let stuck = block_on(Turn::take("store", "sid", PATIENCE, never)).unwrap();
        let writers: Vec<_> = (0..2)
            .map(|_| {
                thread::spawn(|| {
                    let turn = block_on(Turn::take("store", "sid", PATIENCE, soon));
                    assert!(turn.is_some());
                })
            })
            .collect();
        // It ends while others overtake it, or later.
        thread::yield_now();
        drop(stuck);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
}

#[test]
fn code_without_turns_waits_for_nobody() {
    in_any_order(|| {
        let turn = block_on(Turn::take("store", "sid", PATIENCE, never)).unwrap();
        let other = thread::spawn(|| {
            let nested = || block_on(Turn::take("store", "sid", PATIENCE, never));
            assert!(Turn::without_turns(nested).is_none());
            assert!(nested().is_some(), "it waits again");
        });
        thread::yield_now();
        drop(turn);
        other.join().unwrap();
    });
}
