//! The text of a session, as it is stored and read.

use std::{borrow::Cow, time::Duration};

use cloakroom_backend::Operation;
use cloakroom_core::{
    Error, ErrorKind, Listed, Revision, SessionData, generate_id, is_marker, json,
};
use sha2::{Digest as _, Sha256};

use crate::{
    check::Checked,
    connection::{NotText, Row, text as text_of},
    dialect::DataType,
    table::Table,
};

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

/// Returns the id of a row. `None` if it is the id of a marker.
pub(crate) fn id(
    operation: &Operation,
    id: Result<Option<String>, NotText>,
) -> Result<Option<String>, Error> {
    let id = id.map_err(|NotText| operation.error(ErrorKind::Corrupt, "an id is not text"))?;
    Ok(id.filter(|sid| !is_marker(sid)))
}

/// Returns the session in a row of id, text and expiry. `None` if Express treats it as no session.
pub(crate) fn listed(
    operation: &Operation,
    table: &Table,
    row: Row,
    max_record: u64,
    now_ms: i64,
) -> Result<Option<Listed>, Error> {
    let expires_ms = text_of(&row, 2).and_then(|expiry| table.expiry_form.read(expiry));
    let mut row = row.into_iter();
    let (Some(sid), Some(data)) = (row.next(), row.next()) else { return Ok(None) };
    let Some(sid) = id(operation, sid)? else { return Ok(None) };
    let left = |at_ms: i64| u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0);
    let time_left = expires_ms.map(|at_ms| Duration::from_millis(left(at_ms)));
    let session = session(operation, data, max_record)?;
    Ok(session.map(|session| Listed::new(sid, session, time_left)))
}

/// Returns the random name of a new row.
pub(crate) fn new_row(operation: &Operation) -> Result<String, Error> {
    generate_id().map_err(|error| operation.named(error))
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

    /// Rejects an update whose texts together are longer than the server accepts.
    pub(crate) fn check_update(
        &self,
        operation: &Operation,
        old: &str,
        text: &str,
    ) -> Result<(), Error> {
        self.limits.as_ref().map_or(Ok(()), |limits| limits.check_update(operation, old, text))
    }

    /// Returns what an update sends of the stored text: itself, or its digest for a text of MySQL.
    pub(crate) fn compared<'t>(&self, old: &'t str) -> Cow<'t, str> {
        if self.limits.is_none() || self.data_type != DataType::Text {
            return Cow::Borrowed(old);
        }
        Cow::Owned(Sha256::digest(old).iter().map(|byte| format!("{byte:02x}")).collect())
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
