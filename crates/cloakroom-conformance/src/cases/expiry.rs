//! The expiry of sessions.

use cloakroom_core::{Cookie, SessionData};

use crate::{
    StoreUnderTest,
    failure::{Verdict, check},
    probe::DAY_MS,
};

/// The first second of the year 10000, from which on dates have a sixth digit.
const YEAR_10000_MS: i64 = 253_402_300_800_000;
/// The last millisecond of a JavaScript `Date` (ECMAScript 21.4.1.1).
const LAST_DATE_MS: i64 = 8_640_000_000_000_000;

pub(crate) async fn a_sub_second_session_is_stored(subject: &StoreUnderTest) -> Verdict {
    let session = subject.session("ann", Some((300 * subject.patience()).min(900)))?;
    subject.store().set("id", &session).await?;
    let read = subject.store().get("id").await?;
    subject.in_time(&session)?;
    check(read.is_some(), "a session with less than a second to live was not stored")?;
    // A time to live that is rounded down to zero may mean "for ever".
    subject.ends("id", session.cookie().expires_ms().unwrap_or_default()).await
}

pub(crate) async fn a_session_lives_as_long_as_its_cookie(subject: &StoreUnderTest) -> Verdict {
    let start_ms = subject.now_ms();
    subject.store().set("id", &subject.session("ann", Some(1_800))?).await?;
    subject.lives_until("id", start_ms + 1_800).await
}

pub(crate) async fn an_expired_session_is_gone(subject: &StoreUnderTest) -> Verdict {
    let end_ms = subject.now_ms() + subject.short_ms();
    subject.store().set("id", &subject.short("ann")?).await?;
    subject.ends("id", end_ms).await
}

pub(crate) async fn a_browser_session_is_kept(subject: &StoreUnderTest) -> Verdict {
    is_kept(subject, &subject.session("ann", None)?).await
}

pub(crate) async fn a_session_of_31_days_is_kept(subject: &StoreUnderTest) -> Verdict {
    is_kept(subject, &subject.session("ann", Some(31 * DAY_MS))?).await
}

pub(crate) async fn a_session_until_the_year_10000_is_kept(subject: &StoreUnderTest) -> Verdict {
    is_kept(subject, &until(subject, YEAR_10000_MS)?).await
}

pub(crate) async fn a_session_until_the_last_date_is_kept(subject: &StoreUnderTest) -> Verdict {
    is_kept(subject, &until(subject, LAST_DATE_MS)?).await
}

fn until(subject: &StoreUnderTest, expires_ms: i64) -> Result<SessionData, cloakroom_core::Error> {
    let mut cookie = Cookie::new();
    cookie.set_expires_ms(Some(expires_ms), subject.now_ms())?;
    let mut session = SessionData::with_cookie(cookie);
    session.insert("who", "ann")?;
    Ok(session)
}

/// Checks that the session exists now and after a second. A time to live that overflowed or was read as a date ends
/// before that.
async fn is_kept(subject: &StoreUnderTest, session: &SessionData) -> Verdict {
    subject.store().set("id", session).await?;
    subject.holds("id", session).await?;
    subject.pass(subject.short_ms() + 200).await;
    subject.holds("id", session).await
}

pub(crate) async fn set_with_a_passed_expiry_stores_nothing(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.expired("ann")?).await?;
    subject.is_gone("id").await
}

pub(crate) async fn set_with_a_passed_expiry_destroys(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.store().set("id", &subject.expired("ann")?).await?;
    subject.is_gone("id").await
}

pub(crate) async fn set_replaces_the_expiry(subject: &StoreUnderTest) -> Verdict {
    let [short, lasting] = [subject.short("ann")?, subject.lasting("ann")?];
    subject.store().set("longer", &short).await?;
    subject.store().set("longer", &lasting).await?;
    subject.store().set("shorter", &lasting).await?;
    subject.store().set("shorter", &subject.short("ann")?).await?;
    subject.outlast().await?;
    subject.holds("longer", &lasting).await?;
    subject.is_gone("shorter").await
}

pub(crate) async fn set_creates_over_an_expired_session(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    let session = subject.lasting("bob")?;
    subject.store().set("id", &session).await?;
    subject.holds("id", &session).await
}

pub(crate) async fn a_session_outlives_its_stale_cookie(subject: &StoreUnderTest) -> Verdict {
    let session = subject.short("ann")?;
    subject.store().set("id", &session).await?;
    subject.touch("id", &subject.lasting("ann")?).await?;
    subject.in_time(&session)?;
    subject.outlast().await?;
    let read = subject.read("id").await?;
    check(
        read.get_json("who") == session.get_json("who"),
        "the session is not the one that was stored",
    )
}
