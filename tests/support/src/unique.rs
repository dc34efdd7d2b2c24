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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_comes_twice() {
        assert_ne!(unique("a"), unique("a"));
        assert!(unique("sid").starts_with("sid-"));
    }
}
