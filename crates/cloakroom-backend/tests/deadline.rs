//! Limits around limits: the earliest holds, and who knows most about the call says that it has passed.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    future::{Future, pending, ready},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use cloakroom_backend::{Idempotency, LongestLimit, Operation, timer, within};
use cloakroom_core::{Error, ErrorKind};
use futures::{
    FutureExt, TryStreamExt, executor::block_on, future::join, stream::FuturesUnordered,
};
use tokio::{
    runtime::Builder,
    task::yield_now,
    time::{Instant, advance, sleep, timeout},
};

const MS: Duration = Duration::from_millis(1);

/// What a store does that keeps a deadline of its own, and has sent nothing when it passes.
async fn stored(own: Duration) -> Result<(), Error> {
    let operation = Operation::start("store", "set", Idempotency::Once, own);
    match operation.within(pending::<()>()).await {
        Some(()) => Ok(()),
        None => Err(operation.timeout()),
    }
}

/// A handle around a layer's work, or a layer around a handle's.
async fn around(
    limit: Duration,
    name: &str,
    work: impl Future<Output = Result<(), Error>> + Send,
) -> Result<(), Error> {
    within(Some(limit), name, "call", Idempotency::Once, work).await
}

#[tokio::test(start_paused = true)]
async fn of_limits_around_limits_the_earliest_holds_and_the_innermost_says_so() {
    for (layer, handle, store) in [
        (5_000, 5_000, 5_000),
        (20, 5_000, 5_000),
        (5_000, 20, 5_000),
        (5_000, 5_000, 20),
        (20, 30, 40),
        (40, 20, 30),
    ] {
        let began = Instant::now();
        let work = around(handle * MS, "handle", stored(store * MS));
        let error = around(layer * MS, "layer", work).await.unwrap_err();
        let least = layer.min(handle).min(store) * MS;
        assert_eq!(error.to_string(), format!("store: set: no answer within {least:?}"));
        assert!(!error.outcome_unknown(), "only the store knows that nothing was sent");
        assert!((least..least + 5 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}

/// A limit that nobody has set is there for stores without one.
#[tokio::test(start_paused = true)]
async fn a_default_limit_gives_way_to_a_longer_one_of_the_store() {
    for (layer, handle, store, least) in [
        (None, None, 15_000, 15_000),
        (None, None, 5_000, 5_000),
        (None, None, 20, 20),
        (None, Some(9_000), 15_000, 9_000),
        (Some(9_000), None, 15_000, 9_000),
        (Some(3_000), None, 15_000, 3_000),
        (Some(30_000), None, 15_000, 15_000),
        (Some(30_000), None, 5_000, 5_000),
    ] {
        let began = Instant::now();
        let limit = |limit: Option<u32>| limit.map(|limit| limit * MS);
        let work = stored(store * MS);
        let work = within(limit(handle), "handle", "call", Idempotency::Once, work);
        let work = within(limit(layer), "layer", "call", Idempotency::Once, work);
        let error = work.await.unwrap_err();
        let least = least * MS;
        assert_eq!(error.to_string(), format!("store: set: no answer within {least:?}"));
        assert!(!error.outcome_unknown(), "only the store knows that nothing was sent");
        assert!((least..least + 5 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}

/// All calls in the work share the limit, which counts from when the work began.
#[tokio::test(start_paused = true)]
async fn a_default_limit_is_as_long_as_that_of_the_store_for_all_its_calls_together() {
    let began = Instant::now();
    let calls = async {
        sleep(4_000 * MS).await;
        for _ in 0..2 {
            let operation = Operation::start("store", "get", Idempotency::Read, 15_000 * MS);
            operation.within(sleep(8_000 * MS)).await.ok_or_else(|| operation.timeout())?;
        }
        Ok(())
    };
    let error = within(None, "handle", "modify", Idempotency::Once, calls).await.unwrap_err();
    assert_eq!(error.to_string(), "store: get: no answer within 15s");
    assert!((15_000 * MS..15_005 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
}

/// As the calls of the layer to a handle.
#[tokio::test(start_paused = true)]
async fn a_default_limit_inside_another_ends_with_it_however_late_it_begins() {
    for (first, own, least) in
        [(8_000, 15_000, 15_000), (1_000, 15_000, 15_000), (8_000, 20_000, 20_000)]
    {
        let began = Instant::now();
        let calls = async {
            let first = async {
                let operation = Operation::start("store", "get", Idempotency::Read, 15_000 * MS);
                operation.within(sleep(first * MS)).await.ok_or_else(|| operation.timeout())
            };
            within(None, "handle", "call", Idempotency::Once, first).await?;
            within(None, "handle", "call", Idempotency::Once, stored(own * MS)).await
        };
        let error = within(None, "layer", "call", Idempotency::Once, calls).await.unwrap_err();
        let least = least * MS;
        assert_eq!(error.to_string(), format!("store: set: no answer within {least:?}"));
        assert!(!error.outcome_unknown(), "only the store knows that nothing was sent");
        assert!((least..least + 5 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}

#[test]
fn limits_of_years_one_after_the_other_are_limits_of_a_year() {
    let years = |years: u64| Duration::from_secs(years * 366 * 86_400);
    let calls = async {
        for limit in [years(2), years(1), years(3), Duration::MAX] {
            drop(Operation::start("store", "get", Idempotency::Read, limit));
            yield_now().await;
        }
        Ok(())
    };
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        within(None, "handle", "call", Idempotency::Once, calls).await.unwrap();
    });
}

/// Work that waits for its turn has not called the store yet.
#[tokio::test(start_paused = true)]
async fn a_default_limit_gives_way_to_what_earlier_calls_have_set() {
    let longest = LongestLimit::default();
    for (limit, store, least) in [
        (None, 2_000, 5_000),
        (None, 15_000, 15_000),
        (None, 10_000, 15_000),
        (Some(9_000 * MS), 20_000, 9_000),
    ] {
        let call = longest.learn(stored(store * MS));
        within(None, "handle", "call", Idempotency::Once, call).await.unwrap_err();
        let began = Instant::now();
        let wait = longest.adopt(pending::<Result<(), _>>());
        let error = within(limit, "handle", "call", Idempotency::Once, wait).await.unwrap_err();
        let least = least * MS;
        assert_eq!(error.to_string(), format!("handle: call: no answer within {least:?}"));
        assert!((least..least + 5 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
    assert_eq!(longest.get(), 20_000 * MS);
}

/// Without a limit in the work, for whatever it waits, the default holds.
#[tokio::test(start_paused = true)]
async fn a_default_limit_ends_work_that_has_none() {
    let began = Instant::now();
    let work = within(None, "handle", "call", Idempotency::Once, pending::<Result<(), _>>());
    let error = within(None, "layer", "call", Idempotency::Once, work).await.unwrap_err();
    assert_eq!(error.to_string(), "handle: call: no answer within 5s");
    assert!((5_000 * MS..5_005 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
}

/// A short call leaves its timer to the limit around it, which then gives way to the other call's.
#[tokio::test(start_paused = true)]
async fn a_short_call_beside_a_long_one_ends_at_its_own_limit() {
    let began = Instant::now();
    let calls = async {
        let short = async {
            let answer = stored(5_000 * MS).await;
            assert!((5_000 * MS..5_005 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
            answer
        };
        let (short, long) = join(short, stored(15_000 * MS)).await;
        short.unwrap_err();
        long
    };
    let error = within(None, "handle", "call", Idempotency::Once, calls).await.unwrap_err();
    assert_eq!(error.to_string(), "store: set: no answer within 15s");
    assert!((15_000 * MS..15_005 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
}

/// Timers of one deadline fire one after the other, and any of them can be the first to wake the call.
#[tokio::test]
async fn whichever_timer_wakes_the_call_the_innermost_says_so() {
    let limit = 20 * MS;
    let call = around(limit, "layer", around(limit, "handle", stored(limit)));
    let mut call = pin!(call);
    assert!(call.as_mut().now_or_never().is_none());
    // No timer fires while the thread is blocked.
    std::thread::sleep(2 * limit);
    let error = call.now_or_never().expect("it waits for a timer").unwrap_err();
    assert_eq!(error.to_string(), "store: set: no answer within 20ms");
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn limits_that_end_together_have_one_timer() {
    for (store, timers) in [(5_000, 1), (20, 1), (4, 2)] {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let call = around(20 * MS, "layer", around(30 * MS, "handle", stored(store * MS)));
        let mut call = pin!(call);
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        advance(50 * MS).await;
        tokio::task::yield_now().await;
        assert_eq!(wakes.0.load(Ordering::Relaxed), timers, "{store}");
        assert!(call.poll(&mut Context::from_waker(&waker)).is_ready());
    }
}

/// `FuturesUnordered` polls only what was woken by a waker of its own, so that the timer around it is not enough.
#[tokio::test(start_paused = true)]
async fn work_that_is_polled_with_another_waker_ends_by_itself() {
    let call = async {
        let calls: FuturesUnordered<_> = (0..2).map(|_| stored(5_000 * MS)).collect();
        calls.try_for_each(|()| ready(Ok(()))).await
    };
    let error = around(20 * MS, "layer", call).await.unwrap_err();
    assert_eq!(error.to_string(), "store: set: no answer within 20ms");
}

/// The layer ends this work, in time.
async fn ends_from_outside(work: impl Future<Output = Result<(), Error>> + Send) {
    let began = Instant::now();
    let call = timeout(60_000 * MS, around(20 * MS, "layer", work));
    let error = call.await.expect("it hangs").unwrap_err();
    assert_eq!(error.to_string(), "layer: call: no answer within 20ms");
    assert!((20 * MS..25 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_call_that_was_given_up_is_ended_from_outside() {
    for given_up_after in [5, 15] {
        ends_from_outside(async move {
            match timeout(given_up_after * MS, stored(5_000 * MS)).await {
                Ok(outcome) => outcome,
                // A fallback that knows no deadlines.
                Err(_) => pending().await,
            }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_began_outside_is_ended_by_the_limit_around_its_rest() {
    let mut call = Box::pin(stored(5_000 * MS));
    assert!(call.as_mut().now_or_never().is_none());
    ends_from_outside(call).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polls_again_ends_nothing_and_holds_nothing_up() {
    ends_from_outside(async {
        let mut call = Box::pin(stored(5_000 * MS));
        assert!(call.as_mut().now_or_never().is_none());
        pending::<()>().await;
        call.await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_calls_share_the_limit_around_them() {
    let began = Instant::now();
    let calls = async {
        for _ in 0..3 {
            let operation = Operation::start("store", "get", Idempotency::Read, 20 * MS);
            operation.within(sleep(15 * MS)).await.ok_or_else(|| operation.timeout())?;
        }
        Ok(())
    };
    let error = around(40 * MS, "layer", calls).await.unwrap_err();
    assert_eq!(error.to_string(), "store: get: no answer within 40ms");
    assert!((40 * MS..45 * MS).contains(&began.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_store_without_a_deadline_is_ended_from_outside() {
    for idempotency in [Idempotency::Read, Idempotency::Once] {
        let work =
            within(Some(5_000 * MS), "handle", "call", idempotency, pending::<Result<(), _>>());
        let error = around(20 * MS, "layer", work).await.unwrap_err();
        assert_eq!(error.to_string(), "handle: call: no answer within 20ms");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.outcome_unknown(), idempotency == Idempotency::Once);
    }
}

/// One part of the work keeps the deadline, and another does not.
#[tokio::test(start_paused = true)]
async fn what_comes_before_and_after_a_call_is_ended_from_outside() {
    let call = || async {
        let operation = Operation::start("store", "get", Idempotency::Read, 5_000 * MS);
        operation.within(sleep(5 * MS)).await.ok_or_else(|| operation.timeout())
    };
    let before = async {
        pending::<()>().await;
        call().await
    };
    let after = async {
        call().await?;
        pending().await
    };
    // It is ready in the same poll in which the rest begins to wait.
    let inside = async {
        let operation = Operation::start("store", "get", Idempotency::Read, 5_000 * MS);
        operation.within(ready(())).await;
        block_on(futures::future::select(
            Box::pin(operation.within(pending::<()>())),
            Box::pin(operation.within(ready(()))),
        ));
        pending().await
    };
    let parts: [futures::future::BoxFuture<'_, _>; 3] =
        [Box::pin(before), Box::pin(after), Box::pin(inside)];
    for work in parts {
        let began = Instant::now();
        let error = around(20 * MS, "layer", work).await.unwrap_err();
        assert_eq!(error.to_string(), "layer: call: no answer within 20ms");
        assert!((20 * MS..25 * MS).contains(&began.elapsed()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_for_its_own_work_and_task() {
    let spawned = async {
        let task = tokio::spawn(stored(100 * MS));
        task.await.unwrap()
    };
    let began = Instant::now();
    let error = around(5_000 * MS, "layer", spawned).await.unwrap_err();
    assert_eq!(error.to_string(), "store: set: no answer within 100ms");
    // Neither does it hold for what comes later on the same thread.
    let _ = around(20 * MS, "layer", stored(5_000 * MS)).await;
    let error = stored(200 * MS).await.unwrap_err();
    assert_eq!(error.to_string(), "store: set: no answer within 200ms");
    assert!(began.elapsed() >= 320 * MS);
}

#[test]
fn without_timers_what_is_ready_works_and_what_has_to_wait_is_a_config_error() {
    let without = Builder::new_current_thread().build().unwrap();
    let call = |work| within(Some(MS), "handle", "call", Idempotency::Once, work);
    for waits in [false, true] {
        let work = || async move { if waits { pending().await } else { Ok(7) } };
        for outcome in [block_on(call(work())), without.block_on(call(work()))] {
            match outcome {
                Ok(seven) => assert!(!waits && seven == 7),
                Err(error) => {
                    assert!(waits && error.outcome_unknown());
                    assert_eq!(error.kind(), ErrorKind::Config);
                    assert!(error.to_string().contains("enable_time"), "{error}");
                }
            }
        }
    }
    assert!(timer(MS).is_none());
    assert!(without.block_on(async { timer(MS).is_none() }));
}
