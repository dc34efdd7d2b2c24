//! Converts the value of an item to a session and back.

use std::borrow::Cow;

use cloakroom_backend::Operation;
use cloakroom_core::{Error, Revision, SessionData};

use crate::MemcachedOptions;

pub(crate) struct Record {
    pub(crate) flags: u32,
    pub(crate) value: Vec<u8>,
}

impl MemcachedOptions {
    /// Returns the value and the flags for a session. An encrypted one has the flags 0, as in connect-memcached, so
    /// that npm's client does not parse it as JSON.
    #[cfg_attr(
        not(feature = "encryption"),
        allow(clippy::unused_async, reason = "it is one only with the feature")
    )]
    pub(crate) async fn encode(
        &self,
        operation: &Operation,
        session: &SessionData,
    ) -> Result<Record, Error> {
        let text = session.to_json();
        #[cfg(feature = "encryption")]
        if let Some(encryption) = &self.encryption {
            let encryption = std::sync::Arc::clone(encryption);
            let text = text.into_owned();
            let value = operation.aside(move || encryption.encrypt(&text)).await?;
            return Ok(Record { flags: 0, value: escaped(&value).into_bytes() });
        }
        #[cfg(not(feature = "encryption"))]
        let _ = operation;
        Ok(Record { flags: self.flags, value: without_crlf(text).into_owned().into_bytes() })
    }

    /// Returns the session in a value, or `None` for a value that means "no session".
    ///
    /// A value that is not encrypted counts as JSON, with any flags: connect-memcached wrote 0 before version 2, and
    /// other clients have their own flags.
    #[cfg_attr(
        not(feature = "encryption"),
        allow(clippy::unused_async, reason = "it is one only with the feature")
    )]
    pub(crate) async fn decode(
        &self,
        operation: &Operation,
        flags: u32,
        value: Vec<u8>,
        cas: u64,
    ) -> Result<Option<SessionData>, Error> {
        operation.check_value(&value, self.max_record)?;
        #[cfg(feature = "encryption")]
        let value = match &self.encryption {
            Some(encryption) if !value.is_empty() => {
                let encryption = std::sync::Arc::clone(encryption);
                operation.aside(move || decrypt(&*encryption, flags, value)).await?
            }
            _ => value,
        };
        #[cfg(not(feature = "encryption"))]
        let _ = flags;
        SessionData::from_record(value)
            .map(|session| session.map(|session| session.with_revision(Revision::from_number(cas))))
            .map_err(|error| operation.named(error))
    }
}

/// Returns the JSON text of an encrypted value.
#[cfg(feature = "encryption")]
fn decrypt(
    encryption: &dyn cloakroom_encryption::Encryption,
    flags: u32,
    value: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    use cloakroom_core::ErrorKind;

    use crate::{error::STORE, options::JSON};

    let corrupt = |message| Error::new(ErrorKind::Corrupt, STORE, "decrypt", message);
    // connect-memcached stores a plain session if its secret is too weak. An attacker who can write to the server could
    // store one as well, so it must not be accepted.
    if flags == JSON {
        return Err(corrupt("the record is not encrypted"));
    }
    let text = String::from_utf8(value).map_err(|_| corrupt("the record is not UTF-8"))?;
    encryption.decrypt(&unescaped(&text)).map(String::into_bytes)
}

/// Returns the text with a backslash before each line break, as npm's `memcached` stores every string. Only ciphertexts
/// in binary encoding contain line breaks.
#[cfg(feature = "encryption")]
fn escaped(text: &str) -> String {
    text.replace('\r', "\\\r").replace('\n', "\\\n")
}

/// Reverses [`escaped`].
#[cfg(feature = "encryption")]
fn unescaped(text: &str) -> String {
    text.replace("\\\r", "\r").replace("\\\n", "\n")
}

