//! What a store looks for by an index: a path of plain names, and a value that a database compares as JavaScript does.
//!
//! A path becomes a part of a statement, so only harmless names are taken. Whatever else is looked for is found by a
//! listing, which needs no index.

use cloakroom_core::{Error, ErrorKind, json};

use crate::Operation;

/// The maximum length of a path in bytes.
const LONGEST: usize = 100;

/// The first number that JavaScript and a database can read differently.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// A value that can be looked for by an index.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum IndexValue {
    /// A text, in which nothing is escaped.
    Text(String),
    /// A number below 2^53, above which a database reads other numbers than JavaScript.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
}

impl IndexValue {
    /// Returns the value of a JSON text. `None` for `null`, a list, an object, a number from 2^53 on, and what is not
    /// JSON.
    ///
    /// ```
    /// use cloakroom_backend::IndexValue;
    ///
    /// assert_eq!(IndexValue::parse("70e-1"), Some(IndexValue::Number(7.0)));
    /// assert_eq!(IndexValue::parse("[7]"), None);
    /// ```
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "true" => return Some(Self::Boolean(true)),
            "false" => return Some(Self::Boolean(false)),
            _ => {}
        }
        if let Some(text) = json::unquote(value) {
            return Some(Self::Text(text.into_owned()));
        }
        let looks_like_a_number =
            value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        let number = looks_like_a_number.then(|| value.parse::<f64>().ok()).flatten()?;
        (number.abs() < INEXACT).then_some(Self::Number(number))
    }
}

/// Returns true for a path that an index can have: names of ASCII letters, digits, `_` and `-`, with dots between them.
///
/// ```
/// assert!(cloakroom_backend::is_index_path("passport.user"));
/// assert!(!cloakroom_backend::is_index_path("passport.$where"));
/// ```
#[must_use]
pub fn is_index_path(path: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_plain);
    path.len() <= LONGEST && path.split('.').all(is_name)
}

/// Rejects a path that an index cannot have.
///
/// # Errors
///
/// [`InvalidData`](ErrorKind::InvalidData), which says what is accepted.
pub fn check_index_path(operation: &Operation, path: &str) -> Result<(), Error> {
    if is_index_path(path) {
        return Ok(());
    }
    let message = format!(
        "invalid path: must be at most {LONGEST} bytes, and names of ASCII letters, digits, _ and - with dots between them"
    );
    Err(operation.error(ErrorKind::InvalidData, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_a_path() {
        for (path, is_plain) in [
            ("user", true),
            ("passport.user", true),
            ("a-b.c_d.0", true),
            ("", false),
            (".", false),
            ("passport.", false),
            ("passport..user", false),
            ("$where", false),
            ("a\"b", false),
            ("a'b", false),
            ("a`b", false),
            ("a\\b", false),
            ("a b", false),
            ("a\0b", false),
            ("a{b}", false),
            ("é", false),
        ] {
            assert_eq!(is_index_path(path), is_plain, "{path}");
        }
        assert!(is_index_path(&"n".repeat(LONGEST)));
        assert!(!is_index_path(&"n".repeat(LONGEST + 1)));
    }

    #[test]
    fn a_value_is_read_as_javascript_does() {
        let text = |text: &str| Some(IndexValue::Text(text.to_owned()));
        for (json, value) in [
            ("\"7\"", text("7")),
            ("\"\\u0061nn\\ud83d\"", text("ann\u{fffd}")),
            ("7", Some(IndexValue::Number(7.0))),
            ("-7.50", Some(IndexValue::Number(-7.5))),
            ("9007199254740991", Some(IndexValue::Number(9_007_199_254_740_991.0))),
            ("9007199254740993", None),
            ("1e400", None),
            ("true", Some(IndexValue::Boolean(true))),
            ("null", None),
            ("{\"id\":7}", None),
            ("[]", None),
            ("inf", None),
            ("7}", None),
            (" 7", None),
            ("", None),
        ] {
            assert_eq!(IndexValue::parse(json), value, "{json}");
        }
    }
}
