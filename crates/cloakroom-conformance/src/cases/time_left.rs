//! The time that a listed session has left, and copies that keep it.

use std::time::Duration;

use cloakroom_core::{Cookie, Created, SessionData, Touched};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
    probe::{HOUR_MS, shown},
};

/// One side rounds up and the other down, memcached keeps an item for one second more, so that none ends early, and on a
/// busy machine the clocks of servers that count seconds by a timer are some seconds late.
const APART: Duration = Duration::from_secs(15);
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

/// Each of them computes the time in code of its own. One that takes seconds for milliseconds, or forgets what is longer
/// than a day, keeps a short session for its time.
pub(crate) async fn conditional_writes_count_the_time_as_set_does(
    subject: &StoreUnderTest,
) -> Verdict {
    lists(subject).await?;
    let atomic = subject.atomic()?;
    for ms in [HOUR_MS, 600_500, 1_200_000_000] {
        let [created, updated, visited] =
            ["created", "updated", "visited"].map(|how| format!("{how}-for-{ms}-ms"));
        let start_ms = subject.now_ms();
        atomic.create(&created, &subject.session("ann", Some(ms))?).await?;
        for sid in [&updated, &visited] {
            subject.store().set(sid, &subject.session("ann", Some(2 * HOUR_MS))?).await?;
        }
        let mut read = subject.read(&updated).await?;
        read.cookie_mut().set_max_age_ms(Some(ms), subject.now_ms())?;
        atomic.update(&updated, &read).await?;
        atomic.get_and_touch(&visited, Some(Duration::from_millis(ms.unsigned_abs()))).await?;
        for sid in [created, updated, visited] {
            ends_at(subject, &sid, start_ms + ms).await?;
        }
    }
    Ok(())
}

/// A visit must not shorten a session that its login stored, nor keep it for longer.
pub(crate) async fn every_call_gives_a_browser_session_the_same_time(
    subject: &StoreUnderTest,
) -> Verdict {
    lists(subject).await?;
    let (store, browser) = (subject.store(), subject.session("browser", None)?);
    store.set("set", &browser).await?;
    let mut calls = Vec::new();
    store.set("touch", &subject.lasting("ann")?).await?;
    if store.touch("touch", &browser).await? == Touched::Extended {
        calls.push("touch");
    }
    if let Some(atomic) = store.atomic() {
        for sid in ["update", "get_and_touch"] {
            store.set(sid, &subject.lasting("ann")?).await?;
        }
        atomic.create("create", &browser).await?;
        let mut read = subject.read("update").await?;
        *read.cookie_mut() = Cookie::new();
        atomic.update("update", &read).await?;
        atomic.get_and_touch("get_and_touch", None).await?;
        calls.extend(["create", "update", "get_and_touch"]);
    }
    let wanted = listed(subject, "set").await?;
    for call in calls {
        let left = listed(subject, call).await?;
        let is_same = match (wanted, left) {
            (Some(wanted), Some(left)) => wanted.abs_diff(left) <= APART,
            (wanted, left) => wanted == left,
        };
        check(
            is_same,
            format_args!("set keeps a browser session for {wanted:?}, and {call} for {left:?}"),
        )?;
    }
    Ok(())
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
