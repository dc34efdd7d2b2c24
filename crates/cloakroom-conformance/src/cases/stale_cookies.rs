//! Sessions that were read and are written again: their cookie may show less time to live than they have.
//!
//! Node.js leaves `cookie.expires` stale when it only touches the store, as it does with `rolling` and without
//! `resave`.

use cloakroom_core::{CookieMember, Created, JsValue, SessionData, Touched, to_iso_string};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
};

/// Stores a session whose cookie expires soon, but that lives for an hour after each touch.
async fn ending(subject: &StoreUnderTest, sid: &str) -> Result<SessionData, Failure> {
    let mut session = subject.lasting("ann")?;
    // Only `expires` is moved, as in a record that Node.js wrote an hour ago and has touched since.
    let end = to_iso_string(subject.now_ms() + subject.short_ms()).unwrap_or_default();
    session.cookie_mut().set_raw(CookieMember::Expires, JsValue::String(end.into()));
    subject.store().set(sid, &session).await?;
    Ok(session)
}

/// Checks that the session has a revision: without one, a write takes it for a session that was made here, and believes
/// its stale cookie.
fn is_known_as_read(session: &SessionData) -> Verdict {
    check(
        session.revision().is_some(),
        "the session that was read has no revision, so no write can tell it from a new one; a store without conditional \
         writes gives it `Revision::of_text()`",
    )
}

/// Returns the session as it was read before its cookie expired, with a change.
async fn read(subject: &StoreUnderTest) -> Result<SessionData, Failure> {
    let session = ending(subject, "id").await?;
    let read = subject.store().get("id").await?;
    subject.in_time(&session)?;
    let gone = || subject.gone_early("the session does not exist".to_owned());
    let mut read = read.ok_or_else(gone)?;
    is_known_as_read(&read)?;
    read.insert("views", 1)?;
    Ok(read)
}

/// Returns the session as it was read after its cookie expired, with a change.
async fn read_late(subject: &StoreUnderTest) -> Result<SessionData, Failure> {
    let session = ending(subject, "id").await?;
    subject.touch("id", &subject.lasting("ann")?).await?;
    subject.in_time(&session)?;
    subject.outlast().await?;
    let mut read = subject.outlives("id").await?;
    is_known_as_read(&read)?;
    read.insert("views", 1)?;
    Ok(read)
}

/// Checks that the session outlives the expiry that its cookie had when it was read.
async fn is_extended(subject: &StoreUnderTest, sid: &str) -> Verdict {
    subject.is_there(sid).await?;
    subject.outlast().await?;
    subject.is_there(sid).await
}

/// Only touches have extended the session, so its record still has the old date. Written back with it, the session
/// would end while its user is active.
pub(crate) async fn set_extends_a_session_that_was_read(subject: &StoreUnderTest) -> Verdict {
    let session = read(subject).await?;
    subject.store().set("id", &session).await?;
    is_extended(subject, "id").await
}

/// The date in the record has passed, but the session is alive. A store that took the date literally would destroy it.
pub(crate) async fn set_keeps_a_session_with_a_stale_cookie(subject: &StoreUnderTest) -> Verdict {
    let session = read_late(subject).await?;
    subject.store().set("id", &session).await?;
    is_extended(subject, "id").await
}

/// A login that keeps its data reads a session under one id and creates it under another.
pub(crate) async fn create_extends_a_session_that_was_read(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    let session = read(subject).await?;
    match atomic.create("another", &session).await? {
        Created::Stored(_) => is_extended(subject, "another").await,
        Created::Exists => Err(broken("a session exists under \"another\"")),
    }
}

/// The conditional write must not log out the user whom `set` would keep.
pub(crate) async fn update_extends_a_session_that_was_read(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    let session = read(subject).await?;
    let updated = atomic.update("id", &session).await?;
    subject.in_time(&session)?;
    super::update::is_stored(&updated)?;
    is_extended(subject, "id").await
}

/// As with `set`, but the store has to tell this from an expiry that the application moved into the past.
pub(crate) async fn update_keeps_a_session_with_a_stale_cookie(
    subject: &StoreUnderTest,
) -> Verdict {
    let atomic = subject.atomic()?;
    let session = read_late(subject).await?;
    super::update::is_stored(&atomic.update("id", &session).await?)?;
    is_extended(subject, "id").await
}

/// A touch to the stale date in the record would shorten the session with every request.
pub(crate) async fn touch_extends_a_session_that_was_read(subject: &StoreUnderTest) -> Verdict {
    let session = read(subject).await?;
    let touched = subject.touch("id", &session).await?;
    subject.in_time(&session)?;
    subject.outlast().await?;
    if touched == Touched::Missing {
        return Err(subject.gone_early("wanted `Extended`, got `Missing`".to_owned()));
    }
    check(touched == Touched::Extended, format_args!("wanted `Extended`, got `{touched:?}`"))?;
    subject.is_there("id").await
}

/// A new path is not a new expiry, so the stale date must not start to count.
pub(crate) async fn an_attribute_that_is_changed_ends_no_session(
    subject: &StoreUnderTest,
) -> Verdict {
    let mut session = read_late(subject).await?;
    session.cookie_mut().set_path(Some("/shop"));
    subject.store().set("id", &session).await?;
    is_extended(subject, "id").await
}
