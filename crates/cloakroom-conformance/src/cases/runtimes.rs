//! One store on several runtimes, like a store in a `static` that several tests use.
//!
//! `#[tokio::test]` gives each test a runtime that ends with the test. A client that spawned its tasks on the first one
//! hangs in the second test, and only if both run.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, mpsc},
    thread,
};

use cloakroom_core::{ErrorKind, SessionData, Store};
use futures::FutureExt;
use tokio::{runtime, sync::oneshot};

use crate::{
    StoreUnderTest,
    calls::{OPERATIONS, call},
    failure::{Failure, Verdict, broken},
    probe::same,
};

/// Runs `work` on its own runtime. The verdict comes when `work` is done. From then on the runtime is idle, and it
/// shuts down when the sender of `ends` is dropped.
fn elsewhere<F>(work: F, ends: mpsc::Receiver<()>) -> oneshot::Receiver<Verdict>
where
    F: Future<Output = Verdict> + Send + 'static,
{
    let (tx, rx) = oneshot::channel();
    thread::spawn(move || {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            // The receiver is gone if the case ran out of time.
            Err(error) => return drop(tx.send(Err(broken(error)))),
        };
        let _ = tx.send(runtime.block_on(work));
        // The runtime exists but nobody polls it: tasks that a client has spawned there stand still.
        let _ = ends.recv();
    });
    rx
}

async fn done(work: oneshot::Receiver<Verdict>) -> Verdict {
    work.await.map_err(|_| broken("a call panicked on another runtime"))?
}

/// A store in a `static` is called from the runtime of each test. A connection whose task belongs to an idle runtime
/// would never answer.
pub(crate) async fn calls_work_on_any_runtime(subject: &StoreUnderTest) -> Verdict {
    const ROUNDS: usize = 5;
    const RUNTIMES: usize = 4;
    let session = Arc::new(subject.lasting("ann")?);

    // The runtime of the first call becomes idle.
    let (rests, ends) = mpsc::channel();
    let (store, written) = (subject.shared(), Arc::clone(&session));
    done(elsewhere(async move { Ok(store.set("id", &written).await?) }, ends)).await?;
    same(&subject.read("id").await?, &session)?;

    // Other runtimes start, are used at the same time as this one, and shut down.
    for round in 0..ROUNDS {
        let mut others = Vec::new();
        for number in 0..RUNTIMES {
            let (_, ends) = mpsc::channel();
            let (store, written) = (subject.shared(), Arc::clone(&session));
            let sid = format!("{round}-{number}");
            let work = async move {
                store.set(&sid, &written).await?;
                let read = store.get(&sid).await?;
                same(&read.ok_or_else(|| broken("the session does not exist"))?, &written)?;
                Ok(store.destroy(&sid).await?)
            };
            others.push(elsewhere(work, ends));
            same(&subject.read("id").await?, &session)?;
        }
        for other in others {
            done(other).await?;
            same(&subject.read("id").await?, &session)?;
        }
    }
    // Now the first runtime ends, too, and one more call has to work after that.
    drop(rests);
    subject.store().destroy("id").await.map_err(Failure::from)
}

/// Makes the calls on this runtime, or on no runtime, and returns their outcomes. It catches panics.
fn on(
    runtime: Option<runtime::Runtime>,
    store: Arc<dyn Store>,
    session: SessionData,
) -> oneshot::Receiver<Vec<(&'static str, Result<(), Failure>)>> {
    let (tx, rx) = oneshot::channel();
    thread::spawn(move || {
        let mut outcomes = Vec::new();
        for operation in OPERATIONS {
            let work = AssertUnwindSafe(call(&*store, operation, "id", &session)).catch_unwind();
            let outcome = match &runtime {
                Some(runtime) => runtime.block_on(work),
                None => futures::executor::block_on(work),
            };
            let verdict = match outcome {
                Err(_) => Err(broken("a panic")),
                Ok(Some(Err(error)))
                    if error.kind() != ErrorKind::Config || error.outcome_unknown() =>
                {
                    Err(broken(error))
                }
                Ok(_) => Ok(()),
            };
            outcomes.push((operation, verdict));
        }
        // The receiver is gone if the case ran out of time.
        drop(tx.send(outcomes));
    });
    rx
}

/// tokio panics if a runtime has no timer or no I/O. The error says what to enable instead of ending the caller's task.
pub(crate) async fn a_runtime_that_lacks_something_is_a_config_error(
    subject: &StoreUnderTest,
) -> Verdict {
    let mut session = subject.lasting("ann")?;
    if subject.store().atomic().is_some() {
        // A session with a revision, for `update`.
        subject.store().set("read", &session).await?;
        session = subject.read("read").await?;
    }
    let mut bare = runtime::Builder::new_current_thread();
    let mut with_io = runtime::Builder::new_current_thread();
    let mut with_time = runtime::Builder::new_current_thread();
    for (lacks, builder) in [
        ("timers and I/O", Some(&mut bare)),
        ("timers", Some(with_io.enable_io())),
        ("I/O", Some(with_time.enable_time())),
        ("everything", None),
    ] {
        let runtime = builder.map(runtime::Builder::build).transpose().map_err(broken)?;
        let outcomes = on(runtime, subject.shared(), session.clone());
        let outcomes = outcomes.await.map_err(|_| broken("the runtime's thread panicked"))?;
        for (operation, verdict) in outcomes {
            if let Err(Failure::Broken(reason)) = verdict {
                let place = format_args!("{operation} on a runtime that lacks {lacks}").to_string();
                return Err(broken(format_args!("{place} is not a `Config` error: {reason}")));
            }
        }
    }
    subject.store().set("after", &subject.lasting("bob")?).await?;
    subject.is_there("after").await
}

/// A runtime that shuts down stops its tasks. A connection that was shared with it must be made again, not waited for.
pub(crate) async fn a_runtime_that_ends_breaks_no_other(subject: &StoreUnderTest) -> Verdict {
    const ROUNDS: usize = 10;
    let session = subject.lasting("ann")?;
    subject.store().set("id", &session).await?;
    for round in 0..ROUNDS {
        // Both kinds: the multi-thread runtime stops tasks on other threads, in the middle of a poll of the store.
        let (store, several) = (subject.shared(), round % 2 == 0);
        let (tx, rx) = oneshot::channel();
        thread::spawn(move || {
            let mut builder = if several {
                runtime::Builder::new_multi_thread()
            } else {
                runtime::Builder::new_current_thread()
            };
            let outcome = builder.worker_threads(2).enable_all().build().map(|runtime| {
                runtime.block_on(async {
                    // The shutdown of the runtime interrupts these calls.
                    for _ in 0..4 {
                        let store = Arc::clone(&store);
                        tokio::spawn(async move {
                            while store.get("id").await.is_ok() {
                                // Needed for a store that never waits.
                                tokio::task::yield_now().await;
                            }
                        });
                    }
                    tokio::task::yield_now().await;
                    store.get("id").await
                })
            });
            // The receiver is gone if the case ran out of time.
            drop(tx.send(outcome));
        });
        let outcome = rx.await.map_err(|_| broken("a call panicked on another runtime"))?;
        let read = outcome.map_err(broken)??;
        same(&read.ok_or_else(|| broken("the session does not exist"))?, &session)?;
        same(&subject.read("id").await?, &session)?;
    }
    Ok(())
}
