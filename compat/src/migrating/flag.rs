//! How a record says that its session is on the way to the new store.

use cloakroom_core::{Error, ErrorKind, SessionData, generate_id};

/// The member that says so. A session that nobody moves does not have it.
const MEMBER: &str = "cloakroomMove";
const CLOSED: &str = "closed ";
const HANDED: &str = "handed over ";
const PENDING: &str = "pending ";
const TENTATIVE: &str = "tentative ";
/// Stands for a move that gives a session its own max age.
const NO_TIME: &str = "-";

/// What a record is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// A session.
    None,
    /// The old record of a session that moves.
    Closed(Move),
    /// The old record of a session whose copy, of this name, is the session from now on.
    Handed(Move, String),
    /// The copy in the new store, with the name of its move and its own.
    Pending(String, String),
    /// A session that is being created, and is in neither store yet.
    Tentative,
}

/// A move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) name: String,
    /// When the session expires. `None` if it lives for its own max age, as after a visit.
    pub(super) until_ms: Option<i64>,
}

impl Move {
    pub(super) fn new(until_ms: Option<i64>) -> Result<Self, Error> {
        Ok(Self { name: generate_id()?.to_string(), until_ms })
    }

    /// Gives a session the time that the move gives it.
    pub(super) fn with_time(&self, session: SessionData) -> SessionData {
        match self.until_ms {
            Some(until_ms) => session.with_store_expiry_ms(until_ms),
            None => session,
        }
    }

    fn to_text(&self) -> String {
        let until = self.until_ms.map_or_else(|| NO_TIME.to_owned(), |ms| ms.to_string());
        format!("{} {until}", self.name)
    }

    fn from_words(name: &str, until: &str) -> Option<Self> {
        let until_ms = if until == NO_TIME { None } else { Some(until.parse().ok()?) };
        Some(Self { name: name.to_owned(), until_ms })
    }
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
    parse(&text).unwrap_or(Flag::None)
}

/// Refuses a record of a move, which only another handle around this one writes. Both would take it for their own, and
/// complete or undo each other's steps for ever.
pub(super) fn check(
    session: &SessionData,
    store: &str,
    operation: &'static str,
) -> Result<(), Error> {
    if !is_moving(session) {
        return Ok(());
    }
    let message = "a `Migrating` store cannot be one of the two stores of another: complete one migration before the next";
    Err(Error::new(ErrorKind::Config, store.to_owned(), operation, message))
}

fn parse(text: &str) -> Option<Flag> {
    let words = |rest: &str| rest.split(' ').map(str::to_owned).collect::<Vec<_>>();
    if let Some(rest) = text.strip_prefix(CLOSED) {
        let [name, until] = &*words(rest) else { return None };
        return Move::from_words(name, until).map(Flag::Closed);
    }
    if let Some(rest) = text.strip_prefix(HANDED) {
        let [name, until, copy] = &*words(rest) else { return None };
        return Move::from_words(name, until).map(|of| Flag::Handed(of, copy.clone()));
    }
    if let Some(name) = text.strip_prefix(TENTATIVE) {
        return (!name.is_empty() && !name.contains(' ')).then_some(Flag::Tentative);
    }
    let [name, copy] = &*words(text.strip_prefix(PENDING)?) else { return None };
    Some(Flag::Pending(name.clone(), copy.clone()))
}

/// Closes a record.
pub(super) fn close(session: &mut SessionData, by: &Move) -> Result<(), Error> {
    session.insert(MEMBER, [CLOSED, &*by.to_text()].concat())
}

/// Hands a closed record over to its copy.
pub(super) fn hand_over(session: &mut SessionData, by: &Move, copy: &str) -> Result<(), Error> {
    session.insert(MEMBER, [HANDED, &*by.to_text(), " ", copy].concat())
}

/// Makes a record a pending copy of the move of this name, and returns the copy's own name. No two copies are the same
/// text: an `update` of one must not take another for it, which was created after a logout had ended the first.
pub(super) fn pend(session: &mut SessionData, of: &str) -> Result<String, Error> {
    let copy = generate_id()?;
    session.insert(MEMBER, [PENDING, of, " ", &*copy].concat())?;
    Ok(copy)
}

/// Makes a new session tentative. No two are the same text either.
pub(super) fn try_out(session: &mut SessionData) -> Result<(), Error> {
    session.insert(MEMBER, [TENTATIVE, &*generate_id()?].concat())
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
        for until_ms in [None, Some(-7), Some(i64::MAX)] {
            let by = Move::new(until_ms).unwrap();
            close(&mut session, &by).unwrap();
            assert_eq!(of(&session), Flag::Closed(by.clone()));
            hand_over(&mut session, &by, "copy").unwrap();
            assert_eq!(of(&session), Flag::Handed(by, "copy".to_owned()));
        }
        let by = Move::new(None).unwrap();
        let first = pend(&mut session, &by.name).unwrap();
        assert_eq!(of(&session), Flag::Pending(by.name.clone(), first.clone()));
        assert_ne!(pend(&mut session, &by.name).unwrap(), first);
        try_out(&mut session).unwrap();
        assert_eq!(of(&session), Flag::Tentative);
        let mut stored = SessionData::from_json(session.to_json().into_owned()).unwrap();
        clear(&mut stored);
        assert_eq!(stored.to_json(), text);
    }

    #[test]
    fn a_member_of_the_applications_own_is_no_flag() {
        for value in [
            "7",
            "null",
            r#""""#,
            r#""closed""#,
            r#""pending 1""#,
            r#""closed 1 x""#,
            r#""tentative ""#,
        ] {
            let text = format!(r#"{{"cookie":{{}},"cloakroomMove":{value}}}"#);
            assert!(!is_moving(&SessionData::from_json(text).unwrap()), "{value}");
        }
    }
}
