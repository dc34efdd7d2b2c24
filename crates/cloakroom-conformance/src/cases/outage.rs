//! Servers that stop, freeze and come back, connections that become silent, answers that are lost.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom_core::{Created, ErrorKind, SessionData, Store, Updated};
use futures::future::join_all;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    StoreUnderTest,
    calls::{OPERATIONS, call, only_reads, told},
    delays::Delays,
    failure::{Failure, Verdict, broken, check},
    harm::{AT_ONCE, FAR, connect, connect_all, is_honest, is_named, is_retryable, open},
};

/// Calls the operation until it works, with pauses, as long as its errors are retryable.
async fn works_again(store: &dyn Store, operation: &str, session: &SessionData) -> Verdict {
    let since = Instant::now();
    while let Some(Err(error)) = call(store, operation, "id", session).await {
        check(
            error.is_retryable() && since.elapsed() < FAR,
            format_args!("{operation} fails after an outage: {error}"),
        )?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

const DOES_NOT_END: Failure = Failure::TooSlow(Cow::Borrowed(
    "a call did not end, and the machine is too busy to find out why",
));

/// Checks that calls with this deadline ended by it. What the machine has cost them is only measured in samples, so the
/// first two times a longer one is put down to the machine, and the case runs again with twice the deadline.
fn ended_by_the_deadline(
    subject: &StoreUnderTest,
    calls: &str,
    took: Duration,
    delays: &Delays,
) -> Verdict {
    let deadline = subject.deadline();
    if took < deadline + deadline / 2 + delays.lost() {
        return Ok(());
    }
    Err(subject.too_slow(format!("{calls} with a deadline of {deadline:?} took {took:?}")))
}

/// The layer's `when_unavailable` acts on this kind, and "refused" must not take a deadline: a page would hang for each
/// visitor.
pub(crate) async fn a_server_that_is_gone_is_unavailable(subject: &StoreUnderTest) -> Verdict {
    let faults = subject.faults().await?;
    let (connected, session) = connect(subject, &*faults, FAR).await?;
    let fresh = open(&*faults, FAR).await?;
    faults.stop().await?;
    // A handle that has never connected must fail in the same way as one whose connection has just ended.
    for (store, was_sent) in [(&fresh, false), (&connected, true)] {
        let since = Instant::now();
        let calls = OPERATIONS.map(|operation| call(&**store, operation, "id", &session));
        for (operation, outcome) in OPERATIONS.iter().zip(join_all(calls).await) {
            let Some(Err(error)) = outcome else { continue };
            check(
                error.kind() == ErrorKind::Unavailable && is_named(operation, &error),
                format_args!("{operation} without a server fails with {:?}: {error}", error.kind()),
            )?;
            is_retryable(operation, &error)?;
            is_honest(operation, was_sent, &error)?;
        }
        let took = since.elapsed();
        check(took < FAR / 2, format_args!("the error took {took:?}"))?;
    }
    Ok(())
}

/// Checks that each of these calls is an error while the server is down.
async fn none_succeeds(subject: &StoreUnderTest, operations: &[&str]) -> Verdict {
    let faults = subject.faults().await?;
    let (store, session) = connect(subject, &*faults, FAR).await?;
    faults.stop().await?;
    for operation in operations {
        let outcome = call(&*store, operation, "id", &session).await;
        check(
            !matches!(outcome, Some(Ok(()))),
            format_args!("{operation} succeeds without a server"),
        )?;
    }
    Ok(())
}

/// A store that hides the failure would tell users that their change is stored.
pub(crate) async fn without_a_server_no_call_succeeds(subject: &StoreUnderTest) -> Verdict {
    none_succeeds(subject, &OPERATIONS[..7]).await
}

/// An empty list would say that nobody is logged in.
pub(crate) async fn without_a_server_nothing_is_listed(subject: &StoreUnderTest) -> Verdict {
    subject.length().await?;
    none_succeeds(subject, &["ids", "all", "length"]).await
}

/// Whoever clears the store after a leak must learn that it did not happen.
pub(crate) async fn without_a_server_nothing_is_cleared(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.clear().await?;
    none_succeeds(subject, &["clear"]).await
}

/// A server that accepts connections and answers nothing is the worst outage: without a deadline all requests pile up.
/// A write that it may still carry out must be reported as unknown.
pub(crate) async fn a_frozen_server_is_a_timeout_by_the_deadline(
    subject: &StoreUnderTest,
) -> Verdict {
    let (faults, deadline) = (subject.faults().await?, subject.deadline());
    let mut handles = Vec::new();
    for operation in OPERATIONS {
        // A silent connection is given up after one call, so each operation needs its own.
        let (connected, session) = connect(subject, &*faults, deadline).await?;
        handles.push((operation, true, connected, session.clone()));
        handles.push((operation, false, open(&*faults, deadline).await?, session));
    }
    let (many, _) = connect_all(subject, &*faults, deadline).await?;
    faults.freeze().await?;
    // The tolerance is half a deadline, plus what this machine has cost the calls.
    let delays = Delays::measure();
    let since = Instant::now();
    // More calls than the store has connections.
    let waiting = timeout(deadline * 2, join_all((0..200).map(|_| many.get("id")))).await;
    ended_by_the_deadline(subject, "200 calls", since.elapsed(), &delays)?;
    if waiting.is_err() {
        return Err(DOES_NOT_END);
    }
    let calls = handles.iter().map(|(operation, was_sent, store, session)| async move {
        let since = Instant::now();
        let outcome = timeout(deadline * 2, call(&**store, operation, "id", session)).await;
        (operation, *was_sent, since.elapsed(), outcome)
    });
    for (operation, was_sent, took, outcome) in join_all(calls).await {
        ended_by_the_deadline(subject, operation, took, &delays)?;
        let outcome = outcome.map_err(|_| DOES_NOT_END)?;
        let Some(Err(error)) = outcome else { continue };
        // A call that was not sent may report that.
        let is_unavailable = !was_sent && error.kind() == ErrorKind::Unavailable;
        check(
            error.kind() == ErrorKind::Timeout || is_unavailable,
            format_args!("{operation} on a frozen server fails with {:?}: {error}", error.kind()),
        )?;
        // Without a login, a call can be sent although the server has not answered anything yet.
        is_honest(operation, true, &error)?;
        let is_unknown = error.outcome_unknown() || only_reads(operation) || *operation == "clear";
        if was_sent && !is_unknown {
            let reason = format!(
                "{operation} may be carried out later, but its outcome is not unknown: {error}"
            );
            // A busy machine may not have sent it by the deadline.
            return Err(subject.too_slow(reason));
        }
    }
    Ok(())
}

/// Calls that wait for an answer must notice the end of their connection, not wait for the deadline.
pub(crate) async fn calls_under_way_end_with_the_server(subject: &StoreUnderTest) -> Verdict {
    let faults = subject.faults().await?;
    let (store, session) = connect(subject, &*faults, FAR).await?;
    faults.freeze().await?;
    let mut calls = JoinSet::new();
    for number in 0..AT_ONCE {
        let (store, session) = (Arc::clone(&store), session.clone());
        let operation = ["get", "set", "destroy"][number % 3];
        calls.spawn(async move { (operation, call(&*store, operation, "id", &session).await) });
    }
    // By then, most calls wait for their answers. A call that does not gets a refused connection.
    tokio::time::sleep(Duration::from_millis(50)).await;
    faults.stop().await?;
    let since = Instant::now();
    while let Some(joined) = calls.join_next().await {
        let (operation, outcome) = joined.map_err(broken)?;
        let Some(Err(error)) = outcome else { continue };
        check(
            error.kind() == ErrorKind::Unavailable,
            format_args!("{operation} on a dying server fails with {:?}: {error}", error.kind()),
        )?;
        is_honest(operation, true, &error)?;
    }
    let took = since.elapsed();
    check(took < FAR / 2, format_args!("the calls waited for another {took:?}"))
}

/// A store that needs a restart of the application turns an outage of a minute into one of a night.
pub(crate) async fn calls_work_again_after_an_outage(subject: &StoreUnderTest) -> Verdict {
    let faults = subject.faults().await?;
    let (store, session) = connect(subject, &*faults, subject.deadline()).await?;
    // Frozen and stopped end differently: in the first the old connections can still be used, in the second they
    // cannot.
    for is_frozen in [true, false] {
        if is_frozen {
            faults.freeze().await?;
        } else {
            faults.stop().await?;
        }
        for operation in ["set", "get"] {
            if let Some(Err(error)) = call(&*store, operation, "id", &session).await {
                is_retryable(operation, &error)?;
            }
        }
        if is_frozen {
            faults.thaw().await?;
        } else {
            faults.restart().await?;
        }
        for operation in OPERATIONS {
            works_again(&*store, operation, &session).await?;
        }
    }
    Ok(())
}

/// A pool full of dead connections would fail one request for each of them.
pub(crate) async fn one_call_at_most_notices_a_restart(subject: &StoreUnderTest) -> Verdict {
    let faults = subject.faults().await?;
    let (store, session) = connect_all(subject, &*faults, FAR).await?;
    faults.stop().await?;
    faults.restart().await?;
    let mut noticed = None;
    for _ in 0..AT_ONCE {
        if let Err(error) = store.set("id", &session).await {
            is_retryable("set", &error)?;
            check(noticed.is_none(), format_args!("a second call fails after a restart: {error}"))?;
            noticed = Some(error);
        }
    }
    Ok(())
}

/// Firewalls and proxies close idle connections. One error for each of them would be visible every morning.
pub(crate) async fn a_connection_that_was_cut_is_made_again(subject: &StoreUnderTest) -> Verdict {
    let faults = subject.faults().await?;
    let (store, session) = connect(subject, &*faults, FAR).await?;
    for _ in 0..5 {
        faults.cut().await?;
        if let Err(error) = store.set("id", &session).await {
            is_retryable("set", &error)?;
            store.set("id", &session).await?;
        }
    }
    Ok(())
}

/// A firewall can drop a connection without telling either side. Left open, it would make every later call time out.
pub(crate) async fn a_silent_connection_is_left_after_one_deadline(
    subject: &StoreUnderTest,
) -> Verdict {
    let (faults, deadline) = (subject.faults().await?, subject.deadline());
    let mut handles = Vec::new();
    for operation in OPERATIONS {
        handles.push((operation, connect(subject, &*faults, deadline).await?));
    }
    let (many, session) = connect_all(subject, &*faults, deadline).await?;
    faults.silence().await?;
    let calls = handles.iter().map(|(operation, (store, session))| async move {
        let Some(Err(error)) = call(&**store, operation, "id", session).await else {
            return Ok(());
        };
        is_retryable(operation, &error)?;
        is_honest(operation, true, &error)?;
        subject.answered(store.set(operation, session).await)?;
        subject.answered(store.get(operation).await).map(drop)
    });
    for verdict in join_all(calls).await {
        verdict?;
    }
    // The other calls must work as well.
    if let Err(error) = many.set("id", &session).await {
        is_retryable("set", &error)?;
    }
    for outcome in join_all((0..AT_ONCE).map(|_| many.set("id", &session))).await {
        subject.answered(outcome)?;
    }
    Ok(())
}

/// A client that sends a write again meets its own write. Reported as a conflict, a login would fail although it is
/// stored.
pub(crate) async fn a_lost_answer_is_no_conflict(subject: &StoreUnderTest) -> Verdict {
    subject.atomic()?;
    let faults = subject.faults().await?;
    let (store, mut session) = connect(subject, &*faults, FAR).await?;
    let atomic = store.atomic().ok_or(Failure::NotOffered("atomic"))?;
    faults.lose_answers().await?;
    match atomic.create("new", &session).await {
        Ok(Created::Exists) => {
            Err(broken("create reports the session that it stored itself as `Exists`"))
        }
        Err(error) => is_retryable("create", &error),
        Ok(_) => Ok(()),
    }?;
    store.get("id").await?;
    session.insert("who", "bob")?;
    faults.lose_answers().await?;
    match atomic.update("id", &session).await {
        Ok(Updated::Stored(_)) => Ok(()),
        Err(error) => is_retryable("update", &error),
        Ok(updated) => Err(broken(format_args!("update reports its own write as {updated:?}"))),
    }
}

/// A caller that believes an error to mean "nothing happened" would repeat an order.
pub(crate) async fn a_write_whose_answer_was_lost_is_not_told_as_undone(
    subject: &StoreUnderTest,
) -> Verdict {
    let faults = subject.faults().await?;
    let (store, session) = connect(subject, &*faults, FAR).await?;
    let (beside, _) = connect(subject, &*faults, FAR).await?;
    // Several times, since the lost answer can be that of a step before the write, such as a login.
    for number in 0..5 {
        let sid = format!("id-{number}");
        faults.lose_answers().await?;
        if let Err(error) = store.set(&sid, &session).await {
            is_retryable("set", &error)?;
            // The answer to this call may be lost as well.
            let stored = match beside.get(&sid).await {
                Err(_) => beside.get(&sid).await?,
                Ok(stored) => stored,
            };
            check(
                error.outcome_unknown() || stored.is_none(),
                format_args!("the session is stored, but set failed: {error}"),
            )?;
        }
        store.get(&sid).await?;
    }
    Ok(())
}

/// Errors of clients often quote the command that failed, with the id and the record in it.
pub(crate) async fn an_outage_quotes_nothing(subject: &StoreUnderTest) -> Verdict {
    const SID: &str = "the-secret-id";
    let faults = subject.faults().await?;
    let store = open(&*faults, subject.deadline()).await?;
    let mut session = subject.lasting("ann")?;
    session.insert("secret", "squirrel")?;
    subject.answered(store.set(SID, &session).await)?;
    let read = subject.answered(store.get(SID).await)?;
    let session = read.ok_or_else(|| broken("the session that was just stored does not exist"))?;
    for is_frozen in [true, false] {
        if is_frozen {
            faults.freeze().await?;
        } else {
            faults.stop().await?;
        }
        let calls = OPERATIONS.map(|operation| call(&*store, operation, SID, &session));
        let outcomes = join_all(calls).await;
        for (operation, outcome) in OPERATIONS.iter().zip(outcomes) {
            let Some(Err(error)) = outcome else { continue };
            let text = told(&error);
            check(
                !text.contains(SID) && !text.contains("squirrel"),
                format_args!("{operation} quotes an id or a session in {text}"),
            )?;
        }
    }
    Ok(())
}
