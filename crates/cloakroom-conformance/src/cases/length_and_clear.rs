//! `length` and `clear`.

use crate::{
    StoreUnderTest,
    cases::listing::{MANY, beside_a_neighbour, fill, in_every_way, names, one_has_expired},
    failure::{Failure, Verdict, check},
};

async fn length_is(subject: &StoreUnderTest, wanted: u64) -> Verdict {
    let length = subject.length().await?;
    check(length == wanted, format_args!("the length is {length}, but {wanted} sessions are live"))
}

/// Replaced sessions must not count twice, and destroyed ones not at all.
pub(crate) async fn length_counts_live_sessions(subject: &StoreUnderTest) -> Verdict {
    let (store, ids) = (subject.store(), names(3));
    length_is(subject, 0).await?;
    fill(subject, store, &ids).await?;
    length_is(subject, 3).await?;
    // Replacing a session does not create one.
    fill(subject, store, &ids[..2]).await?;
    length_is(subject, 3).await?;
    store.destroy(&ids[0]).await?;
    length_is(subject, 2).await
}

/// A backend removes expired records late. Its own count is therefore too high.
pub(crate) async fn length_leaves_expired_sessions_out(subject: &StoreUnderTest) -> Verdict {
    // Asked first: a store that cannot list may also not expire sessions, and would fail here for the wrong reason.
    length_is(subject, 0).await?;
    one_has_expired(subject).await?;
    length_is(subject, 1).await
}

/// A count made of one page never grows beyond it.
pub(crate) async fn length_counts_more_than_a_page(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    fill(subject, subject.store(), &names(MANY)).await?;
    length_is(subject, MANY as u64).await
}

/// A counter that only `set` raises leaves out every login of Rust, which `create` stores.
pub(crate) async fn length_counts_sessions_however_they_were_stored(
    subject: &StoreUnderTest,
) -> Verdict {
    length_is(subject, 0).await?;
    let ids = in_every_way(subject).await?;
    length_is(subject, ids.len() as u64).await
}

/// Indexes, locks and other records that a store keeps for itself are not sessions.
pub(crate) async fn length_is_zero_once_all_are_gone(subject: &StoreUnderTest) -> Verdict {
    let ids = names(4);
    fill(subject, subject.store(), &ids).await?;
    subject.length().await?;
    match subject.clear().await {
        Ok(()) => {}
        // A store may support `length` but not `clear`; then the sessions are removed one by one.
        Err(Failure::NotOffered(_)) => {
            for id in &ids {
                subject.store().destroy(id).await?;
            }
        }
        Err(failure) => return Err(failure),
    }
    length_is(subject, 0).await
}

/// The number of all keys on the server is not the number of this application's sessions.
pub(crate) async fn length_leaves_neighbours_out(subject: &StoreUnderTest) -> Verdict {
    beside_a_neighbour(subject).await?;
    length_is(subject, 1).await
}

/// Operators clear the store when a secret has leaked. A session that is left stays usable for the thief.
pub(crate) async fn clear_removes_every_session(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    cleared(subject, 5).await
}

/// As above, for more sessions than one page of a listing has.
pub(crate) async fn clear_removes_more_than_a_page(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    cleared(subject, MANY).await
}

/// A store that clears by a list of its own misses the sessions that are not in it, and a thief stays logged in.
pub(crate) async fn clear_removes_sessions_however_they_were_stored(
    subject: &StoreUnderTest,
) -> Verdict {
    let ids = in_every_way(subject).await?;
    subject.clear().await?;
    for id in &ids {
        subject.is_gone(id).await?;
    }
    Ok(())
}

async fn cleared(subject: &StoreUnderTest, count: usize) -> Verdict {
    let ids = names(count);
    fill(subject, subject.store(), &ids).await?;
    // Otherwise a store that stored nothing would pass.
    for id in &ids {
        subject.is_there(id).await?;
    }
    subject.clear().await?;
    for id in &ids {
        subject.is_gone(id).await?;
    }
    Ok(())
}

/// A database, collection or folder that does not exist yet must not be an error in a test's set-up.
pub(crate) async fn clear_of_an_empty_store_is_no_error(subject: &StoreUnderTest) -> Verdict {
    subject.clear().await
}

/// A store that drops its collection or folder must be able to make it again.
pub(crate) async fn a_cleared_store_takes_sessions(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    let session = subject.lasting("ann")?;
    subject.store().set("id", &session).await?;
    subject.clear().await?;
    subject.store().set("id", &session).await?;
    subject.holds("id", &session).await
}

/// `FLUSHDB` and `flush_all` would log out the users of every application on the server.
pub(crate) async fn clear_leaves_neighbours_alone(subject: &StoreUnderTest) -> Verdict {
    beside_a_neighbour(subject).await?;
    subject.clear().await?;
    let theirs = subject.neighbour()?.get("theirs").await?;
    check(theirs.is_some(), "clear removed the session of a neighbour")
}
