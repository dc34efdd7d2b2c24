//! Servers that stop in the middle of an operation in several steps.

use std::{collections::HashSet, pin::pin};

use cloakroom_core::{SessionData, Store};
use futures::{
    StreamExt,
    future::{Either, join, join_all, select},
};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, check},
    harm::{AT_ONCE, FAR, connect, is_retryable},
};

/// Stores this many sessions at once, and returns their ids.
async fn fill(
    subject: &StoreUnderTest,
    store: &dyn Store,
    session: &SessionData,
    sessions: usize,
) -> Result<Vec<String>, Failure> {
    let sids: Vec<_> = (0..sessions).map(|number| format!("id-{number}")).collect();
    for some in sids.chunks(AT_ONCE) {
        for outcome in join_all(some.iter().map(|sid| store.set(sid, session))).await {
            subject.answered(outcome)?;
        }
    }
    Ok(sids)
}

/// Waits until one of these sessions is gone.
async fn one_is_gone(subject: &StoreUnderTest, store: &dyn Store, sids: &[String]) -> Verdict {
    loop {
        for outcome in join_all(sids.iter().map(|sid| store.get(sid))).await {
            if subject.answered(outcome)?.is_none() {
                return Ok(());
            }
        }
        // A store that answers from memory would never let the other side go on.
        tokio::task::yield_now().await;
    }
}

/// Whoever believes that nothing was removed does not look for the users who are logged out.
pub(crate) async fn a_clear_that_breaks_off_may_have_happened(subject: &StoreUnderTest) -> Verdict {
    const SESSIONS: usize = 1_000;
    subject.clear().await?;
    let faults = subject.faults().await?;
    // Several times, since the server can be stopped during a step that says so by itself, or after the last one.
    for _ in 0..4 {
        let (store, session) = connect(subject, &*faults, FAR).await?;
        let (watching, _) = connect(subject, &*faults, FAR).await?;
        let sids = fill(subject, &*store, &session, SESSIONS).await?;
        let mut clear = store.enumerate().ok_or(Failure::NotOffered("enumerate"))?.clear();
        // Some that lie apart in any order of removal.
        let watched: Vec<_> = sids.into_iter().step_by(SESSIONS / AT_ONCE).collect();
        match select(&mut clear, pin!(one_is_gone(subject, &*watching, &watched))).await {
            Either::Left((cleared, _)) => subject.answered(cleared)?,
            Either::Right((gone, _)) => {
                gone?;
                let (cleared, stopped) = join(clear, faults.stop()).await;
                stopped?;
                if let Err(error) = cleared {
                    is_retryable("clear", &error)?;
                    check(
                        error.outcome_unknown(),
                        format_args!("some sessions are gone, but clear failed: {error}"),
                    )?;
                }
                faults.restart().await?;
            }
        }
    }
    Ok(())
}

/// A list that ends early without an error looks complete, and a copy made from it loses sessions.
pub(crate) async fn a_listing_that_breaks_off_is_an_error(subject: &StoreUnderTest) -> Verdict {
    const SESSIONS: usize = 500;
    subject.ids().await?;
    let faults = subject.faults().await?;
    let (store, session) = connect(subject, &*faults, FAR).await?;
    fill(subject, &*store, &session, SESSIONS).await?;
    let listing = store.enumerate().ok_or(Failure::NotOffered("enumerate"))?;
    let mut ids = listing.ids();
    let mut listed = HashSet::new();
    let mut failed = false;
    if let Some(first) = ids.next().await {
        listed.insert(first?);
    }
    // Pages that had arrived by now may still be listed. What counts is the end of the stream.
    faults.stop().await?;
    while let Some(item) = ids.next().await {
        match item {
            Ok(sid) => drop(listed.insert(sid)),
            Err(_) => {
                failed = true;
                break;
            }
        }
    }
    check(
        failed || listed.len() > SESSIONS,
        format_args!("{} of {} ids are listed, without an error", listed.len(), SESSIONS + 1),
    )
}
