//! The connection that the calls of a runtime share.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use cloakroom_interleavings::{Connection, Joined, Shared, Start, runtime::Handle};
use shuttle::{
    future::{block_on, yield_now},
    thread,
};

use crate::in_any_order;

/// A connection, by the number of the attempt that made it.
#[derive(Debug)]
struct Line {
    number: usize,
    /// Whether it was lost. A silent one can come back, so it is not lost for ever.
    is_over: AtomicBool,
    /// Whether somebody leaves it, or has left it.
    is_left: AtomicBool,
    /// Whether no call that begins now may get it.
    is_gone: AtomicBool,
}

impl Line {
    fn new(number: usize) -> Self {
        let (is_over, is_left, is_gone) = Default::default();
        Self { number, is_over, is_left, is_gone }
    }
}

impl Connection for Line {
    type Failure = ();
    type Progress = usize;

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

/// The calls on one runtime. Its own locks are not shuttle's, so what it notes and checks is one step.
#[derive(Clone)]
struct Calls {
    shared: Shared<Line>,
    runtime: Handle,
    /// How many attempts fail before one succeeds.
    fail: usize,
    attempts: Arc<AtomicUsize>,
    /// The connections that calls got.
    used: Arc<Mutex<Vec<Arc<Line>>>>,
}

impl Calls {
    fn on(shared: &Shared<Line>, runtime: u32, fail: usize) -> Self {
        let (attempts, used) = Default::default();
        Self { shared: shared.clone(), runtime: Handle::begin(runtime), fail, attempts, used }
    }

    fn join(&self) -> Joined<Line> {
        self.shared.join(&self.runtime, |lost| {
            if let Some(lost) = lost {
                lost.is_left.store(true, Ordering::SeqCst);
            }
            let number = self.attempts.fetch_add(1, Ordering::SeqCst);
            let fails = number < self.fail;
            let connect = async move {
                yield_now().await;
                if fails { Err(()) } else { Ok(Arc::new(Line::new(number))) }
            };
            Start::Attempt(number, connect)
        })
    }

    /// A call that tries again until it has a connection, or its runtime has ended.
    fn call(&self) -> Option<Arc<Line>> {
        for _ in 0..10 {
            let is_gone = |line: &Arc<Line>| line.is_gone.load(Ordering::SeqCst);
            let gone: Vec<_> = self.used().into_iter().filter(is_gone).collect();
            match block_on(self.join().outcome()) {
                Ok(line) => {
                    let was_gone = gone.iter().any(|gone| Arc::ptr_eq(gone, &line));
                    assert!(!was_gone, "{line:?} was left before the call");
                    self.used.lock().unwrap().push(Arc::clone(&line));
                    self.check();
                    return Some(line);
                }
                Err(Some(())) => {}
                // Given up, or the end of the runtime.
                Err(None) => thread::yield_now(),
            }
        }
        None
    }

    fn used(&self) -> Vec<Arc<Line>> {
        self.used.lock().unwrap().clone()
    }

    /// No two connections are in use that were not left.
    fn check(&self) {
        let mut numbers: Vec<_> =
            self.used().iter().filter(|line| !is_left(line)).map(|line| line.number).collect();
        numbers.dedup();
        assert!(numbers.len() <= 1, "{:?}", self.used());
    }

