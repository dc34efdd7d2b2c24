//! `set`.

use cloakroom_core::SessionData;

use crate::{StoreUnderTest, failure::Verdict, probe::same};

/// A login stores a session that did not exist before. A store that remembers missing ids would log its user out again
/// at the next request.
pub(crate) async fn set_creates(subject: &StoreUnderTest) -> Verdict {
    // A store that remembers missing ids must forget this one now.
    subject.is_gone("id").await?;
    let session = subject.lasting("ann")?;
    subject.store().set("id", &session).await?;
    subject.holds("id", &session).await
}

/// No member of the earlier record survives. Otherwise a member that the application removed, such as the user at a
/// logout, would come back.
pub(crate) async fn set_replaces(subject: &StoreUnderTest) -> Verdict {
    let first = SessionData::from_json(r#"{"cookie":{"path":"/"},"a":1,"b":1}"#)?;
    let second = SessionData::from_json(r#"{"cookie":{"path":"/"},"b":2,"c":2}"#)?;
    subject.store().set("id", &first).await?;
    subject.store().set("id", &second).await?;
    subject.holds("id", &second).await
}

/// `set` is Express's call, and Express compares nothing. A store that rejected an outdated record would fail requests
/// that work in Node.js.
pub(crate) async fn set_replaces_whoever_wrote_last(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let stale = subject.read("id").await?;
    subject.store().set("id", &subject.lasting("bob")?).await?;
    subject.store().set("id", &stale).await?;
    subject.holds("id", &stale).await
}

/// A `SessionData` keeps changes apart from the text that was loaded. A store that wrote the loaded text again would
/// lose every change.
pub(crate) async fn set_stores_changed_members(subject: &StoreUnderTest) -> Verdict {
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    session.insert("who", "bob")?;
    session.insert("cart", ["tea", "milk"])?;
    subject.store().set("id", &session).await?;
    let read = subject.read("id").await?;
    same(&read, &session)
}
