//! The id of a session in memory.

use std::fmt;

/// Enough for the ids of express-session, which have 32 characters, and for UUIDs.
const SHORT: usize = 38;

/// An id. A short one takes no allocation of its own: a million of them would take 64 MB.
#[derive(Clone)]
pub(super) enum Id {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl Id {
    pub(super) fn new(sid: &str) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..sid.len()) {
            Some(start) => {
                start.copy_from_slice(sid.as_bytes());
                Self::Short { length: sid.len() as u8, bytes }
            }
            None => Self::Long(sid.into()),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(sid) => sid.as_bytes(),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It was made of a `str`, so nothing is lost.
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_any_length_comes_back() {
        for length in [1, 32, SHORT - 1, SHORT, SHORT + 1, 81, 5_000] {
            let sid = "x".repeat(length - 1) + "\0";
            assert_eq!(Id::new(&sid).as_bytes(), sid.as_bytes());
            assert_eq!(Id::new(&sid).to_string(), sid);
        }
        // The last character ends at the limit, and one byte behind it.
        for sid in ["x".repeat(SHORT - 2) + "é", "x".repeat(SHORT - 1) + "é"] {
            assert_eq!(Id::new(&sid).to_string(), sid);
        }
    }
}
