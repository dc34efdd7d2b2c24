//! Runs cases, each on its own thread and tokio runtime, so that a case that hangs or panics does not affect another.

use std::{
    any::Any,
    future::Future,
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use futures::{FutureExt, StreamExt, channel::oneshot, future::BoxFuture, stream};

use crate::{
    CASES, Case, CaseReport, Outcome, Report, StoreUnderTest,
    failure::{Failure, Verdict, broken},
};

/// The factor by which the last run of a case waits longer than its first. A machine that is slower than that would
/// make any verdict a matter of luck.
const MOST_PATIENCE: u32 = 16;

/// Options of [`run_with`].
///
/// ```
/// use std::time::Duration;
///
/// let mut options = cloakroom_conformance::Options::default();
/// options.time_limit = Duration::from_secs(600);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The time limit of one case. Two minutes by default. A case that takes longer fails.
    pub time_limit: Duration,
    /// The number of cases that run at the same time. 32 by default. Each case has its own subject.
    pub at_once: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { time_limit: Duration::from_secs(120), at_once: 32 }
    }
}

/// Runs every case on its own subject and returns the outcomes.
///
/// Each case calls the function once, inside its own tokio runtime, and drops the subject there. If the machine is too
/// slow for a short session or a short deadline of a case, or the backend's clock seems to be late, the case runs again
/// with twice the time. A case that panics
/// or does not end fails, and the other cases continue. A case that blocks its thread for ever leaves that thread
/// behind.
///
/// ```
/// use cloakroom_conformance::{StoreUnderTest, run};
/// use cloakroom_core::MemoryStore;
///
/// # futures::executor::block_on(async {
/// let report = run(|| async { StoreUnderTest::new(MemoryStore::new()) }).await;
/// assert!(report.is_conformant(), "{report}");
/// # });
/// ```
pub async fn run<F, Fut>(subject: F) -> Report
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = StoreUnderTest> + Send + 'static,
{
    run_with(Options::default(), subject).await
}

/// Like [`run`], with [`Options`].
pub async fn run_with<F, Fut>(options: Options, subject: F) -> Report
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = StoreUnderTest> + Send + 'static,
{
    let subject = maker(subject);
    let cases = stream::iter(CASES).map(|case| {
        // A thread of its own, not a task: the caller's runtime may have one thread, which a case could block.
        let (tx, rx) = oneshot::channel();
        let (make, limit) = (Arc::clone(&subject), options.time_limit);
        let started = spawn(case, move || {
            // The receiver is gone if the run was dropped, and then nobody needs the answer.
            let _ = tx.send(run_case(case, make, limit));
        });
        async move {
            match started {
                Ok(()) => rx.await.unwrap_or_else(|_| report(case, Err(broken("no answer")))),
                Err(failure) => report(case, Err(failure)),
            }
        }
    });
    // `buffered` keeps the order of the list, so that two reports can be compared line by line.
    Report { cases: cases.buffered(options.at_once.max(1)).collect().await }
}

type MakeSubject = Arc<dyn Fn() -> BoxFuture<'static, StoreUnderTest> + Send + Sync>;

pub(crate) fn maker<F, Fut>(subject: F) -> MakeSubject
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = StoreUnderTest> + Send + 'static,
{
    Arc::new(move || Box::pin(subject()))
}

/// Runs one case and blocks until it ends or its time is over.
pub(crate) fn run_case(case: &Case, subject: MakeSubject, limit: Duration) -> CaseReport {
    let held = *case;
    let (tx, rx) = mpsc::channel();
    let verdict = match spawn(case, move || drop(tx.send(run_here(&held, &subject, limit)))) {
        // A case that hangs in a future ends at the limit. One that has not ended a second later blocks its thread.
        Ok(()) => rx.recv_timeout(limit + Duration::from_secs(1)).unwrap_or_else(|error| {
            Err(match error {
                mpsc::RecvTimeoutError::Timeout => out_of_time(limit),
                mpsc::RecvTimeoutError::Disconnected => broken("panicked while it ended"),
            })
        }),
        Err(failure) => Err(failure),
    };
    report(case, verdict)
}

/// Names the thread after the case, because panic messages contain the thread's name.
fn spawn(case: &Case, run: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    thread::Builder::new().name(case.name().to_owned()).spawn(run).map(drop).map_err(cannot_start)
}

/// Runs the case on this thread, with a runtime of its own.
fn run_here(case: &Case, subject: &MakeSubject, limit: Duration) -> Verdict {
    // Two workers, so that the tasks of a case really run at the same time.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(cannot_start)?;
    let verdict = runtime.block_on(async {
        let held = AssertUnwindSafe(hold(case, subject)).catch_unwind();
        match tokio::time::timeout(limit, held).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(payload)) => Err(broken(panic_text(&*payload))),
            Err(_) => Err(out_of_time(limit)),
        }
    });
    // Dropping the runtime would wait for its blocking tasks, and one of these may be what hangs.
    runtime.shutdown_background();
    verdict
}

/// Runs the case, and again with twice the time for as long as the machine was too slow.
async fn hold(case: &Case, subject: &MakeSubject) -> Verdict {
    let mut patience = 1;
    loop {
        // A fresh subject each time: the records of a run that was too slow must not count in the next.
        let subject = subject().await.with_patience(patience);
        match case.hold(&subject).await {
            Err(Failure::TooSlow(_)) if patience < MOST_PATIENCE => patience *= 2,
            verdict => return verdict,
        }
    }
}

fn report(case: &Case, verdict: Verdict) -> CaseReport {
    let (outcome, reason) = match verdict {
        Ok(()) => (Outcome::Passed, None),
        Err(Failure::Broken(reason)) => (Outcome::Failed, Some(reason)),
        Err(Failure::NotOffered(part)) => (Outcome::NotOffered, Some(part.to_owned())),
        Err(Failure::TooSlow(why)) => {
            (Outcome::Failed, Some(format!("the store or the machine was too slow: {why}")))
        }
    };
    CaseReport::new(case, outcome, reason)
}

fn out_of_time(limit: Duration) -> Failure {
    broken(format_args!("did not end within {limit:?}"))
}

fn cannot_start(error: io::Error) -> Failure {
    broken(format_args!("the case could not be started: {error}"))
}

/// Returns the text of a panic. `panic!` without arguments has a `&str`, and with arguments a `String`.
fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}
