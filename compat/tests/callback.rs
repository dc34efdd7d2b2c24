//! `promisify` and `Callback`, promise by promise.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use cloakroom_compat::{Callback, promisify};
use cloakroom_core::{Error, ErrorKind};
use futures::executor::block_on;

/// Polls once with a waker that counts.
#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn an_inline_answer_is_there_at_the_first_poll() {
    let mut future = pin!(promisify(|callback: Callback<u32>| callback.ok(7)));
    let poll = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Ready(Ok(7))));
}

#[test]
fn an_inline_answer_costs_one_allocation() {
    let counted = allocation_counter::measure(|| {
        let mut future = pin!(promisify(|callback: Callback<u64>| callback.ok(7)));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
    assert_eq!(counted.count_total, 1);
}

#[test]
fn a_later_answer_wakes_the_task_once() {
    let kept = Mutex::new(None);
    let mut future =
        pin!(promisify(|callback: Callback<u32>| *kept.lock().unwrap() = Some(callback)));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
    kept.lock().unwrap().take().unwrap().ok(7);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert!(matches!(future.as_mut().poll(&mut cx), Poll::Ready(Ok(7))));
}

#[test]
fn an_answer_from_another_thread_arrives_whatever_the_timing() {
    let (calls, worker) = mpsc::channel::<(u32, Callback<u32>)>();
    let worker = thread::spawn(move || {
        for (number, callback) in worker {
            // Some answers race the first poll, others come long after it.
            if number % 3 == 0 {
                thread::yield_now();
            }
            callback.ok(number * 2);
        }
    });
    for number in 0..20_000 {
        let answer = block_on(promisify(|callback| calls.send((number, callback)).unwrap()));
        assert_eq!(answer.unwrap(), number * 2);
    }
    drop(calls);
    worker.join().unwrap();
}

#[test]
fn a_callback_dropped_unanswered_is_an_error_at_once() {
    let inline = block_on(promisify(|callback: Callback<()>| drop(callback))).unwrap_err();
    let elsewhere = block_on(promisify(|callback: Callback<()>| {
        thread::spawn(move || drop(callback));
    }))
    .unwrap_err();
    for error in [inline, elsewhere] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.outcome_unknown(), "the work may have been done");
    }
}

#[test]
fn a_second_answer_changes_nothing() {
    let answer = block_on(promisify(|callback: Callback<u32>| {
        let answer = callback.into_fn();
        answer(Ok(1));
        answer(Ok(2));
        let late = answer.clone();
        thread::spawn(move || late(Ok(3)));
    }));
    assert_eq!(answer.unwrap(), 1);
}

#[test]
fn a_function_that_goes_without_a_call_counts_as_dropped() {
    let error =
        block_on(promisify(|callback: Callback<u32>| drop(callback.into_fn()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_panic_is_an_error_that_keeps_the_panic_to_itself() {
    let before =
        block_on(promisify(|_callback: Callback<()>| panic!("session of ann"))).unwrap_err();
    let behind_the_answer = block_on(promisify(|callback: Callback<()>| {
        callback.ok(());
        panic!("session of ann");
    }))
    .unwrap_err();
    let elsewhere = block_on(promisify(|callback: Callback<()>| {
        thread::spawn(move || {
            let _callback = callback;
            panic!("session of ann");
        });
    }))
    .unwrap_err();
    assert_eq!(before.kind(), ErrorKind::Other);
    assert_eq!(behind_the_answer.kind(), ErrorKind::Other);
    assert_eq!(elsewhere.kind(), ErrorKind::Unavailable);
    for error in [before, behind_the_answer, elsewhere] {
        assert!(!format!("{error:?} {error}").contains("ann"));
        assert!(error.outcome_unknown());
    }
}

#[test]
fn a_future_that_is_never_polled_never_calls() {
    drop(promisify(|_callback: Callback<()>| unreachable!("it was called")));
}

#[test]
fn dropping_the_future_leaves_the_call_to_itself() {
    let kept: Mutex<Option<Callback<Arc<()>>>> = Mutex::new(None);
    {
        let mut future = pin!(promisify(|callback| *kept.lock().unwrap() = Some(callback)));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let value = Arc::new(());
    kept.lock().unwrap().take().unwrap().ok(Arc::clone(&value));
    assert_eq!(Arc::strong_count(&value), 1, "the answer was thrown away");
}

#[test]
fn an_error_of_the_legacy_code_is_the_source() {
    let error =
        block_on(promisify(|callback: Callback<()>| callback.fail("ECONNRESET"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "ECONNRESET");

    let own = Error::new(ErrorKind::TooLarge, "legacy", "set", "2 MB");
    let error = block_on(promisify(|callback: Callback<()>| callback.err(own))).unwrap_err();
    assert_eq!((error.kind(), error.store()), (ErrorKind::TooLarge, "legacy"));

    let error = block_on(promisify(|callback: Callback<()>| callback.not_offered())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn calls_may_borrow_and_answers_may_be_large() {
    let text = "x".repeat(1 << 20);
    let answer = block_on(promisify(|callback| callback.ok(text.as_bytes().to_vec())));
    assert_eq!(answer.unwrap().len(), 1 << 20);
}
