//! How a record says that its session is on the way to the new store.

use cloakroom_core::{Error, SessionData, generate_id};

/// The member that says so. A session that nobody moves does not have it.
const MEMBER: &str = "cloakroomMove";
const CLOSED: &str = "closed ";
const PENDING: &str = "pending ";

/// What a record is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// A session.
    None,
    /// The old record of a session that moves, with the name of the move.
    Closed(String),
    /// The copy in the new store, with the name of its move.
    Pending(String),
}

/// Returns true if the record belongs to a move that is under way, so it is not a session on its own.
///
/// ```
/// use cloakroom_compat::is_moving;
/// use cloakroom_core::SessionData;
///
/// assert!(!is_moving(&SessionData::new()));
/// ```
#[must_use]
pub fn is_moving(session: &SessionData) -> bool {
    of(session) != Flag::None
}

pub(super) fn of(session: &SessionData) -> Flag {
    // An application's own member of this name is a member like any other.
    let text = session.get::<String>(MEMBER).ok().flatten().unwrap_or_default();
    if let Some(name) = text.strip_prefix(CLOSED) {
        return Flag::Closed(name.to_owned());
    }
    let copy = text.strip_prefix(PENDING).and_then(|names| names.split_once(' '));
    copy.map_or(Flag::None, |(name, _)| Flag::Pending(name.to_owned()))
}

/// Closes a record, by a new move.
pub(super) fn close(session: &mut SessionData) -> Result<(), Error> {
    session.insert(MEMBER, [CLOSED, &*generate_id()?].concat())
}

/// Makes a closed record the pending copy of this move. No two copies are the same text: an `update` of one must not
/// take another for it, which was created after a logout had ended the first.
pub(super) fn pend(session: &mut SessionData, name: &str) -> Result<(), Error> {
    session.insert(MEMBER, [PENDING, name, " ", &*generate_id()?].concat())
}

/// Makes a session of a record again.
pub(super) fn clear(session: &mut SessionData) {
    session.remove(MEMBER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_read_as_it_was_written_and_leaves_no_byte() {
        let text = r#"{ "cookie":{"path":"/"}, "n":1.0, "half":"\ud83d" }"#;
        let mut session = SessionData::from_json(text).unwrap();
        assert_eq!(of(&session), Flag::None);
        close(&mut session).unwrap();
        let Flag::Closed(name) = of(&session) else { panic!("it is closed") };
        pend(&mut session, &name).unwrap();
        let first = session.to_json().into_owned();
        assert_eq!(of(&session), Flag::Pending(name.clone()));
        pend(&mut session, &name).unwrap();
        assert_ne!(session.to_json(), first);
        let mut stored = SessionData::from_json(session.to_json().into_owned()).unwrap();
        clear(&mut stored);
        assert_eq!(stored.to_json(), text);
    }

    #[test]
    fn a_member_of_the_applications_own_is_no_flag() {
        for value in ["7", "null", r#""""#, r#""closed""#, r#""pending 1""#, "[]"] {
            let text = format!(r#"{{"cookie":{{}},"cloakroomMove":{value}}}"#);
            assert!(!is_moving(&SessionData::from_json(text).unwrap()), "{value}");
        }
    }
}
