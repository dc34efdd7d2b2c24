//! Messages as connect-flash keeps them: `"flash":{"info":["…"]}`, shown once.

use std::collections::BTreeMap;

use cloakroom::{Error, tower::Session};

type Messages = BTreeMap<String, Vec<String>>;

/// What `req.flash(kind, text)` does.
pub(crate) fn add(session: &Session, kind: &str, text: &str) -> Result<(), Error> {
    let (kind, text) = (kind.to_owned(), text.to_owned());
    let added = session.modify("flash", move |messages: Option<Messages>| {
        let mut messages = messages.unwrap_or_default();
        messages.entry(kind.clone()).or_default().push(text.clone());
        messages
    });
    added.map(drop)
}

/// What `req.flash()` does.
pub(crate) fn take(session: &Session) -> Result<Messages, Error> {
    Ok(session.remove("flash")?.unwrap_or_default())
}
