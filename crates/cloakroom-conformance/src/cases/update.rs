//! `update`: the write that loses nothing and revives nothing. Everything that cloakroom promises beyond Express rests
//! on it.

use cloakroom_core::{Cookie, ErrorKind, SessionData, Updated};

use crate::{
    StoreUnderTest,
    cases::create::ODD_MEMBERS,
    failure::{Failure, Verdict, broken, check},
    probe::same,
};

pub(super) fn is_stored(updated: &Updated) -> Verdict {
    check(
        matches!(updated, Updated::Stored(_)),
        format_args!("wanted `Stored`, got `{updated:?}`: nobody wrote in between"),
    )
}

/// Returns the current record of a conflict, and fails for any other answer.
fn conflict(updated: Updated) -> Result<SessionData, Failure> {
    match updated {
        Updated::Conflict(current) => Ok(current),
        other => Err(broken(format_args!(
            "wanted `Conflict`, got `{other:?}`: somebody wrote in between"
        ))),
    }
}

fn is_gone(updated: &Updated) -> Verdict {
    check(
        matches!(updated, Updated::Gone),
        format_args!("wanted `Gone`, got `{updated:?}`: the session does not exist"),
    )
}

/// Moves the expiry of a session that was read.
fn expiring(subject: &StoreUnderTest, session: &mut SessionData, ms: i64) -> Result<(), Failure> {
    Ok(session.cookie_mut().set_max_age_ms(Some(ms), subject.now_ms())?)
}

/// Returns a session that was read before another writer replaced it with `other`.
async fn stale(subject: &StoreUnderTest, other: &SessionData) -> Result<SessionData, Failure> {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    subject.store().set("id", other).await?;
    session.insert("late", true)?;
    Ok(session)
}

