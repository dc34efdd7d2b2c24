//! What a guard requires of a session besides that it exists.

use std::{fmt, sync::Arc};

use cloakroom_core::SessionData;

/// White space in JSON (RFC 8259, section 2).
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

#[derive(Clone)]
pub(super) enum Want {
    /// The name of a member, or a path to a member inside objects.
    Member(String),
    Predicate(Arc<dyn Fn(&SessionData) -> bool + Send + Sync>),
}

impl Want {
    pub(super) fn is_met(&self, record: &SessionData) -> bool {
        match self {
            Self::Member(path) => record.get_json_at(path).is_some_and(|json| is_present(&json)),
            Self::Predicate(predicate) => predicate(record),
        }
    }
}

/// Returns false for what JavaScript calls falsy, and for `{}` and `[]`.
fn is_present(json: &str) -> bool {
    let json = json.trim_matches(SPACE);
    let is_empty = |open: char, close: char| {
        let inside = json.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inside.is_some_and(|inside| inside.trim_matches(SPACE).is_empty())
    };
    match json.as_bytes().first() {
        // Rust parses a number as JavaScript does: `1e-400` is zero.
        Some(b'-' | b'0'..=b'9') => json.parse::<f64>().is_ok_and(|number| number != 0.0),
        Some(b'{') => !is_empty('{', '}'),
        Some(b'[') => !is_empty('[', ']'),
        _ => !matches!(json, "" | "null" | "false" | "\"\""),
    }
}

impl fmt::Debug for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(path) => fmt::Debug::fmt(path, f),
            Self::Predicate(_) => f.write_str("Predicate(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_falsy_or_empty_is_absent() {
        let absent = [
            "null", "false", "\"\"", "0", "-0", "0.0", "-0.0e5", "0e10", "1e-400", "{}", "[]",
            "{ \t\n}", "[\r ]", " null ",
        ];
        let present = [
            "true",
            "1",
            "-1",
            "0.1",
            "1e400",
            "-1e400",
            "\" \"",
            "\"0\"",
            "\"false\"",
            "\"\\u0000\"",
            "{\"a\":null}",
            "[0]",
            "[[]]",
            "[null]",
        ];
        for json in absent {
            assert!(!is_present(json), "{json}");
        }
        for json in present {
            assert!(is_present(json), "{json}");
        }
    }

    #[test]
    fn a_path_leads_through_objects_as_in_javascript() {
        let record = SessionData::from_json(
            r#"{"cookie":{},"passport":{"user":7,"\u0061":1,"x":{"y":"z"},"twice":1,"twice":null,"\ud800":1},"a.b":1,
                "list":[1],"text":"x","passport.x":{"y":false}}"#,
        )
        .unwrap();
        let rows = [
            ("passport", true),
            ("passport.user", true),
            ("passport.a", true),
            ("passport.x.y", true),
            ("passport.twice", false),
            ("passport.x", true),
            ("passport.user.id", false),
            ("passport.", false),
            ("passport.nobody", false),
            ("nobody.user", false),
            ("a.b", true),
            ("list.0", false),
            ("list.length", false),
            ("text.length", false),
            ("", false),
            (".", false),
        ];
        for (path, is_met) in rows {
            assert_eq!(Want::Member(path.to_owned()).is_met(&record), is_met, "{path}");
        }
    }
}
