//! A member that was checked before it is stored.

use serde::Serialize;

use super::{SessionData, check_name, invalid};
use crate::{Error, js};

/// A member that a session can have: its name and its value are checked.
///
/// Use it if the session is behind a lock. `Serialize` is user code and should not run while the lock is held; storing
/// the member then takes no time and cannot fail.
///
/// ```
/// use cloakroom_core::{NewMember, SessionData};
///
/// let member = NewMember::new("views", 1)?;
/// let mut session = SessionData::new();
/// session.insert_member(member);
/// assert_eq!(session.get_json("views"), Some("1"));
/// assert!(NewMember::new("save", 1).is_err());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct NewMember {
    name: String,
    json: String,
}

impl NewMember {
    /// Writes the value as `JSON.stringify` would write it.
    ///
    /// # Errors
    ///
    /// As [`SessionData::insert`].
    pub fn new<T: Serialize>(name: &str, value: T) -> Result<Self, Error> {
        check_name(name)?;
        let json = js::stringify(value).map_err(|why| invalid(name, why))?;
        Ok(Self { name: name.to_owned(), json })
    }
}

impl SessionData {
    /// Sets a member that was checked before. A new member goes last.
    pub fn insert_member(&mut self, member: NewMember) {
        self.change(&member.name, Some(member.json));
    }
}

impl std::fmt::Debug for NewMember {
    /// Leaves the fields out, because they are session data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewMember").finish_non_exhaustive()
    }
}
