//! `destroy`.

use crate::{StoreUnderTest, failure::Verdict};

pub(crate) async fn destroy_removes(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    subject.store().destroy("id").await?;
    subject.is_gone("id").await
}

pub(crate) async fn destroy_missing_is_no_error(subject: &StoreUnderTest) -> Verdict {
    subject.store().destroy("missing").await?;
    Ok(())
}
