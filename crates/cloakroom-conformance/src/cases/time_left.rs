//! The time that a listed session has left, and copies that keep it.

use std::time::Duration;

use cloakroom_core::{Cookie, Created, SessionData};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
    probe::{HOUR_MS, shown},
};

/// One side rounds up and the other down, memcached keeps an item for one second more, so that none ends early, and on a
/// busy machine the clocks of servers that count seconds by a timer are some seconds late.
const APART_MS: i64 = 15_000;

/// Returns the time left that is listed for a session, which must be listed.
async fn listed(subject: &StoreUnderTest, sid: &str) -> Result<Option<Duration>, Failure> {
    let found = subject.all().await?.into_iter().find(|listed| listed.id == sid);
    found
        .map(|listed| listed.time_left)
        .ok_or_else(|| broken(format_args!("{} is not listed", shown(sid))))
}

/// Checks that a session is listed with the time until `ends_ms`.
async fn ends_at(subject: &StoreUnderTest, sid: &str, ends_ms: i64) -> Verdict {
    let most_ms = ends_ms - subject.now_ms() + APART_MS;
    let left = listed(subject, sid).await?;
    let least_ms = ends_ms - subject.now_ms() - APART_MS;
    let left_ms = left.and_then(|left| i64::try_from(left.as_millis()).ok());
    check(
        left_ms.is_some_and(|left_ms| (least_ms..=most_ms).contains(&left_ms)),
        format_args!("{} ends in about {least_ms} ms, and is listed with {left:?}", shown(sid)),
    )
}

/// A copy that gets another time logs its user out early, or lets a thief in late.
pub(crate) async fn all_tells_the_time_left(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    let start_ms = subject.now_ms();
    let lives = [("an-hour", HOUR_MS), ("ten-minutes", 600_500), ("weeks", 1_200_000_000)];
    for (sid, ms) in lives {
        subject.store().set(sid, &subject.session(sid, Some(ms))?).await?;
    }
    for (sid, ms) in lives {
        // `set` was called after the start, but the expiry of its cookie counts from before it.
        ends_at(subject, sid, start_ms + ms).await?;
    }
    Ok(())
}

/// Node.js touches a session without writing it, so the cookie in the record says something else.
pub(crate) async fn all_tells_the_time_left_after_a_touch(subject: &StoreUnderTest) -> Verdict {
    subject.enumerate()?;
    subject.store().set("id", &subject.session("ann", Some(600_000))?).await?;
    let touch = subject.lasting("ann")?;
    subject.touch("id", &touch).await?;
    ends_at(subject, "id", touch.cookie().expires_ms().unwrap_or_default()).await
}

/// What counts is when the backend ends the session, not what the store remembers.
pub(crate) async fn all_tells_the_time_left_in_the_backend(subject: &StoreUnderTest) -> Verdict {
    const APART: Duration = Duration::from_secs(1);
    let raw = subject.raw()?;
    subject.enumerate()?;
    for record in [
        r#"{"cookie":{"originalMaxAge":null,"expires":null}}"#,
        r#"{"cookie":{"originalMaxAge":5000,"expires":"2001-01-01T00:00:00.000Z"}}"#,
    ] {
        raw.put("id", record).await?;
        let most = raw.time_left("id").await?;
        let told = listed(subject, "id").await?;
        let least = raw.time_left("id").await?;
        let is_right = match (least, told, most) {
            (Some(least), Some(told), Some(most)) => told + APART >= least && told <= most + APART,
            (None, None, None) => true,
            _ => false,
        };
        check(
            is_right,
            format_args!("the backend keeps it for {least:?}, and it is listed with {told:?}"),
        )?;
    }
    Ok(())
}

/// Redis and the others keep a record without an expiry for ever. A copy with any time would end it.
pub(crate) async fn a_session_without_an_end_has_no_time_left(subject: &StoreUnderTest) -> Verdict {
    let raw = subject.raw()?;
    subject.enumerate()?;
    let record = r#"{"cookie":{"originalMaxAge":null,"expires":null}}"#;
    if !raw.put_endless("id", record).await? {
        return Err(Failure::NotOffered("endless"));
    }
    let left = listed(subject, "id").await?;
    check(left.is_none(), format_args!("a session without an end is listed with {left:?}"))
}

/// Checks that the store can list its sessions, before it is asked to keep a copy. With none, it may not show.
async fn lists(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("listed", &subject.lasting("ann")?).await?;
    subject.all().await.map(drop)
}

/// A session as it is read, whose cookie says that it ended long ago, or lives for a day.
fn copies(subject: &StoreUnderTest) -> Result<[(&'static str, SessionData); 2], Failure> {
    let stale =
        r#"{"cookie":{"originalMaxAge":5000,"expires":"2001-01-01T00:00:00.000Z"},"n":1.0}"#;
    let mut day = Cookie::new();
    day.set_max_age_ms(Some(24 * HOUR_MS), subject.now_ms())?;
    let expiry_ms = subject.now_ms() + HOUR_MS;
    let mut lasting = SessionData::with_cookie(day);
    lasting.insert("who", "ann")?;
    let sessions = [("stale", SessionData::from_json(stale)?), ("a-day", lasting)];
    Ok(sessions.map(|(sid, session)| (sid, session.with_store_expiry_ms(expiry_ms))))
}

/// Checks that a copy is kept as it is, for the time that it was given.
async fn is_copied(subject: &StoreUnderTest, sid: &str, copy: &SessionData) -> Verdict {
    let read = subject.read(sid).await?;
    let (text, wanted) = (read.loaded_json(), copy.to_json());
    check(text == wanted, format_args!("{} was stored as {}", shown(&wanted), shown(text)))?;
    ends_at(subject, sid, copy.store_expiry_ms().unwrap_or_default()).await
}

/// The cookie of a copy is as stale as that of its original.
pub(crate) async fn set_keeps_a_copy_for_its_time(subject: &StoreUnderTest) -> Verdict {
    lists(subject).await?;
    for (sid, copy) in copies(subject)? {
        subject.store().set(sid, &copy).await?;
        is_copied(subject, sid, &copy).await?;
    }
    Ok(())
}

/// `create` is how a session is copied without overwriting one that is newer.
pub(crate) async fn create_keeps_a_copy_for_its_time(subject: &StoreUnderTest) -> Verdict {
    lists(subject).await?;
    for (sid, copy) in copies(subject)? {
        let created = subject.atomic()?.create(sid, &copy).await?;
        check(
            matches!(created, Created::Stored(_)),
            "nobody has the id, but the copy was refused",
        )?;
        is_copied(subject, sid, &copy).await?;
    }
    Ok(())
}
