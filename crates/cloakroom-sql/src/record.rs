//! The text of a session, as it is stored and read.

use std::borrow::Cow;

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind, Revision, SessionData, json};

use crate::{check::Checked, connection::NotText};

/// Begins the revision of a session whose stored text is a JSON string that has the JSON text.
const QUOTED: u8 = b'Q';

/// Returns the session in what a row holds, or `None` if Express treats it as no session.
pub(crate) fn session(
    operation: &Operation,
    data: Result<Option<String>, NotText>,
    max_record: u64,
) -> Result<Option<SessionData>, Error> {
    let is_no_text = |NotText| operation.error(ErrorKind::Corrupt, "the record is not text");
    let Some(text) = data.map_err(is_no_text)? else { return Ok(None) };
    operation.check_size(text.len(), max_record)?;
    let (text, revision) = match unquoted(&text) {
        None => (text, Revision::of_text()),
        Some(inner) => {
            let revision = Revision::from_bytes([&[QUOTED], text.as_bytes()].concat());
            (inner, revision)
        }
    };
    let session =
        SessionData::from_record(text.into_bytes()).map_err(|error| operation.named(error))?;
    Ok(session.map(|session| session.with_revision(revision)))
}

/// Returns the text in a JSON string. connect-pg-simple and connect-session-knex parse such a string once more.
fn unquoted(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let inner = text.starts_with('"').then(|| json::unquote(text))?;
    inner.filter(|inner| inner.starts_with('{')).map(Cow::into_owned)
}

/// Returns the stored text that a session was read from.
pub(crate) fn read_from<'s>(
    operation: &Operation,
    session: &'s SessionData,
) -> Result<&'s str, Error> {
    let text = session.revision().and_then(|revision| {
        if revision.is_of_text() {
            return Some(session.loaded_json());
        }
        let quoted = revision.as_bytes()?.strip_prefix(&[QUOTED])?;
        std::str::from_utf8(quoted).ok()
    });
    operation.check_origin(text)
}

/// Returns the text of a session, and rejects one that the column would refuse or cut.
pub(crate) fn text<'s>(
    operation: &Operation,
    session: &'s SessionData,
    max_record: u64,
) -> Result<Cow<'s, str>, Error> {
    let text = session.to_json();
    operation.check_size(text.len(), max_record)?;
    Ok(text)
}

impl Checked {
    /// Rejects a text that is longer than its column.
    pub(crate) fn check_text(&self, operation: &Operation, text: &str) -> Result<(), Error> {
        if let Some(limits) = &self.limits {
            limits.check_text(operation, text)?;
        }
        match self.most_data {
            Some(most) if text.len() > most && text.chars().count() > most => Err(operation.error(
                ErrorKind::TooLarge,
                format!("the session is longer than its column, which has {most} characters"),
            )),
            _ => Ok(()),
        }
    }

    /// Rejects an id that is longer than its column.
    pub(crate) fn check_id(&self, operation: &Operation, sid: &str) -> Result<(), Error> {
        if let Some(limits) = &self.limits {
            limits.check_id(operation, sid)?;
        }
        match self.most_id {
            Some(most) if sid.len() > most && sid.chars().count() > most => Err(operation.error(
                ErrorKind::InvalidId,
                format!("the id is longer than its column, which has {most} characters"),
            )),
            _ => Ok(()),
        }
    }
}
