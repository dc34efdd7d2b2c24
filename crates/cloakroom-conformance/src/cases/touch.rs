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

pub(crate) async fn touch_answers_extended(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let touched = subject.touch("id", &subject.lasting("ann")?).await?;
    check(touched == Touched::Extended, format_args!("wanted `Extended`, got `{touched:?}`"))
}

pub(crate) async fn touch_extends(subject: &StoreUnderTest) -> Verdict {
    extends(subject, &subject.lasting("ann")?).await
}

pub(crate) async fn touch_of_a_browser_session_gives_the_default(
    subject: &StoreUnderTest,
) -> Verdict {
    extends(subject, &subject.session("ann", None)?).await
}

async fn extends(subject: &StoreUnderTest, longer: &SessionData) -> Verdict {
    let (lasting, short) = (subject.lasting("ann")?, subject.short("ann")?);
    subject.store().set("id", &lasting).await?;
    subject.touch("id", &short).await?;
    subject.touch("id", longer).await?;
    subject.in_time(&short)?;
    subject.outlast().await?;
    subject.is_there("id").await
}

pub(crate) async fn touch_shortens(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.touch("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    subject.is_gone("id").await
}

pub(crate) async fn touch_keeps_the_members(subject: &StoreUnderTest) -> Verdict {
    let session = subject.lasting("ann")?;
    subject.store().set("id", &session).await?;
    let mut other = session.clone();
    other.insert("who", "bob")?;
    other.insert("more", 1)?;
    subject.touch("id", &other).await?;
    same(&subject.read("id").await?, &session)
}

pub(crate) async fn touch_keeps_the_cookie(subject: &StoreUnderTest) -> Verdict {
    let session = subject.lasting("ann")?;
    subject.store().set("id", &session).await?;
    let longer = subject.session("ann", Some(7_200_000))?;
    subject.touch("id", &longer).await?;
    subject.holds("id", &session).await
}

pub(crate) async fn touch_missing_is_missing(subject: &StoreUnderTest) -> Verdict {
    is_missing(subject.touch("missing", &subject.lasting("ann")?).await?)
}

pub(crate) async fn touch_never_creates(subject: &StoreUnderTest) -> Verdict {
    subject.touch("missing", &subject.lasting("ann")?).await?;
    subject.is_gone("missing").await
}

pub(crate) async fn touch_never_revives(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.short("ann")?).await?;
    subject.outlast().await?;
    is_missing(subject.touch("id", &subject.lasting("ann")?).await?)?;
    subject.is_gone("id").await
}

pub(crate) async fn touch_with_a_passed_expiry_ends_the_session(
    subject: &StoreUnderTest,
) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.touch("id", &subject.expired("ann")?).await?;
    subject.is_gone("id").await
}

pub(crate) async fn touch_with_a_passed_expiry_is_missing(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    is_missing(subject.touch("id", &subject.expired("ann")?).await?)
}

fn is_missing(touched: Touched) -> Verdict {
    check(touched == Touched::Missing, format_args!("wanted `Missing`, got `{touched:?}`"))
}

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
