//! Converts stored values to sessions and back.

use std::borrow::Cow;

use cloakroom_backend::Operation;
use cloakroom_core::{Error, Revision, SessionData};

use crate::RedisOptions;

/// The value that connect-redis 6.1.0 and 6.1.2 store instead of deleting a key.
const TOMBSTONE: &[u8] = b"TOMBSTONE";

/// Ends the revisions of this store, so that another store's are recognized.
const MARK: &[u8] = b"\0redis";

impl RedisOptions {
    pub(crate) fn stringify<'s>(
        &self,
        operation: &Operation,
        session: &'s SessionData,
    ) -> Result<Cow<'s, [u8]>, Error> {
        let record = match &self.serializer {
            None => match session.to_json() {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
            Some(serializer) => {
                Cow::Owned(serializer.stringify(session).map_err(|error| operation.named(error))?)
            }
        };
        operation.check_size(record.len(), self.max_record)?;
        Ok(record)
    }

    /// Returns the revision of a session that was stored as `value`.
    ///
    /// It is the value itself, because somebody between the caller and this store may have altered the session on its
    /// way, as `promisify_store` does. Keeping it costs less than a digest, which most requests never look at. A session
    /// that was stored as it was read keeps its text already.
    pub(crate) fn revision(&self, value: Cow<'_, [u8]>) -> Revision {
        match value {
            Cow::Borrowed(_) if self.serializer.is_none() => Revision::of_text(),
            value => {
                let mut bytes = value.into_owned();
                bytes.extend_from_slice(MARK);
                Revision::from_bytes(bytes)
            }
        }
    }

    /// Returns the session in a stored value, or `None` for a value that means "no session".
    pub(crate) fn parse(
        &self,
        operation: &Operation,
        value: Vec<u8>,
    ) -> Result<Option<SessionData>, Error> {
        if value.is_empty() || value == TOMBSTONE {
            return Ok(None);
        }
        operation.check_value(&value, self.max_record)?;
        let parsed = match &self.serializer {
            None => SessionData::from_record(value)
                .map(|session| session.map(|session| session.with_revision(Revision::of_text()))),
            Some(serializer) => serializer.parse(&value).map(|session| {
                session.map(|session| session.with_revision(self.revision(value.into())))
            }),
        };
        parsed.map_err(|error| operation.named(error))
    }

    /// Returns the stored value that `session` was read from.
    pub(crate) fn read_from<'s>(
        &self,
        operation: &Operation,
        session: &'s SessionData,
    ) -> Result<&'s [u8], Error> {
        let value = session.revision().and_then(|revision| {
            if revision.is_of_text() && self.serializer.is_none() {
                return Some(session.loaded_json().as_bytes());
            }
            revision.as_bytes()?.strip_suffix(MARK)
        });
        operation.check_origin(value)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cloakroom_backend::Idempotency;
    use cloakroom_core::ErrorKind;

    use super::*;
    use crate::error;

    fn operation() -> Operation {
        Operation::start(error::STORE, "get", Idempotency::Read, Duration::from_secs(5))
    }

    #[test]
    fn what_stands_for_no_session_is_none() {
        let options = RedisOptions::default();
        for record in ["", "TOMBSTONE", "null", "false", "0", "\"\"", " null "] {
            assert_eq!(options.parse(&operation(), record.into()).unwrap(), None, "{record}");
        }
    }

    #[test]
    fn a_corrupt_record_is_an_error_without_its_content() {
        let options = RedisOptions::default();
        for record in
            [&b"tombstone-secret"[..], b"{\"secret\":", b"42", b"[\"secret\"]", b"\xffsecret"]
        {
            let error = options.parse(&operation(), record.into()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!((error.store(), error.operation()), ("redis", "get"));
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_stored_value_survives_as_a_revision() {
        let options = RedisOptions::default();
        let read = SessionData::from_json("{\"cookie\":{}}").unwrap();
        for (value, expected) in [
            (Cow::Borrowed(&b"{}"[..]), &b"{\"cookie\":{}}"[..]),
            (Cow::Owned(b"{}".to_vec()), b"{}"),
        ] {
            let session = read.clone().with_revision(options.revision(value));
            assert_eq!(options.read_from(&operation(), &session).unwrap(), expected);
        }
    }

    #[test]
    fn a_session_of_another_store_is_refused() {
        let session = SessionData::new();
        let refused = |session: &SessionData| {
            RedisOptions::default().read_from(&operation(), session).unwrap_err().kind()
        };
        assert_eq!(refused(&session), ErrorKind::InvalidData);
        for revision in [Revision::from_number(7), Revision::from_bytes(*b"{}")] {
            assert_eq!(refused(&session.clone().with_revision(revision)), ErrorKind::InvalidData);
        }
    }
}
