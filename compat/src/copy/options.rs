//! How sessions are copied, and what was done.

use cloakroom_core::{Clock, Error};

/// How [`copy`](crate::copy) copies sessions.
///
/// ```
/// use cloakroom_compat::CopyOptions;
///
/// let options = CopyOptions::default().with_dry_run(true).with_concurrency(16);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Whether to write nothing, and to count what would be done. Off by default.
    pub dry_run: bool,
    /// Whether to replace a session of the other store whose record is another one. Off by default.
    pub overwrite: bool,
    /// How many sessions are copied at the same time. 64 by default.
    pub concurrency: usize,
    /// The source of the current time.
    pub clock: Clock,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { dry_run: false, overwrite: false, concurrency: 64, clock: Clock::system() }
    }
}

impl CopyOptions {
    /// Sets [`dry_run`](Self::dry_run).
    #[must_use]
    pub fn with_dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// Sets [`overwrite`](Self::overwrite).
    #[must_use]
    pub fn with_overwrite(self, overwrite: bool) -> Self {
        Self { overwrite, ..self }
    }

    /// Sets [`concurrency`](Self::concurrency).
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency, ..self }
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}

/// What [`copy`](crate::copy) has done so far.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CopyProgress {
    /// Sessions that were created, or with `dry_run` would be.
    pub copied: u64,
    /// Sessions that the other store has with the same record. They got the time that is left.
    pub skipped: u64,
    /// Sessions of which the other store has another record, which stays.
    pub kept: u64,
    /// Sessions of which the other store had another record, which was replaced.
    pub replaced: u64,
    /// Sessions that ended before their copy was complete.
    pub gone: u64,
    /// Sessions whose record could not be read or was refused, and sessions that are being moved.
    pub failed: u64,
    /// Why the first of these failed. `None` if none failed.
    pub why: Option<Error>,
}

impl CopyProgress {
    /// Returns the number of sessions that were looked at.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.copied + self.skipped + self.kept + self.replaced + self.gone + self.failed
    }
}
