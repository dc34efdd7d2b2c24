//! `touch`.
//!
//! A case that extends a session shortens it first. The record's cookie is then not stale in the end, so a store that
//! breaks only the promise of `a_session_outlives_its_stale_cookie` does not fail here.

use cloakroom_core::{SessionData, Touched, Updated};

use crate::{
    StoreUnderTest,
    failure::{Verdict, check},
    probe::same,
};

/// The layer reads in the answer whether the session still exists, and sends no cookie for one that does not.
pub(crate) async fn touch_answers_extended(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let touched = subject.touch("id", &subject.lasting("ann")?).await?;
    check(touched == Touched::Extended, format_args!("wanted `Extended`, got `{touched:?}`"))
}

/// Users who only read stay logged in by this call alone.
pub(crate) async fn touch_extends(subject: &StoreUnderTest) -> Verdict {
    extends(subject, &subject.lasting("ann")?).await
}

/// A browser session has no date of its own. It gets the store's default again, neither "now" nor "never".
pub(crate) async fn touch_of_a_browser_session_gives_the_default(
    subject: &StoreUnderTest,
) -> Verdict {
    extends(subject, &subject.session("ann", None)?).await
}

/// Checks that a touch with `longer` lets the session outlive a short one.
async fn extends(subject: &StoreUnderTest, longer: &SessionData) -> Verdict {
    let (lasting, short) = (subject.lasting("ann")?, subject.short("ann")?);
    subject.store().set("id", &lasting).await?;
    subject.touch("id", &short).await?;
    subject.touch("id", longer).await?;
    subject.in_time(&short)?;
    subject.outlast().await?;
    subject.outlives("id").await.map(drop)
}

/// `touch` sets the expiry; it does not only raise it. An application that shortens a session relies on that.
pub(crate) async fn touch_shortens(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.touch("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    subject.is_gone("id").await
}

/// While one request changes the cart, another only reads, and touches with its older copy. If the touch wrote that
/// copy, the change would be lost.
pub(crate) async fn touch_keeps_the_members(subject: &StoreUnderTest) -> Verdict {
    let session = subject.lasting("ann")?;
    subject.store().set("id", &session).await?;
    // The session of another request, which has changed members that it has not written yet.
    let mut other = session.clone();
    other.insert("who", "bob")?;
    other.insert("more", 1)?;
    subject.touch("id", &other).await?;
    same(&subject.read("id").await?, &session)
}

/// A touch that wrote the new date into the record would have to write the whole record, and could undo another
/// request's change.
pub(crate) async fn touch_keeps_the_cookie(subject: &StoreUnderTest) -> Verdict {
    let session = subject.lasting("ann")?;
    subject.store().set("id", &session).await?;
    let longer = subject.session("ann", Some(7_200_000))?;
    subject.touch("id", &longer).await?;
    subject.holds("id", &session).await
}

/// The caller learns that the user was logged out while its request was running.
pub(crate) async fn touch_missing_is_missing(subject: &StoreUnderTest) -> Verdict {
    is_missing(subject.touch("missing", &subject.lasting("ann")?).await?)
}

/// A request that outlives a logout touches the session in the end. That must not bring it back.
pub(crate) async fn touch_never_creates(subject: &StoreUnderTest) -> Verdict {
    subject.touch("missing", &subject.lasting("ann")?).await?;
    subject.is_gone("missing").await
}

/// An expired session that the backend has not removed yet is dead. A late request must not extend it.
pub(crate) async fn touch_never_revives(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    is_missing(subject.touch("id", &subject.lasting("ann")?).await?)?;
    subject.is_gone("id").await
}

/// An application ends a session by a date in the past, even in a request that writes nothing else.
pub(crate) async fn touch_with_a_passed_expiry_ends_the_session(
    subject: &StoreUnderTest,
) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.touch("id", &subject.expired("ann")?).await?;
    subject.is_gone("id").await
}

/// The session is gone after the call, so `Extended` would be false.
pub(crate) async fn touch_with_a_passed_expiry_is_missing(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    is_missing(subject.touch("id", &subject.expired("ann")?).await?)
}

fn is_missing(touched: Touched) -> Verdict {
    check(touched == Touched::Missing, format_args!("wanted `Missing`, got `{touched:?}`"))
}

/// Almost every request touches. If that changed the revision, every write would conflict with every read.
pub(crate) async fn touch_keeps_the_revision(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    subject.touch("id", &subject.lasting("ann")?).await?;
    session.insert("more", 1)?;
    let updated = atomic.update("id", &session).await?;
    check(
        matches!(updated, Updated::Stored(_)),
        format_args!("wanted `Stored` after a touch, got `{updated:?}`"),
    )
}
