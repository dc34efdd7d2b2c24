//! The group `expiry` of the options.

use std::time::Duration;

use cloakroom_core::Clock;

/// When a session is extended. How long it lives is the cookie's [`max_age`](crate::CookieOptions::max_age).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExpiryOptions {
    /// Express's `rolling`: extend the browser's cookie along with the session. Express sends the cookie with each
    /// response; the safe preset sends it when a quarter of its life is over.
    pub rolling: bool,
    /// When a session that is only read is extended. The express preset extends with each request.
    pub touch_after: TouchAfter,
    /// Supplies the time. Defaults to the system's clock.
    pub clock: Clock,
}

/// When a session that is only read is extended, in the store and in the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TouchAfter {
    /// With each request, in the round trip that loads it.
    EachRequest,
    /// When this much of its life has passed, by writing it: next-session's `touchAfter`, which counts seconds.
    Elapsed(Duration),
    /// Only by [`Session::touch`](crate::Session::touch). A request that changes the session still extends it, because a
    /// store extends a session whose cookie nobody changed.
    Never,
}

impl ExpiryOptions {
    pub(super) fn new(rolling: bool, touch_after: TouchAfter) -> Self {
        Self { rolling, touch_after, clock: Clock::system() }
    }

    /// Sets [`rolling`](Self::rolling).
    #[must_use]
    pub fn with_rolling(mut self, rolling: bool) -> Self {
        self.rolling = rolling;
        self
    }

    /// Sets [`touch_after`](Self::touch_after).
    #[must_use]
    pub fn with_touch_after(mut self, touch_after: TouchAfter) -> Self {
        self.touch_after = touch_after;
        self
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}
