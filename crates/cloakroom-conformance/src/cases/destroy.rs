//! `destroy`.

use crate::{StoreUnderTest, failure::Verdict};

/// A logout. If the record stayed, a stolen cookie would go on working.
pub(crate) async fn destroy_removes(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.store().destroy("id").await?;
    subject.is_gone("id").await
}

/// A second logout, after a double click or in another tab, must not be an error page.
pub(crate) async fn destroy_missing_is_no_error(subject: &StoreUnderTest) -> Verdict {
    subject.store().destroy("missing").await?;
    Ok(())
}
