//! What a record means to JavaScript, however it is written: `jsonb` of PostgreSQL has another order of the members, other
//! spaces and other numbers than the text that it was given.

use std::{collections::HashMap, hash::BuildHasher};

use cloakroom_core::json;

/// Values that are nested deeper are compared as texts, because each level is read once more.
const DEEPEST: u32 = 64;

/// Returns a hash of what a record means. The `expires` of its cookie is left out: it is stale in many records, and a
/// store that goes by it replaces it by the time that the session has left.
pub(super) fn of_copy(hasher: &impl BuildHasher, record: &str) -> u64 {
    Meaning { hasher, is_copy: true }.of(record.trim_ascii(), 0)
}

/// Returns true if two records mean the same.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    let hasher = &std::hash::RandomState::new();
    let meaning = Meaning { hasher, is_copy: false };
    a == b || meaning.of(a.trim_ascii(), 0) == meaning.of(b.trim_ascii(), 0)
}

struct Meaning<'h, H> {
    hasher: &'h H,
    is_copy: bool,
}

impl<H: BuildHasher> Meaning<'_, H> {
    fn of(&self, value: &str, depth: u32) -> u64 {
        let as_text = || self.hasher.hash_one((' ', value));
        if depth > DEEPEST {
            return as_text();
        }
        match value.as_bytes().first() {
            Some(b'{') => self.of_object(value, depth, "").unwrap_or_else(as_text),
            Some(b'[') => {
                let items = json::items(value).unwrap_or_default().into_iter();
                let items = items.map(|item| self.of(item, depth + 1));
                self.hasher.hash_one(('[', items.collect::<Vec<_>>()))
            }
            Some(b'"') => match json::unquote(value) {
                // Half of a surrogate pair is read as U+FFFD.
                Some(text) if !text.contains('\u{fffd}') => self.hasher.hash_one(('"', text)),
                _ => as_text(),
            },
            Some(b'-' | b'0'..=b'9') => value.parse::<f64>().map_or_else(
                |_| as_text(),
                // Two zeros are equal, and have different bits.
                |number| self.hasher.hash_one(('0', (number + 0.0).to_bits())),
            ),
            _ => as_text(),
        }
    }

    /// The order of the members does not count, and of two with one name, the last does. `None` if a name has half of a
    /// surrogate pair.
    fn of_object(&self, value: &str, depth: u32, left_out: &str) -> Option<u64> {
        let mut members = HashMap::new();
        for (name, value) in json::members(value)? {
            if name.contains('\u{fffd}') {
                return None;
            }
            if left_out.is_empty() || name != left_out {
                members.insert(name, value);
            }
        }
        let mut sum = self.hasher.hash_one(('{', members.len()));
        for (name, value) in members {
            let is_cookie = self.is_copy && depth == 0 && name == "cookie";
            let of_cookie = is_cookie.then(|| self.of_object(value, depth + 1, "expires"));
            let meaning = of_cookie.flatten().unwrap_or_else(|| self.of(value, depth + 1));
            sum = sum.wrapping_add(self.hasher.hash_one((name, meaning)));
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;

    #[test]
    fn a_record_means_the_same_however_it_is_written() {
        for (a, b, same) in [
            (r#"{"b":1,"aa":[1e2,"x"]}"#, r#"{ "aa": [100, "\u0078"], "b": 1.0 }"#, true),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#, true),
            (r#"{"a":-0}"#, r#"{"a":0}"#, true),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, false),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
            (r#"{"a":1,"b":2}"#, r#"{"a":2,"b":1}"#, false),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, false),
            (r#"{"a":[]}"#, r#"{"a":{}}"#, false),
            (r#"{"a":null}"#, r#"{"a":"null"}"#, false),
            (r#"{"a":"\ud83d"}"#, "{\"a\":\"\u{fffd}\"}", false),
            (r#"{"\ud83d":1}"#, "{\"\u{fffd}\":1}", false),
            (r#"{"cookie":{"expires":"x","path":"/"}}"#, r#"{"cookie":{"path":"/"}}"#, false),
        ] {
            assert_eq!(is_same(a, b), same, "{a} {b}");
        }
        let deep = |open: &str| open.repeat(100_000) + &"]".repeat(100_000);
        assert!(is_same(&deep("["), &deep("[")) && !is_same(&deep("["), "[]"));
    }

    #[test]
    fn the_date_of_a_cookie_is_not_a_part_of_what_is_copied() {
        let hasher = RandomState::new();
        let same = |a, b| of_copy(&hasher, a) == of_copy(&hasher, b);
        let stale = r#"{"cookie":{"expires":"2020-01-01T00:00:00.000Z","originalMaxAge":7}}"#;
        assert!(same(stale, r#"{"cookie":{"originalMaxAge":7.0,"expires":null}}"#));
        assert!(!same(stale, r#"{"cookie":{"originalMaxAge":8,"expires":null}}"#));
        assert!(!same(r#"{"expires":1}"#, r#"{"expires":2}"#));
        assert!(!same(r#"{"a":{"cookie":{"expires":1}}}"#, r#"{"a":{"cookie":{"expires":2}}}"#));
    }
}