/// The change is stored, and everything else in the record stays as Node.js wrote it.
pub(crate) async fn update_stores(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    let record = format!(r#"{{"cookie":{{"path":"/"}},{ODD_MEMBERS}}}"#);
    subject.store().set("id", &SessionData::from_json(record)?).await?;
    let mut session = subject.read("id").await?;
    session.insert("more", ["tea"])?;
    is_stored(&atomic.update("id", &session).await?)?;
    subject.holds("id", &session).await
}

/// A request extends a session by writing it unchanged. MongoDB reports such a write as "matched, not modified", which
/// a store must not take for a conflict.
pub(crate) async fn update_without_changes_is_stored(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let session = subject.read("id").await?;
    is_stored(&atomic.update("id", &session).await?)?;
    subject.holds("id", &session).await
}

/// A handler can save several times. With the old revision, its second save would conflict with its first.
pub(crate) async fn update_answers_the_next_revision(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    // Three times, since the first revision comes from reading and the others from writing.
    for round in 1..=3 {
        session.insert("round", round)?;
        match atomic.update("id", &session).await? {
            Updated::Stored(revision) => session.mark_stored(revision),
            other => {
                return Err(broken(format_args!(
                    "update {round}, with the revision of the previous one, returned `{other:?}`"
                )));
            }
        }
    }
    subject.holds("id", &session).await
}

/// The lost update itself: of two requests that read the same record, the second must not overwrite what the first has
/// stored.
pub(crate) async fn update_notices_an_update(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let [mut first, mut second] = [subject.read("id").await?, subject.read("id").await?];
    first.insert("first", 1)?;
    second.insert("second", 2)?;
    is_stored(&atomic.update("id", &first).await?)?;
    conflict(atomic.update("id", &second).await?).map(drop)
}

/// Express writes whole records and knows no revisions. A version that only our writers increase would not change.
pub(crate) async fn update_notices_a_set(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    // A plain write of the same length by a writer that never read.
    let session = stale(subject, &subject.lasting("bob")?).await?;
    conflict(atomic.update("id", &session).await?).map(drop)?;
    // A write that changes nothing but the cookie counts, too: the application has another path, or a longer login.
    let mut other = subject.lasting("ann")?;
    other.cookie_mut().set_path(Some("/shop"));
    let session = stale(subject, &other).await?;
    conflict(atomic.update("id", &session).await?).map(drop)
}

/// A logout and a new session came between. The old session's members must not get into the new one.
pub(crate) async fn update_notices_a_session_made_again(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    subject.store().destroy("id").await?;
    // The text differs, because a store that compares texts does not notice an identical one, and loses nothing by
    // that.
    subject.store().set("id", &subject.lasting("somebody else")?).await?;
    session.insert("late", true)?;
    conflict(atomic.update("id", &session).await?).map(drop)
}

/// A store that writes first and compares then has overwritten the other request's change.
pub(crate) async fn a_conflict_changes_nothing(subject: &StoreUnderTest) -> Verdict {
    let (atomic, other) = (subject.atomic()?, subject.lasting("somebody else")?);
    let session = stale(subject, &other).await?;
    conflict(atomic.update("id", &session).await?)?;
    subject.holds("id", &other).await
}

/// The caller merges its change into this record. With an outdated one it would undo the other request's change.
pub(crate) async fn a_conflict_brings_the_current_record(subject: &StoreUnderTest) -> Verdict {
    let (atomic, other) = (subject.atomic()?, subject.lasting("somebody else")?);
    let session = stale(subject, &other).await?;
    same(&conflict(atomic.update("id", &session).await?)?, &other)
}

/// The record in the answer has a revision that works, so a loop of merge and `update` comes to an end.
pub(crate) async fn a_conflict_can_be_retried(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    let session = stale(subject, &subject.lasting("somebody else")?).await?;
    let mut current = conflict(atomic.update("id", &session).await?)?;
    current.merge(&session);
    is_stored(&atomic.update("id", &current).await?)?;
    let read = subject.read("id").await?;
    check(read.get("late")? == Some(true), "the retry got `Stored`, but its session does not exist")
}

/// Returns a session that was read before another writer destroyed it.
async fn orphan(subject: &StoreUnderTest) -> Result<SessionData, Failure> {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    subject.store().destroy("id").await?;
    session.insert("late", true)?;
    Ok(session)
}

/// The caller has to tell a logout from a conflict, since it must repeat only the latter.
pub(crate) async fn update_of_a_destroyed_session_is_gone(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    is_gone(&atomic.update("id", &orphan(subject).await?).await?)
}

/// In Express, a request that outlives a logout saves its copy, and the session is alive again.
pub(crate) async fn update_never_brings_back_a_destroyed_session(
    subject: &StoreUnderTest,
) -> Verdict {
    let atomic = subject.atomic()?;
    atomic.update("id", &orphan(subject).await?).await?;
    subject.is_gone("id").await
}

/// As after a logout: nobody may use a session beyond its end because a slow request wrote it.
pub(crate) async fn update_never_revives(subject: &StoreUnderTest) -> Verdict {
    let (atomic, short) = (subject.atomic()?, subject.short("ann")?);
    subject.store().set("id", &short).await?;
    let read = subject.store().get("id").await?;
    subject.in_time(&short)?;
    let gone = || subject.gone_early("the session does not exist".to_owned());
    let mut session = read.ok_or_else(gone)?;
    subject.outlast().await?;
    expiring(subject, &mut session, 60_000)?;
    is_gone(&atomic.update("id", &session).await?)?;
    subject.is_gone("id").await
}

/// A store that fell back to a plain write would lose updates silently.
pub(crate) async fn update_without_a_revision_is_invalid_data(subject: &StoreUnderTest) -> Verdict {
    let (atomic, first) = (subject.atomic()?, subject.lasting("ann")?);
    subject.store().set("id", &first).await?;
    match atomic.update("id", &subject.lasting("bob")?).await {
        Ok(updated) => check(false, format_args!("wanted an error, got `{updated:?}`"))?,
        Err(error) => check(
            error.kind() == ErrorKind::InvalidData,
            format_args!("wanted an error of kind `InvalidData`, got: {error}"),
        )?,
    }
    subject.holds("id", &first).await
}

/// This is the contract's conditional destroy: an application ends a session in the write that changes it.
pub(crate) async fn update_with_a_passed_expiry_destroys(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    expiring(subject, &mut session, -60_000)?;
    is_stored(&atomic.update("id", &session).await?)?;
    subject.is_gone("id").await
}

/// cloakroom-tower ends the old id of a move by such an update. If somebody has changed the old session, the change
/// must first be moved too.
pub(crate) async fn a_stale_update_with_a_passed_expiry_destroys_nothing(
    subject: &StoreUnderTest,
) -> Verdict {
    let atomic = subject.atomic()?;
    let mut session = stale(subject, &subject.lasting("somebody else")?).await?;
    expiring(subject, &mut session, -60_000)?;
    conflict(atomic.update("id", &session).await?)?;
    subject.is_there("id").await
}

/// A conditional write that kept the expiry of the earlier record would end sessions that were made longer.
pub(crate) async fn update_gives_the_time_to_live(subject: &StoreUnderTest) -> Verdict {
    let (atomic, lasting) = (subject.atomic()?, subject.lasting("ann")?);
    for sid in ["longer", "shorter", "browser"] {
        subject.store().set(sid, &lasting).await?;
    }
    for (sid, ms) in [("longer", 7_200_000), ("shorter", 1_000)] {
        let mut session = subject.read(sid).await?;
        expiring(subject, &mut session, ms)?;
        is_stored(&atomic.update(sid, &session).await?)?;
    }
    let mut session = subject.read("browser").await?;
    *session.cookie_mut() = Cookie::new();
    is_stored(&atomic.update("browser", &session).await?)?;
    subject.outlast().await?;
    subject.is_gone("shorter").await?;
    subject.is_there("longer").await?;
    subject.is_there("browser").await
}
