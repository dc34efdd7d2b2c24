//! The passwords of iron-session, by id.

use std::{fmt, sync::Arc};

use cloakroom_core::{Error, ErrorKind};
use zeroize::Zeroizing;

use super::NAME;

/// The shortest password, in UTF-16 units, as iron-webcrypto counts.
const SHORTEST: usize = 32;

/// The largest id. A larger one is not exact in JavaScript, where iron-session 8.0.4 converts ids to numbers and back.
const LARGEST_ID: u64 = (1 << 53) - 1;

/// The passwords of iron-session's option `password`.
///
/// To rotate passwords, add the new one under a higher id and keep the old ones for as long as their cookies live: the
/// highest id seals, and a seal names the id that opens it. Clones share the passwords, which the last one erases. `Debug`
/// shows the ids alone.
///
/// ```
/// use cloakroom_authjs::iron_session::Passwords;
///
/// let passwords = Passwords::with_ids([
///     (1, "the password of the last year, in full"),
///     (2, "the password that seals from now on"),
/// ])?;
/// assert_eq!(format!("{passwords:?}"), "Passwords { ids: [1, 2], .. }");
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Passwords(Arc<[(u64, Zeroizing<String>)]>);

impl Passwords {
    /// Takes one password, under the id 1, as iron-session does with a string.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a password of less than 32 UTF-16 units.
    pub fn new(password: &str) -> Result<Self, Error> {
        Self::with_ids([(1, password)])
    }

    /// Takes several passwords by id, as iron-session does with an object.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a password of less than 32 UTF-16 units, for an id that occurs twice or is above
    /// 2^53 - 1, and for an empty list.
    pub fn with_ids<S: AsRef<str>>(
        passwords: impl IntoIterator<Item = (u64, S)>,
    ) -> Result<Self, Error> {
        let mut all: Vec<(u64, Zeroizing<String>)> = Vec::new();
        for (id, password) in passwords {
            let password = Zeroizing::new(password.as_ref().to_owned());
            if password.encode_utf16().count() < SHORTEST {
                return Err(config(format!(
                    "invalid password {id}: must have at least {SHORTEST} characters"
                )));
            }
            if id > LARGEST_ID {
                return Err(config(format!("invalid id {id}: must be at most {LARGEST_ID}")));
            }
            if all.iter().any(|(known, _)| *known == id) {
                return Err(config(format!("invalid passwords: the id {id} occurs twice")));
            }
            all.push((id, password));
        }
        all.sort_by_key(|(id, _)| *id);
        if all.is_empty() {
            return Err(config("at least one password is required".to_owned()));
        }
        Ok(Self(all.into()))
    }

    /// Returns the password with the highest id, which seals.
    pub(super) fn current(&self) -> (u64, &[u8]) {
        let (id, password) = &self.0[self.0.len() - 1];
        (*id, password.as_bytes())
    }

    /// Returns the password whose id is written so in a seal.
    pub(super) fn find(&self, id: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| known.to_string() == id);
        found.map(|(_, password)| password.as_bytes())
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, NAME, "new", message)
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u64> = self.0.iter().map(|(id, _)| *id).collect();
        f.debug_struct("Passwords").field("ids", &ids).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_32_utf_16_units_and_an_id_of_its_own() {
        for (password, is_accepted) in [
            ("x".repeat(32), true),
            ("x".repeat(31), false),
            ("é".repeat(16), false),
            ("😀".repeat(16), true),
            (String::new(), false),
        ] {
            match Passwords::new(&password) {
                Ok(_) => assert!(is_accepted, "{password}"),
                Err(error) => {
                    assert!(!is_accepted && error.kind() == ErrorKind::Config, "{error}");
                    assert!(password.is_empty() || !error.to_string().contains(&password));
                }
            }
        }
        let long = "x".repeat(40);
        assert!(Passwords::with_ids([(1, &long), (1, &long)]).is_err());
        assert!(Passwords::with_ids::<&str>([]).is_err());
        assert!(Passwords::with_ids([(LARGEST_ID, &long)]).is_ok());
        let error = Passwords::with_ids([(LARGEST_ID + 1, &long)]).unwrap_err();
        assert!(error.to_string().contains("invalid id 9007199254740992"), "{error}");
        let passwords = Passwords::with_ids([(10, &long), (2, &long)]).unwrap();
        assert_eq!(passwords.current().0, 10);
        assert!(passwords.find("2").is_some() && passwords.find("02").is_none());
        assert!(!format!("{passwords:?}").contains('x'));
    }
}