    /// Leaves a connection, as a call that found it silent.
    fn leave(&self, line: &Arc<Line>) {
        line.is_left.store(true, Ordering::SeqCst);
        self.shared.forget(line);
        line.is_gone.store(true, Ordering::SeqCst);
    }
}

fn is_left(line: &Arc<Line>) -> bool {
    line.is_left.load(Ordering::SeqCst)
}

/// Runs calls at once, each on a thread.
fn at_once(calls: &Calls, number: usize, work: fn(&Calls)) -> Vec<thread::JoinHandle<()>> {
    let start = |_| {
        let calls = calls.clone();
        thread::spawn(move || work(&calls))
    };
    (0..number).map(start).collect()
}

fn join_all(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn calls_share_one_connection_and_none_gets_one_that_was_left() {
    in_any_order(|| {
        let calls = Calls::on(&Shared::default(), 1, 0);
        let forgetful = at_once(&calls, 2, |calls| {
            let line = calls.call().unwrap();
            calls.leave(&line);
            calls.call().unwrap();
        });
        let losing = at_once(&calls, 1, |calls| {
            let line = calls.call().unwrap();
            line.is_left.store(true, Ordering::SeqCst);
            line.is_over.store(true, Ordering::SeqCst);
            line.is_gone.store(true, Ordering::SeqCst);
            calls.call().unwrap();
        });
        join_all(forgetful);
        join_all(losing);
        assert!(calls.attempts.load(Ordering::SeqCst) <= 4, "more than were left");
        assert!(calls.shared.connections().len() <= 1);
        calls.runtime.end();
    });
}

#[test]
fn nobody_waits_for_an_attempt_that_has_failed() {
    in_any_order(|| {
        let calls = Calls::on(&Shared::default(), 1, 2);
        join_all(at_once(&calls, 3, |calls| assert!(calls.call().is_some())));
        assert_eq!(calls.attempts.load(Ordering::SeqCst), 3, "all calls shared each of them");
        calls.runtime.end();
    });
}

#[test]
fn an_attempt_that_is_given_up_hands_out_nothing_and_another_follows() {
    in_any_order(|| {
        let calls = Calls::on(&Shared::default(), 1, 0);
        let waiting = at_once(&calls, 2, |calls| assert!(calls.call().is_some()));
        let given_up = match calls.join() {
            Joined::Connecting(attempt) if calls.shared.give_up(&attempt) => {
                assert!(!calls.shared.give_up(&attempt));
                Some(*attempt.progress())
            }
            _ => None,
        };
        assert!(calls.call().is_some());
        join_all(waiting);
        assert!(calls.used().iter().all(|line| Some(line.number) != given_up));
        assert_eq!(calls.shared.connections().len(), 1);
        calls.runtime.end();
    });
}

/// Polls a future once, and drops it.
fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[test]
fn a_call_that_is_dropped_ends_no_attempt() {
    in_any_order(|| {
        let calls = Calls::on(&Shared::default(), 1, 0);
        let dropped = at_once(&calls, 2, |calls| drop(poll_once(calls.join().outcome())));
        let waiting = at_once(&calls, 1, |calls| assert!(calls.call().is_some()));
        join_all(dropped);
        join_all(waiting);
        assert!(calls.call().is_some());
        assert_eq!(calls.attempts.load(Ordering::SeqCst), 1);
        calls.runtime.end();
    });
}

#[test]
fn a_runtime_that_ends_frees_its_own_calls_and_harms_no_other() {
    in_any_order(|| {
        let shared = Shared::default();
        let (ending, other) = (Calls::on(&shared, 1, 0), Calls::on(&shared, 2, 0));
        // They get a connection or none, but they get an answer.
        let freed = at_once(&ending, 2, |calls| drop(calls.call()));
        let unharmed = at_once(&other, 1, |calls| {
            let first = calls.call().unwrap();
            assert!(Arc::ptr_eq(&first, &calls.call().unwrap()));
        });
        thread::yield_now();
        ending.runtime.end();
        join_all(freed);
        join_all(unharmed);
        let made: Vec<Weak<Line>> = ending.used().iter().map(Arc::downgrade).collect();
        drop(ending);
        let next = Calls::on(&shared, 3, 0);
        assert!(next.call().is_some());
        assert!(made.iter().all(|line| line.upgrade().is_none()), "it is kept for nobody");
        assert_eq!(shared.connections().len(), 2);
        other.runtime.end();
        next.runtime.end();
    });
}

#[test]
fn a_connection_that_comes_back_is_used_or_replaced_but_not_both() {
    in_any_order(|| {
        let calls = Calls::on(&Shared::default(), 1, 0);
        let line = calls.call().unwrap();
        let callers = at_once(&calls, 2, |calls| assert!(calls.call().is_some()));
        for is_over in [true, false] {
            line.is_over.store(is_over, Ordering::SeqCst);
            thread::yield_now();
        }
        join_all(callers);
        calls.check();
        assert_eq!(calls.shared.connections().len(), 1);
        calls.runtime.end();
    });
}
