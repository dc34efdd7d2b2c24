//! Two handles on one backend, as in two processes.

use cloakroom_core::{Created, Updated};

use crate::{
    StoreUnderTest,
    failure::{Verdict, broken, check},
    probe::same,
};

/// Behind a load balancer, the request after the login reaches another process.
pub(crate) async fn a_second_handle_sees_a_set(subject: &StoreUnderTest) -> Verdict {
    let (second, session) = (subject.second_handle()?, subject.lasting("ann")?);
    subject.store().set("id", &session).await?;
    let found = second.get("id").await?;
    same(&found.ok_or_else(|| broken("the second handle finds nothing"))?, &session)
}

/// A handle that caches what it has read would show an old cart.
pub(crate) async fn a_second_handle_sees_a_replacement(subject: &StoreUnderTest) -> Verdict {
    let second = subject.second_handle()?;
    second.set("id", &subject.lasting("ann")?).await?;
    // A handle with a cache has the session in it now.
    second.get("id").await?;
    let session = subject.lasting("bob")?;
    subject.store().set("id", &session).await?;
    let found = second.get("id").await?;
    same(&found.ok_or_else(|| broken("the second handle finds nothing"))?, &session)
}

/// A handle that caches what it has read would keep a user logged in who has logged out.
pub(crate) async fn a_second_handle_sees_a_destroy(subject: &StoreUnderTest) -> Verdict {
    let second = subject.second_handle()?;
    second.set("id", &subject.lasting("ann")?).await?;
    second.get("id").await?;
    subject.store().destroy("id").await?;
    check(second.get("id").await?.is_none(), "the second handle still finds the session")
}

/// The check must be made in the backend. One in the process does not see the sessions of other processes.
pub(crate) async fn create_notices_a_second_handle(subject: &StoreUnderTest) -> Verdict {
    let (atomic, second) = (subject.atomic()?, subject.second_handle()?);
    second.set("id", &subject.lasting("ann")?).await?;
    let created = atomic.create("id", &subject.lasting("bob")?).await?;
    check(
        created == Created::Exists,
        "wanted `Exists`, got `Stored` over the other handle's session",
    )
}

/// A lock in the process would pass every test with one handle, and lose updates in production.
pub(crate) async fn update_notices_a_second_handle(subject: &StoreUnderTest) -> Verdict {
    let (atomic, second) = (subject.atomic()?, subject.second_handle()?);
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    second.set("id", &subject.lasting("somebody else")?).await?;
    session.insert("late", true)?;
    let updated = atomic.update("id", &session).await?;
    check(
        matches!(updated, Updated::Conflict(_)),
        format_args!("wanted `Conflict`, got `{updated:?}`: the other handle wrote in between"),
    )
}
