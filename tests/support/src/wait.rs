//! A wait that ends, in a test whose server or helper does not do its part.

use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that is ten times slower.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// A wait for something that must happen.
///
/// Without it, what does not happen is a test that never ends, and nobody is told which one.
///
/// ```
/// use cloakroom_test_support::Wait;
///
/// let mut questions = 0;
/// let wait = Wait::until("the third question is asked");
/// while questions < 3 {
///     wait.check();
///     questions += 1;
/// }
/// ```
#[derive(Debug)]
pub struct Wait {
    what: &'static str,
    since: Instant,
}

impl Wait {
    /// Begins to wait for this.
    #[must_use]
    pub fn until(what: &'static str) -> Self {
        Self { what, since: Instant::now() }
    }

    /// Goes on waiting.
    ///
    /// # Panics
    ///
    /// After ten minutes.
    #[track_caller]
    pub fn check(&self) {
        let waited = self.since.elapsed();
        assert!(waited < PATIENCE, "not within {} s: {}", PATIENCE.as_secs(), self.what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "not within 600 s: nothing"]
    fn a_wait_for_what_never_happens_ends() {
        let wait = Wait::until("nothing");
        Wait { since: wait.since.checked_sub(PATIENCE).unwrap(), ..wait }.check();
    }
}
