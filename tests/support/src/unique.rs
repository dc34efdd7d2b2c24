//! Names that no other test uses.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// A random number, the same all through this process.
pub(crate) static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("seed"));

/// `prefix` and what makes it a name of its own, among all tests of all processes: `sid-9f86d081884c7d65-1`.
#[must_use]
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{prefix}-{:016x}-{}", *SEED, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A secret, an id or a value that must never be printed, such as `hushed-password-9f86d081884c7d65-2`.
///
/// `cargo xtask test` fails if the output of any test that passes contains one, or an id that [`unique`] has made of
/// `sid`.
#[must_use]
pub fn hushed(what: &str) -> String {
    unique(&format!("hushed-{what}"))
}

/// Returns the first text in a line that [`hushed`] has made, or that [`unique`] has made of `sid`.
#[must_use]
pub fn leak_in(line: &str) -> Option<&str> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    // The marks of a unique text: sixteen digits, and a number after them.
    let is_unique = |word: &str| {
        word.split('-').collect::<Vec<_>>().windows(2).any(|pair| {
            pair[0].len() == 16
                && pair[0].bytes().all(|byte| byte.is_ascii_hexdigit())
                && pair[1].starts_with(|first: char| first.is_ascii_digit())
        })
    };
    let words = line.split(|character: char| !character.is_ascii() || !is_part(character as u8));
    words
        .filter(|word| word.contains("sid-") || word.contains("hushed-"))
        .find(|word| is_unique(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_comes_twice() {
        assert_ne!(unique("a"), unique("a"));
        assert!(unique("sid").starts_with("sid-"));
    }

    #[test]
    fn what_must_be_hushed_is_found_in_any_line() {
        let (sid, password) = (unique("sid"), hushed("password"));
        for (line, leak) in [
            (format!("redis: get: {sid:?} is gone"), Some(&sid)),
            (format!("redis://ann:{password}@localhost"), Some(&password)),
            (format!("the key is app:{sid}."), Some(&sid)),
            (format!("prefix {}", unique("prefix")), None),
            ("a hushed-up sid-e 0123456789abcdef-1".to_owned(), None),
        ] {
            assert_eq!(leak_in(&line), leak.map(String::as_str), "{line}");
        }
    }
}
