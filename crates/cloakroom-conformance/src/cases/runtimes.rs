//! One store on several runtimes, as tests with a store in a `static` have.

use std::{sync::Arc, thread};

use cloakroom_core::{Session, Store};
use futures::future::try_join_all;
use tokio::{runtime::Builder, sync::oneshot};

use crate::{
    Subject,
    failure::{Failure, Verdict, broken},
    probe::same,
};

pub(crate) async fn a_store_works_on_runtimes_that_end(subject: &Subject) -> Verdict {
    let session = subject.lasting("ann")?;
    subject.store().set("here", &session).await?;
    for _ in 0..3 {
        let (store, written) = (subject.shared(), session.clone());
        let (tx, rx) = oneshot::channel();
        // The receiver is gone when the case is out of time; then nobody wants the answer.
        thread::spawn(move || drop(tx.send(elsewhere(store, &written))));
        let read = rx.await.map_err(|_| broken("panicked on the other runtime"))??;
        same(&read, &session)?;
        same(&subject.read("there").await?, &session)?;
        same(&subject.read("here").await?, &session)?;
    }
    Ok(())
}

/// Reads one session several times at once and writes another, on a runtime that ends then.
fn elsewhere(store: Arc<dyn Store>, session: &Session) -> Result<Session, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| broken(format_args!("no other runtime: {error}")))?;
    runtime.block_on(async {
        let mut found = try_join_all((0..4).map(|_| store.get("here"))).await?;
        store.set("there", session).await?;
        found.pop().flatten().ok_or_else(|| broken("the session is missing on the other runtime"))
    })
}
