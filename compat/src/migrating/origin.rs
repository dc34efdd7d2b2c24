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

/// Marks a session as one that was read while it was on its way.
pub(super) fn on_its_way(session: SessionData) -> SessionData {
    session.with_revision(Revision::from_bytes([OLD, b"m"].concat()))
}

/// Where a session was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the new store, or nowhere.
    New,
    /// In the old store, which gave it this revision.
    Old(Revision),
    /// On its way. There is no revision that a store could compare.
    OnItsWay,
}

/// Returns where a session was read.
pub(super) fn origin(session: &SessionData) -> Origin {
    let marked = || session.revision()?.as_bytes()?.strip_prefix(OLD)?.split_first();
    let Some((kind, rest)) = marked() else { return Origin::New };
    match (kind, <[u8; 8]>::try_from(rest)) {
        (b'm', _) => Origin::OnItsWay,
        (b'n', Ok(number)) => Origin::Old(Revision::from_number(u64::from_be_bytes(number))),
        (b'b', _) => Origin::Old(Revision::from_bytes(rest)),
        _ => Origin::Old(Revision::of_text()),
    }
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
            assert_eq!(origin(&session), Origin::New);
            assert_eq!(origin(&from_old(session)), Origin::Old(revision));
        }
        assert_eq!(origin(&SessionData::new()), Origin::New);
        assert_eq!(origin(&on_its_way(SessionData::new())), Origin::OnItsWay);
    }
}
