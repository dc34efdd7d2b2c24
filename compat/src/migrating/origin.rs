//! The store that a session was read from, which its revision tells.

use cloakroom_core::{Revision, SessionData};

/// Begins the revision of a session of the old store. No store's own revision begins with it.
const OLD: &[u8] = b"cloakroom-migrating-old\0";

/// Marks a session, or what a write answered, as one of the old store.
pub(super) fn of_old(revision: Option<&Revision>) -> Revision {
    let mut bytes = OLD.to_vec();
    match revision {
        Some(revision) if revision.as_number().is_some() => {
            bytes.push(b'n');
            bytes.extend(revision.as_number().unwrap_or_default().to_be_bytes());
        }
        Some(revision) if revision.as_bytes().is_some() => {
            bytes.push(b'b');
            bytes.extend(revision.as_bytes().unwrap_or_default());
        }
        _ => bytes.push(b't'),
    }
    Revision::from_bytes(bytes)
}

/// Returns the session as one that was read from the old store.
pub(super) fn from_old(session: SessionData) -> SessionData {
    let revision = of_old(session.revision());
    session.with_revision(revision)
}

/// Returns the revision that the old store gave to a session, or `None` if it is not from there.
pub(super) fn in_old(session: &SessionData) -> Option<Revision> {
    let (kind, rest) = session.revision()?.as_bytes()?.strip_prefix(OLD)?.split_first()?;
    Some(match kind {
        b'n' => Revision::from_number(u64::from_be_bytes(rest.try_into().ok()?)),
        b'b' => Revision::from_bytes(rest),
        _ => Revision::of_text(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_comes_back_as_it_was() {
        for revision in [
            Revision::of_text(),
            Revision::from_number(u64::MAX - 1),
            Revision::from_bytes(*b"\0d"),
        ] {
            let session = SessionData::new().with_revision(revision.clone());
            assert_eq!(in_old(&session), None);
            assert_eq!(in_old(&from_old(session)), Some(revision));
        }
        assert_eq!(in_old(&SessionData::new()), None);
    }
}
