//! The origin of a session, which is stored in its revision.

use cloakroom_core::{Revision, SessionData};

/// When a session was last written or touched, and when it expires. Used only with `touchAfter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) last_modified_ms: i64,
    pub(crate) expires_ms: i64,
}

/// The value that a session was read from. `update` compares with it, and a write copies unchanged values from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// The JSON text that was loaded.
    Text,
    Document(&'a [u8]),
    Sealed(&'a str),
}

impl Origin<'_> {
    /// Returns the revision: the kind, the times and the value as bytes.
    pub(crate) fn revision(self, times: Option<Times>) -> Revision {
        let (form, value) = match self {
            Self::Text if times.is_none() => return Revision::of_text(),
            Self::Text => (b'T', &[][..]),
            Self::Document(document) => (b'D', document),
            Self::Sealed(text) => (b'S', text.as_bytes()),
        };
        let ms = times.map_or([i64::MIN; 2], |times| [times.last_modified_ms, times.expires_ms]);
        let [last_modified, expires] = ms.map(i64::to_le_bytes);
        Revision::from_bytes([&[form], &last_modified[..], &expires, value].concat())
    }
}

/// Returns the origin of a session, and its times when it was read. `None` if it was not read from a store of this
/// kind.
pub(crate) fn origin(session: &SessionData) -> Option<(Origin<'_>, Option<Times>)> {
    let revision = session.revision()?;
    if revision.is_of_text() {
        return Some((Origin::Text, None));
    }
    let (form, rest) = revision.as_bytes()?.split_first()?;
    let (last_modified, rest) = rest.split_first_chunk()?;
    let (expires, value) = rest.split_first_chunk()?;
    let origin = match form {
        b'T' => Origin::Text,
        b'D' => Origin::Document(value),
        b'S' => Origin::Sealed(std::str::from_utf8(value).ok()?),
        _ => return None,
    };
    let [last_modified_ms, expires_ms] = [last_modified, expires].map(|ms| i64::from_le_bytes(*ms));
    let times = Times { last_modified_ms, expires_ms };
    Some((origin, Some(times).filter(|times| times.last_modified_ms != i64::MIN)))
}

/// Returns when the session was last written or touched and when it expires, or `None` if it does not say.
pub(crate) fn times(session: &SessionData) -> Option<Times> {
    origin(session).and_then(|(_, times)| times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_as_a_revision() {
        let session = |revision| SessionData::new().with_revision(revision);
        for expected in [Origin::Text, Origin::Document(b"bytes"), Origin::Sealed("ciphertext")] {
            for times in [None, Some(Times { last_modified_ms: 7, expires_ms: 8 })] {
                let session = session(expected.revision(times));
                assert_eq!(origin(&session), Some((expected, times)));
            }
        }
        for foreign in
            [Revision::from_number(7), Revision::from_bytes(*b"D"), Revision::from_bytes([0; 28])]
        {
            assert_eq!(origin(&session(foreign)), None);
        }
        assert_eq!(origin(&SessionData::new()), None);
    }
}
