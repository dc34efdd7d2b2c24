//! Helpers for the cases about outages.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use futures::future::join_all;

use crate::{
    Faults, StoreUnderTest,
    calls::only_reads,
    failure::{Failure, Verdict, broken, check},
};

/// A deadline that no call meets while the server answers: half of a case's time limit.
pub(crate) const FAR: Duration = Duration::from_secs(60);
/// The number of concurrent calls that make a store use many connections.
pub(crate) const AT_ONCE: usize = 30;

impl StoreUnderTest {
    /// Returns a deadline that the case waits for. It gets longer each time that the machine was too slow for it.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs(self.patience().unsigned_abs())
    }

    /// Turns the error of a call that the server answers into [`Failure::TooSlow`] if it can mean that the call had too
    /// little time.
    pub(crate) fn answered<T>(&self, outcome: Result<T, Error>) -> Result<T, Failure> {
        outcome.map_err(|error| match error.kind() {
            ErrorKind::Timeout => {
                Failure::TooSlow("a call met its deadline although the server answers".into())
            }
            // A driver that looks for its server within the deadline finds none on a busy machine.
            ErrorKind::Unavailable => {
                self.too_slow(format!("the server answers, but a call fails: {error}"))
            }
            _ => error.into(),
        })
    }
}

pub(crate) async fn open(
    faults: &dyn Faults,
    deadline: Duration,
) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::from(faults.open(deadline).await?))
}

/// Returns a connected handle, and the session under `id` as it read it. It has read the session, so that `update` has
/// a revision, and so that the connection exists before the server is harmed.
pub(crate) async fn connect(
    subject: &StoreUnderTest,
    faults: &dyn Faults,
    deadline: Duration,
) -> Result<(Arc<dyn Store>, SessionData), Failure> {
    let store = open(faults, deadline).await?;
    subject.answered(store.set("id", &subject.lasting("ann")?).await)?;
    let read = subject.answered(store.get("id").await)?;
    Ok((store, read.ok_or_else(|| broken("the session that was just stored does not exist"))?))
}

/// Like [`connect`], but with as many connections as the store makes. A pool that notices only one dead connection at a
/// time fails one call for each of the others.
pub(crate) async fn connect_all(
    subject: &StoreUnderTest,
    faults: &dyn Faults,
    deadline: Duration,
) -> Result<(Arc<dyn Store>, SessionData), Failure> {
    let (store, session) = connect(subject, faults, deadline).await?;
    for outcome in join_all((0..AT_ONCE).map(|_| store.get("id"))).await {
        subject.answered(outcome)?;
    }
    Ok((store, session))
}

/// Returns true if the error names this operation. One listing may be based on another, so these may name each other.
pub(crate) fn is_named(operation: &str, error: &Error) -> bool {
    let listings = ["ids", "all", "length"];
    error.operation() == operation
        || (listings.contains(&operation) && listings.contains(&error.operation()))
}

/// Checks that the error says that it may be retried: an outage passes, and the caller's arguments were valid.
pub(crate) fn is_retryable(operation: &str, error: &Error) -> Verdict {
    check(error.is_retryable(), format_args!("{operation} in an outage fails with: {error}"))
}

/// Checks that the outcome is not unknown for a read, or for a write that was not sent. A caller must not look for the
/// effect of a call that can have had none.
pub(crate) fn is_honest(operation: &str, was_sent: bool, error: &Error) -> Verdict {
    check(
        !error.outcome_unknown() || (was_sent && !only_reads(operation)),
        format_args!("the outcome of {operation} is reported as unknown: {error}"),
    )
}
