//! What the cases about outages do with a server that can be harmed.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use futures::future::join_all;

use crate::{
    Faults, StoreUnderTest,
    calls::only_reads,
    failure::{Failure, Verdict, broken, check},
};

/// A deadline that no call on a server that answers meets, in half a case's time.
pub(crate) const FAR: Duration = Duration::from_secs(60);
/// How many calls go to a store at the same time, so that it uses all the connections that it may.
pub(crate) const AT_ONCE: usize = 30;

impl StoreUnderTest {
    /// A deadline that is waited for. It is longer each time that the machine was too slow for it.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs(self.patience().unsigned_abs())
    }
}

/// An error that says nothing but that there was not enough time.
pub(crate) fn in_time<T>(outcome: Result<T, Error>) -> Result<T, Failure> {
    outcome.map_err(|error| match error.kind() {
        ErrorKind::Timeout => {
            Failure::TooSlow("a call met its deadline although the server answers")
        }
        _ => error.into(),
    })
}

pub(crate) async fn open(
    faults: &dyn Faults,
    deadline: Duration,
) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::from(faults.open(deadline).await?))
}

/// A handle that is connected, and the session under `id` as it has read it.
pub(crate) async fn connect(
    subject: &StoreUnderTest,
    faults: &dyn Faults,
    deadline: Duration,
) -> Result<(Arc<dyn Store>, SessionData), Failure> {
    let store = open(faults, deadline).await?;
    in_time(store.set("id", &subject.lasting("ann")?).await)?;
    let read = in_time(store.get("id").await)?;
    Ok((store, read.ok_or_else(|| broken("the session that was just stored is not there"))?))
}

/// As [`connect`], with as many connections as the store makes.
pub(crate) async fn connect_all(
    subject: &StoreUnderTest,
    faults: &dyn Faults,
    deadline: Duration,
) -> Result<(Arc<dyn Store>, SessionData), Failure> {
    let (store, session) = connect(subject, faults, deadline).await?;
    for outcome in join_all((0..AT_ONCE).map(|_| store.get("id"))).await {
        in_time(outcome)?;
    }
    Ok((store, session))
}

/// The error is of this operation. One listing may be made of another.
pub(crate) fn is_named(operation: &str, error: &Error) -> bool {
    let listings = ["ids", "all", "length"];
    error.operation() == operation
        || (listings.contains(&operation) && listings.contains(&error.operation()))
}

pub(crate) fn is_retryable(operation: &str, error: &Error) -> Verdict {
    check(error.is_retryable(), format_args!("{operation} in an outage is: {error}"))
}

/// The outcome of a read is never unknown, and neither is that of a write that was not sent.
pub(crate) fn is_honest(operation: &str, was_sent: bool, error: &Error) -> Verdict {
    check(
        !error.outcome_unknown() || (was_sent && !only_reads(operation)),
        format_args!("the outcome of {operation} is told as unknown: {error}"),
    )
}
