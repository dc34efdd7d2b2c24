//! `get` and `name`.

use cloakroom_core::Updated;

use crate::{
    StoreUnderTest,
    calls::{TAKE_AN_ID, call},
    failure::{Verdict, check},
};

/// Every expired cookie brings an id that leads nowhere. If that were an error, its visitor would get an error page
/// until the browser forgets the cookie.
pub(crate) async fn get_missing_is_none(subject: &StoreUnderTest) -> Verdict {
    subject.is_gone("missing").await?;
    subject.store().set("another", &subject.lasting("ann")?).await?;
    subject.is_gone("missing").await
}

/// Without the current revision, every conditional write would look like a conflict, and no change could be stored.
pub(crate) async fn get_carries_the_current_revision(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    subject.store().set("id", &subject.lasting("ann")?).await?;
    for round in 0..3 {
        let mut session = subject.read("id").await?;
        session.insert("round", round)?;
        check(
            matches!(atomic.update("id", &session).await?, Updated::Stored(_)),
            format_args!("the session was read, but update {} rejected it", round + 1),
        )?;
    }
    Ok(())
}

/// Whoever reads the log of an application with two stores needs to know which of them failed.
pub(crate) async fn errors_carry_the_stores_name(subject: &StoreUnderTest) -> Verdict {
    let name = subject.store().name();
    check(!name.is_empty(), "the name is empty")?;
    let session = subject.lasting("ann")?;
    let mut is_refused = false;
    for operation in TAKE_AN_ID {
        // Whether each operation refuses it is another case.
        if let Some(Err(error)) = call(subject.store(), operation, "", &session).await {
            is_refused = true;
            let told = error.store();
            check(
                told == name,
                format_args!(
                    "the store is named {name:?}, but the error of {operation} says {told:?}"
                ),
            )?;
        }
    }
    check(is_refused, "an empty id must be an error, but was accepted")
}
