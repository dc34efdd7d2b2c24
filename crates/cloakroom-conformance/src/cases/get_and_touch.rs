//! `get_and_touch`: a visit in one round trip.

use std::time::Duration;

use cloakroom_core::{Atomic, ErrorKind, SessionData, Updated};

use crate::{
    StoreUnderTest,
    cases::create::ODD_MEMBERS,
    failure::{Failure, Verdict, broken, check},
    probe::same,
};

const HOUR: Option<Duration> = Some(Duration::from_secs(3_600));
const DAY: Duration = Duration::from_secs(86_400);

fn short(subject: &StoreUnderTest) -> Option<Duration> {
    Some(Duration::from_millis(subject.short_ms().unsigned_abs()))
}

/// Calls `get_and_touch`, which must not return `None`.
async fn read(
    atomic: &dyn Atomic,
    sid: &str,
    ttl: Option<Duration>,
) -> Result<SessionData, Failure> {
    let found = atomic.get_and_touch(sid, ttl).await?;
    found.ok_or_else(|| broken("wanted the session, got `None`"))
}

/// This call serves every request that only reads, so what it returns must be what is stored, byte for byte.
pub(crate) async fn get_and_touch_returns_the_session(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    let session = SessionData::from_json(format!(r#"{{"cookie":{{"path":"/"}},{ODD_MEMBERS}}}"#))?;
    subject.store().set("id", &session).await?;
    same(&read(atomic, "id", HOUR).await?, &session)
}

/// Users who only read stay logged in by this call alone.
pub(crate) async fn get_and_touch_extends(subject: &StoreUnderTest) -> Verdict {
    extends(subject, HOUR).await
}

/// Without a max age the session is a browser session, which the store keeps for its default time.
pub(crate) async fn get_and_touch_without_ttl_gives_the_default(
    subject: &StoreUnderTest,
) -> Verdict {
    extends(subject, None).await
}

/// Checks that the session is extended. It is shortened first, so that the record's cookie is not stale in the end; see
/// `touch`.
async fn extends(subject: &StoreUnderTest, longer: Option<Duration>) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let as_short = subject.short("ann")?;
    atomic.get_and_touch("id", short(subject)).await?;
    atomic.get_and_touch("id", longer).await?;
    subject.in_time(&as_short)?;
    subject.outlast().await?;
    subject.outlives("id").await.map(drop)
}

/// The call sets the expiry; it does not only raise it. A shorter `max_age` in the options counts from the next visit
/// on.
pub(crate) async fn get_and_touch_shortens(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    atomic.get_and_touch("id", short(subject)).await?;
    subject.outlast().await?;
    subject.is_gone("id").await
}

/// Rounded down, a time to live below one second would be zero, which backends take for "never" or "now".
pub(crate) async fn get_and_touch_counts_up_to_the_next_second(
    subject: &StoreUnderTest,
) -> Verdict {
    let atomic = subject.atomic()?;
    for sid in ["part", "more"] {
        subject.store().set(sid, &subject.lasting("ann")?).await?;
    }
    let start_ms = subject.now_ms();
    atomic.get_and_touch("part", Some(Duration::from_millis(200))).await?;
    atomic.get_and_touch("more", Some(Duration::from_millis(1_200))).await?;
    subject.lives_until("part", start_ms + 1_000).await?;
    subject.ends("part", start_ms + 1_000).await?;
    subject.lives_until("more", start_ms + 2_000).await
}

/// A month is beyond Memcached's relative times, a century beyond a date of 32 bits, and ten thousand years beyond
/// years of four digits.
pub(crate) async fn get_and_touch_takes_long_ttls(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    let ttls = [("a-month", 31 * DAY), ("a-life", 36_500 * DAY), ("an-age", 3_650_000 * DAY)];
    for (sid, ttl) in ttls {
        subject.store().set(sid, &subject.lasting("ann")?).await?;
        read(atomic, sid, Some(ttl)).await?;
    }
    subject.pass(subject.short_ms() + 200).await;
    for (sid, _) in ttls {
        subject.is_there(sid).await?;
    }
    Ok(())
}

/// Every expired cookie brings such an id, and its visitor is no longer logged in.
pub(crate) async fn get_and_touch_missing_is_none(subject: &StoreUnderTest) -> Verdict {
    is_none(subject, "missing").await
}

/// A random id in a cookie must not leave a record behind, or anybody could fill the backend.
pub(crate) async fn get_and_touch_never_creates(subject: &StoreUnderTest) -> Verdict {
    subject.atomic()?.get_and_touch("missing", HOUR).await?;
    subject.is_gone("missing").await
}

/// An expired session that the backend has not removed yet must not come back because its user returns late.
pub(crate) async fn get_and_touch_never_revives(subject: &StoreUnderTest) -> Verdict {
    subject.atomic()?;
    subject.store().set("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    is_none(subject, "id").await?;
    subject.is_gone("id").await
}

async fn is_none(subject: &StoreUnderTest, sid: &str) -> Verdict {
    let found = subject.atomic()?.get_and_touch(sid, HOUR).await?;
    check(found.is_none(), "wanted `None`, got a session")
}

/// It is most likely a mistake, and backends disagree: Memcached would keep the record for ever, and Redis would delete
/// it.
pub(crate) async fn get_and_touch_refuses_a_ttl_of_zero(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    match atomic.get_and_touch("id", Some(Duration::ZERO)).await {
        Ok(_) => check(false, "wanted an error, got success")?,
        Err(error) => check(
            error.kind() == ErrorKind::InvalidData,
            format_args!("wanted an error of kind `InvalidData`, got: {error}"),
        )?,
    }
    subject.is_there("id").await
}

/// A read that rewrote the record could undo a change that another request makes at the same time.
pub(crate) async fn get_and_touch_keeps_the_record(subject: &StoreUnderTest) -> Verdict {
    let (atomic, session) = (subject.atomic()?, subject.lasting("ann")?);
    subject.store().set("id", &session).await?;
    atomic.get_and_touch("id", Some(Duration::from_secs(7_200))).await?;
    subject.holds("id", &session).await
}

/// The layer reads by this call and writes by `update`. Without a revision it would have to read a second time.
pub(crate) async fn get_and_touch_carries_the_revision(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let session = read(atomic, "id", HOUR).await?;
    is_stored(atomic, session).await
}

/// If reading changed the revision, the write of one request would conflict with the mere visit of another.
pub(crate) async fn get_and_touch_keeps_the_revision(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let session = subject.read("id").await?;
    atomic.get_and_touch("id", HOUR).await?;
    is_stored(atomic, session).await
}

async fn is_stored(atomic: &dyn Atomic, mut session: SessionData) -> Verdict {
    session.insert("more", 1)?;
    let updated = atomic.update("id", &session).await?;
    check(
        matches!(updated, Updated::Stored(_)),
        format_args!("wanted `Stored`, got `{updated:?}`: nobody wrote in between"),
    )
}
