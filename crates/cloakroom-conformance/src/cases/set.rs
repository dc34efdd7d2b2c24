//! `set`.

use cloakroom_core::SessionData;

use crate::{StoreUnderTest, failure::Verdict, probe::same};

pub(crate) async fn set_creates(subject: &StoreUnderTest) -> Verdict {
    // A store that remembers missing ids must forget this one now.
    subject.is_gone("id").await?;
    let session = subject.lasting("ann")?;
    subject.store().set("id", &session).await?;
    subject.holds("id", &session).await
}

pub(crate) async fn set_replaces(subject: &StoreUnderTest) -> Verdict {
    let first = SessionData::from_json(r#"{"cookie":{"path":"/"},"a":1,"b":1}"#)?;
    let second = SessionData::from_json(r#"{"cookie":{"path":"/"},"b":2,"c":2}"#)?;
    subject.store().set("id", &first).await?;
    subject.store().set("id", &second).await?;
    subject.holds("id", &second).await
}

pub(crate) async fn set_replaces_whoever_wrote_last(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let stale = subject.read("id").await?;
    subject.store().set("id", &subject.lasting("bob")?).await?;
    subject.store().set("id", &stale).await?;
    subject.holds("id", &stale).await
}

pub(crate) async fn set_stores_changed_members(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    session.insert("who", "bob")?;
    session.insert("cart", ["tea", "milk"])?;
    subject.store().set("id", &session).await?;
    let read = subject.read("id").await?;
    same(&read, &session)
}
