//! One store on several runtimes, as a store in a `static` has them when tests run.

use std::{
    future::Future,
    sync::{Arc, mpsc},
    thread,
};

use tokio::{runtime, sync::oneshot};

use crate::{
    Subject,
    failure::{Failure, Verdict, broken},
    probe::same,
};

/// Runs `work` on a runtime of its own. The answer comes when it is done; from then on nobody drives that runtime, and it
/// ends when `ends` does.
fn elsewhere<F>(work: F, ends: mpsc::Receiver<()>) -> oneshot::Receiver<Verdict>
where
    F: Future<Output = Verdict> + Send + 'static,
{
    let (tx, rx) = oneshot::channel();
    thread::spawn(move || {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            // The receiver is gone when the case is out of time.
            Err(error) => return drop(tx.send(Err(broken(error)))),
        };
        let _ = tx.send(runtime.block_on(work));
        let _ = ends.recv();
    });
    rx
}

async fn done(work: oneshot::Receiver<Verdict>) -> Verdict {
    work.await.map_err(|_| broken("a call panicked on another runtime"))?
}

pub(crate) async fn calls_work_on_any_runtime(subject: &Subject) -> Verdict {
    const ROUNDS: usize = 5;
    const RUNTIMES: usize = 4;
    let session = Arc::new(subject.lasting("ann")?);

    // The runtime of the first call rests.
    let (rests, ends) = mpsc::channel();
    let (store, written) = (subject.shared(), Arc::clone(&session));
    done(elsewhere(async move { Ok(store.set("id", &written).await?) }, ends)).await?;
    same(&subject.read("id").await?, &session)?;

    // Others come, are used while this one is, and end.
    for round in 0..ROUNDS {
        let mut others = Vec::new();
        for number in 0..RUNTIMES {
            let (_, ends) = mpsc::channel();
            let (store, written) = (subject.shared(), Arc::clone(&session));
            let sid = format!("{round}-{number}");
            let work = async move {
                store.set(&sid, &written).await?;
                let read = store.get(&sid).await?;
                same(&read.ok_or_else(|| broken("the session is not there"))?, &written)?;
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
    drop(rests);
    subject.store().destroy("id").await.map_err(Failure::from)
}
