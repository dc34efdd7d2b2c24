//! The expiry of sessions: ended too early, a session logs its user out; ended too late, it lets a thief in.

use cloakroom_core::{Cookie, LAST_DATE_MS, SessionData};
use futures::future::try_join_all;

use crate::{
    StoreUnderTest,
    failure::{Verdict, broken, check},
    probe::DAY_MS,
};

/// The first second of the year 10000, from which on dates have a sixth digit.
const YEAR_10000_MS: i64 = 253_402_300_800_000;

/// Backends count in whole seconds. Rounded down, this session would get zero, which Memcached takes for "never" and
/// Redis rejects.
pub(crate) async fn a_sub_second_session_is_stored(subject: &StoreUnderTest) -> Verdict {
    // A late tick of the backend can end the session between the two calls, but not three times.
    for sid in ["first", "second", "third"] {
        let session = subject.session("ann", Some((300 * subject.patience()).min(900)))?;
        subject.store().set(sid, &session).await?;
        let read = subject.store().get(sid).await?;
        subject.in_time(&session)?;
        if read.is_some() {
            // A time to live that is rounded down to zero may mean "for ever".
            return subject.ends(sid, session.cookie().expires_ms().unwrap_or_default()).await;
        }
    }
    Err(broken("a session with less than a second to live was not stored"))
}

/// A session that ends before its cookie logs its user out for no visible reason.
pub(crate) async fn a_session_lives_as_long_as_its_cookie(subject: &StoreUnderTest) -> Verdict {
    let (store, lasting) = (subject.store(), subject.lasting("ann")?);
    for sid in ["touch", "update"] {
        store.set(sid, &lasting).await?;
    }
    let mut read = subject.read("update").await?;
    let start_ms = subject.now_ms();
    let session = subject.session("ann", Some(1_800))?;
    store.set("set", &session).await?;
    store.touch("touch", &session).await?;
    let mut stored = vec!["set", "touch"];
    if let Some(atomic) = store.atomic() {
        atomic.create("create", &session).await?;
        read.cookie_mut().set_max_age_ms(Some(1_800), subject.now_ms())?;
        atomic.update("update", &read).await?;
        stored.extend(["create", "update"]);
    }
    let end_ms = start_ms + 1_800;
    let lives = stored.iter().map(|sid| subject.lives_until(sid, end_ms));
    try_join_all(lives).await.map(drop)
}

/// Whoever finds an old cookie on a shared computer must not get in with it.
pub(crate) async fn an_expired_session_is_gone(subject: &StoreUnderTest) -> Verdict {
    let end_ms = subject.now_ms() + subject.short_ms();
    subject.store().set("id", &subject.short("ann")?).await?;
    subject.ends("id", end_ms).await
}

/// Most logins are browser sessions. A missing expiry must not be read as one that has passed.
pub(crate) async fn a_browser_session_is_kept(subject: &StoreUnderTest) -> Verdict {
    is_kept(subject, &subject.session("ann", None)?).await
}

/// Memcached reads a time to live of more than 30 days as a date, which for such numbers is in 1970: "remember me"
/// would end the session at once.
pub(crate) async fn a_session_of_31_days_is_kept(subject: &StoreUnderTest) -> Verdict {
    is_kept(subject, &subject.session("ann", Some(31 * DAY_MS))?).await
}

/// JavaScript prints such a date with a sign and six digits of the year. A parser that expects four would reject the
/// session.
pub(crate) async fn a_session_until_the_year_10000_is_kept(subject: &StoreUnderTest) -> Verdict {
    is_kept(subject, &until(subject, YEAR_10000_MS)?).await
}

/// The largest date of JavaScript. Arithmetic with it must not overflow into the past.
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

/// The session must not be readable until the backend cleans up.
pub(crate) async fn set_with_a_passed_expiry_stores_nothing(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.expired("ann")?).await?;
    subject.is_gone("id").await
}

/// A store that only skipped the write would leave the earlier record alive and its user logged in.
pub(crate) async fn set_with_a_passed_expiry_destroys(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.store().set("id", &subject.expired("ann")?).await?;
    subject.is_gone("id").await
}

/// "Remember me" makes a session longer, and other applications make it shorter. The expiry of the earlier record must
/// not stay.
pub(crate) async fn set_replaces_the_expiry(subject: &StoreUnderTest) -> Verdict {
    let [short, lasting] = [subject.short("ann")?, subject.lasting("ann")?];
    subject.store().set("longer", &short).await?;
    subject.store().set("longer", &lasting).await?;
    subject.store().set("shorter", &lasting).await?;
    subject.store().set("shorter", &subject.short("ann")?).await?;
    // One that was read, and that the application makes shorter.
    subject.store().set("read", &lasting).await?;
    let mut read = subject.read("read").await?;
    read.cookie_mut().set_max_age_ms(Some(subject.short_ms()), subject.now_ms())?;
    subject.store().set("read", &read).await?;
    subject.outlast().await?;
    subject.holds("longer", &lasting).await?;
    subject.is_gone("shorter").await?;
    subject.is_gone("read").await
}

/// The rest of an expired session, which the backend has not removed yet, must not block a new one.
pub(crate) async fn set_creates_over_an_expired_session(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    let session = subject.lasting("bob")?;
    subject.store().set("id", &session).await?;
    subject.holds("id", &session).await
}

/// express-session 1.19.0 without `resave` touches an unchanged session and leaves its record as it is. A store that
/// believed the date in the record would log out users who only read.
pub(crate) async fn a_session_outlives_its_stale_cookie(subject: &StoreUnderTest) -> Verdict {
    let session = subject.short("ann")?;
    subject.store().set("id", &session).await?;
    subject.touch("id", &subject.lasting("ann")?).await?;
    subject.in_time(&session)?;
    subject.outlast().await?;
    let read = subject.outlives("id").await?;
    check(
        read.get_json("who") == session.get_json("who"),
        "the session is not the one that was stored",
    )
}