/// Replaces each CR LF by LF, which is possible because they stand only between JSON tokens. npm's client cuts a value
/// at CR LF, and its process ends on the incomplete JSON. One pair at the very end is harmless, because the value's
/// line ends there anyway.
fn without_crlf(text: Cow<'_, str>) -> Cow<'_, str> {
    let body = text.strip_suffix("\r\n").unwrap_or(&text);
    if !body.contains("\r\n") {
        return text;
    }
    let mut written = String::with_capacity(text.len());
    for line in body.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => written.extend([line.trim_end_matches('\r'), "\n"]),
            None => written.push_str(line),
        }
    }
    written.push_str(&text[body.len()..]);
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cloakroom_backend::Idempotency;
    use cloakroom_core::ErrorKind;
    use futures::executor::block_on;

    use super::*;
    use crate::error::STORE;
    use crate::options::JSON;

    fn operation() -> Operation {
        Operation::start(STORE, "get", Idempotency::Read, Duration::from_secs(5))
    }

    fn decode(flags: u32, value: &[u8]) -> Result<Option<SessionData>, Error> {
        block_on(MemcachedOptions::default().decode(&operation(), flags, value.to_vec(), 7))
    }

    #[cfg(feature = "encryption")]
    #[test]
    fn line_breaks_are_escaped_as_by_npms_client() {
        for (text, stored) in
            [("", ""), ("a\\b", "a\\b"), ("\r\n", "\\\r\\\n"), ("\\\n\\\\\r", "\\\\\n\\\\\\\r")]
        {
            assert_eq!(escaped(text), stored);
            assert_eq!(unescaped(stored), text);
        }
    }

    #[test]
    fn json_is_read_whatever_its_flags() {
        for flags in [0, 1, 2, 3, 4, 16, 32, u32::MAX] {
            let session = decode(flags, br#"{"cookie":{},"n":1}"#).unwrap().unwrap();
            assert_eq!(session.get_json("n"), Some("1"));
            assert_eq!(session.revision().and_then(Revision::as_number), Some(7));
        }
    }

    #[test]
    fn what_stands_for_no_session_is_none() {
        for value in [&b""[..], b"null", b"false", b"0", b"\"\""] {
            assert_eq!(decode(2, value).unwrap(), None);
        }
    }

    #[test]
    fn a_corrupt_record_is_an_error_without_its_content() {
        for value in [&b"{\"secret\":"[..], b"42", b"[\"secret\"]", b"\xffsecret", b"secret"] {
            let error = decode(2, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!((error.store(), error.operation()), ("memcached", "get"));
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_record_goes_as_it_is_unless_it_has_a_pair_of_cr_and_lf() {
        let same = |text| (text, text);
        for (text, written) in [
            same(r#"{"cookie":{},"a":1}"#),
            same("\n{ \"cookie\":{} ,\t\"é\":\n\r\" \\r\\n🧥\"\r}\r\r"),
            same("{\"cookie\":{}}\r\n"),
            same("{\"cookie\":{}}\n\r\r\n"),
            (
                "{\r\n  \"cookie\": {},\r\n\t\"a b\": [1, \" \"]\r\n}\r\n",
                "{\n  \"cookie\": {},\n\t\"a b\": [1, \" \"]\n}\r\n",
            ),
            ("\r\n{\"cookie\":{}}", "\n{\"cookie\":{}}"),
            ("{\"cookie\"\r:\r\r\n\r\n\r{}}", "{\"cookie\"\r:\n\n\r{}}"),
            ("{\"cookie\":{}}\r\n\r\n", "{\"cookie\":{}}\n\r\n"),
            ("{\"cookie\":{}}\r\n ", "{\"cookie\":{}}\n "),
        ] {
            let session = SessionData::from_json(text).unwrap();
            let record =
                block_on(MemcachedOptions::default().encode(&operation(), &session)).unwrap();
            assert_eq!(String::from_utf8(record.value).unwrap(), written);
            assert_eq!(record.flags, JSON);
        }
    }
}
