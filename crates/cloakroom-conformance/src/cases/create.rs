//! `create`: a new session under an id that nobody has.

use std::sync::Arc;

use cloakroom_core::{Created, SessionData, Updated};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
    probe::same,
};

/// Members as records of Node.js and other languages may contain them.
pub(crate) const ODD_MEMBERS: &str = r#""one":1.0,"big":12345678901234567890,"cut":"\ud83d","é":"\u00eb","2":null,"1":{},"2":"twice""#;

fn odd_session(who: &str) -> Result<SessionData, Failure> {
    let record = format!(r#"{{"cookie":{{"path":"/"}},"who":"{who}",{ODD_MEMBERS}}}"#);
    Ok(SessionData::from_json(record)?)
}

fn is_stored(created: &Created) -> Verdict {
    check(
        matches!(created, Created::Stored(_)),
        "wanted `Stored`, got `Exists`: no live session has this id",
    )
}

fn exists(created: &Created) -> Verdict {
    check(*created == Created::Exists, "wanted `Exists`, got `Stored`: a live session has this id")
}

/// A login that moves its data creates the session under the new id. Nothing in the record may change on the way.
pub(crate) async fn create_stores(subject: &StoreUnderTest) -> Verdict {
    let session = odd_session("ann")?;
    is_stored(&subject.atomic()?.create("id", &session).await?)?;
    subject.holds("id", &session).await
}

/// A handler that saves a new session and then changes it writes with this revision. Without it, the request would
/// conflict with itself.
pub(crate) async fn create_answers_the_revision(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    let mut session = subject.lasting("ann")?;
    let Created::Stored(revision) = atomic.create("id", &session).await? else {
        return Err(broken("a fresh store contains a session"));
    };
    session.mark_stored(revision);
    session.insert("more", 1)?;
    let updated = atomic.update("id", &session).await?;
    check(
        matches!(updated, Updated::Stored(_)),
        format_args!("wanted `Stored` with create's revision, got `{updated:?}`"),
    )
}

/// If a generator of ids repeats itself, two users must not share one session.
pub(crate) async fn create_twice_is_exists(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    atomic.create("id", &subject.lasting("ann")?).await?;
    subject.is_there("id").await?;
    exists(&atomic.create("id", &subject.lasting("bob")?).await?)
}

/// Node.js creates sessions by plain writes, which count too.
pub(crate) async fn create_notices_a_set(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    exists(&atomic.create("id", &subject.lasting("bob")?).await?)
}

/// The loser of a collision must not have overwritten the winner's session by the time it gets its answer.
pub(crate) async fn create_keeps_the_session_that_exists(subject: &StoreUnderTest) -> Verdict {
    let (atomic, first) = (subject.atomic()?, subject.lasting("ann")?);
    atomic.create("id", &first).await?;
    subject.is_there("id").await?;
    atomic.create("id", &subject.lasting("bob")?).await?;
    subject.holds("id", &first).await
}

/// A rejected `create` must not shorten the session of somebody else.
pub(crate) async fn create_keeps_the_expiry_that_exists(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    atomic.create("id", &subject.lasting("ann")?).await?;
    atomic.create("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    subject.is_there("id").await
}

/// An id is free when its session has expired, even if the backend has not removed the record yet.
pub(crate) async fn create_over_an_expired_session_stores(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    let session = subject.lasting("bob")?;
    is_stored(&atomic.create("id", &session).await?)?;
    subject.holds("id", &session).await
}

/// A backend that marks deleted records must not take the mark for a session.
pub(crate) async fn create_after_destroy_stores(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.store().destroy("id").await?;
    let session = subject.lasting("bob")?;
    is_stored(&atomic.create("id", &session).await?)?;
    subject.holds("id", &session).await
}

/// A `create` that forgets the expiry fills the backend with sessions that never end.
pub(crate) async fn create_gives_the_time_to_live(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    atomic.create("short", &subject.short("ann")?).await?;
    atomic.create("lasting", &subject.lasting("ann")?).await?;
    atomic.create("browser", &subject.session("ann", None)?).await?;
    subject.outlast().await?;
    subject.is_gone("short").await?;
    subject.is_there("lasting").await?;
    subject.is_there("browser").await
}

/// An expired session must not come to life, not even until the backend cleans up.
pub(crate) async fn create_with_a_passed_expiry_stores_nothing(
    subject: &StoreUnderTest,
) -> Verdict {
    is_stored(&subject.atomic()?.create("id", &subject.expired("ann")?).await?)?;
    subject.is_gone("id").await
}

/// The id belongs to another session, which a new one that has expired must not end.
pub(crate) async fn create_with_a_passed_expiry_keeps_the_session_that_exists(
    subject: &StoreUnderTest,
) -> Verdict {
    let (atomic, session) = (subject.atomic()?, subject.lasting("ann")?);
    subject.store().set("id", &session).await?;
    exists(&atomic.create("id", &subject.expired("bob")?).await?)?;
    subject.holds("id", &session).await
}

/// The check and the write must be one step in the backend. As two steps, several of 20 concurrent requests would get
/// `Stored` and share one session.
pub(crate) async fn create_has_one_winner(subject: &StoreUnderTest) -> Verdict {
    subject.atomic()?;
    // The tasks of one round can happen to run one after the other.
    for round in 0..3 {
        one_winner(subject, &format!("id-{round}")).await?;
    }
    Ok(())
}

/// Lets 20 tasks create one session at the same moment. Exactly one may win, and its session must be the stored one.
async fn one_winner(subject: &StoreUnderTest, sid: &str) -> Verdict {
    const TASKS: usize = 20;
    let (mut tasks, start) = (JoinSet::new(), Arc::new(Barrier::new(TASKS)));
    for number in 0..TASKS {
        let (store, session) = (subject.shared(), subject.lasting(&format!("task {number}"))?);
        let (sid, start) = (sid.to_owned(), Arc::clone(&start));
        tasks.spawn(async move {
            let atomic = store.atomic().ok_or(Failure::NotOffered("atomic"))?;
            start.wait().await;
            let created = atomic.create(&sid, &session).await?;
            Ok::<_, Failure>(matches!(created, Created::Stored(_)).then_some(session))
        });
    }
    let mut winners = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        winners.extend(joined.map_err(broken)??);
    }
    let [winner] = &winners[..] else {
        return Err(broken(format_args!("{} of {TASKS} tasks got `Stored`", winners.len())));
    };
    same(&subject.read(sid).await?, winner)
}
