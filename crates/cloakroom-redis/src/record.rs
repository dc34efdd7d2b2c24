//! Converts stored values to sessions and back, and computes the digest that distinguishes values.

use cloakroom_backend::Operation;
use cloakroom_core::{Error, Revision, SessionData};
use sha1::{Digest, Sha1};

use crate::RedisOptions;

/// The value that connect-redis 6.1.0 and 6.1.2 store instead of deleting a key.
const TOMBSTONE: &[u8] = b"TOMBSTONE";

/// SHA-1 and length, which the script compares. SHA-1 is the only digest in Redis scripts (`redis.sha1hex`). Comparing
/// the record itself would send it twice with each update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    digest: [u8; 20],
    length: u64,
}

impl Fingerprint {
    pub(crate) fn of(value: &[u8]) -> Self {
        Self { digest: Sha1::digest(value).into(), length: value.len() as u64 }
    }

    /// Returns the digest in lower-case hexadecimal, as `redis.sha1hex` returns it.
    pub(crate) fn hex(&self) -> String {
        hex(&self.digest)
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn revision(&self) -> Revision {
        Revision::from_bytes([&self.digest[..], &self.length.to_be_bytes()].concat())
    }

    fn from_revision(revision: &Revision) -> Option<Self> {
        let (digest, length) = revision.as_bytes()?.split_first_chunk()?;
        Some(Self { digest: *digest, length: u64::from_be_bytes(length.try_into().ok()?) })
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl RedisOptions {
    pub(crate) fn stringify(
        &self,
        operation: &Operation,
        session: &SessionData,
    ) -> Result<Vec<u8>, Error> {
        match &self.serializer {
            None => Ok(session.to_json().into_owned().into_bytes()),
            Some(serializer) => {
                serializer.stringify(session).map_err(|error| operation.named(error))
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
        let parsed = match &self.serializer {
            // The digest is computed only for an update, because most requests never update.
            None => SessionData::from_record(value)
                .map(|session| session.map(|session| session.with_revision(Revision::of_text()))),
            Some(serializer) => serializer.parse(&value).map(|session| {
                session.map(|session| session.with_revision(Fingerprint::of(&value).revision()))
            }),
        };
        parsed.map_err(|error| operation.named(error))
    }

    /// Returns the fingerprint of the value that `session` was read from.
    pub(crate) fn read_from(
        &self,
        operation: &Operation,
        session: &SessionData,
    ) -> Result<Fingerprint, Error> {
        let fingerprint = session.revision().and_then(|revision| {
            if revision.is_of_text() && self.serializer.is_none() {
                return Some(Fingerprint::of(session.loaded_json().as_bytes()));
            }
            Fingerprint::from_revision(revision)
        });
        operation.check_origin(fingerprint)
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
    fn a_fingerprint_survives_as_a_revision() {
        let fingerprint = Fingerprint::of(b"abc");
        assert_eq!(fingerprint.hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(fingerprint.length(), 3);
        assert_eq!(Fingerprint::from_revision(&fingerprint.revision()), Some(fingerprint));
        assert_eq!(Fingerprint::from_revision(&Revision::from_number(3)), None);
        assert_eq!(Fingerprint::from_revision(&Revision::from_bytes(*b"short")), None);
    }

    #[test]
    fn a_session_of_another_store_is_refused() {
        let session = SessionData::new();
        let refused = |session: &SessionData| {
            RedisOptions::default().read_from(&operation(), session).unwrap_err().kind()
        };
        assert_eq!(refused(&session), ErrorKind::InvalidData);
        assert_eq!(
            refused(&session.with_revision(Revision::from_number(7))),
            ErrorKind::InvalidData
        );
    }
}
