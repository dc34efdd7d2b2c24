//! What can be set.

use std::{fmt, sync::Arc, time::Duration};

use cloakroom_core::{Clock, Cookie, Error, generate_id};

/// Makes session ids.
type Genid = Arc<dyn Fn() -> Result<String, Error> + Send + Sync>;

/// How an [`ExpressSession`](crate::ExpressSession) makes sessions and how long it waits.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_compat::ExpressSessionOptions;
///
/// let options = ExpressSessionOptions::default()
///     .with_deadline(Duration::from_secs(2))
///     .with_max_age(Duration::from_secs(14 * 86_400));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ExpressSessionOptions {
    /// How long an operation may take; 5 s unless set. With a deadline shorter than the store's own, a write that meets it
    /// has an unknown outcome even if nothing was sent: only the store knows that.
    pub deadline: Duration,
    /// The cookie of new sessions; Express's default unless set.
    pub cookie: Cookie,
    /// How long new sessions live from each touch on; a browser session unless set.
    pub max_age: Option<Duration>,
    /// Makes ids; [`generate_id`] unless set. The store does not check that they are hard to guess.
    pub genid: Genid,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for ExpressSessionOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            cookie: Cookie::new(),
            max_age: None,
            genid: Arc::new(generate_id),
            clock: Clock::system(),
        }
    }
}

impl ExpressSessionOptions {
    /// The same options with another [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same options with another [`cookie`](Self::cookie).
    #[must_use]
    pub fn with_cookie(mut self, cookie: Cookie) -> Self {
        self.cookie = cookie;
        self
    }

    /// The same options with another [`max_age`](Self::max_age).
    #[must_use]
    pub fn with_max_age(mut self, max_age: impl Into<Option<Duration>>) -> Self {
        self.max_age = max_age.into();
        self
    }

    /// The same options with another [`genid`](Self::genid).
    #[must_use]
    pub fn with_genid(
        mut self,
        genid: impl Fn() -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        self.genid = Arc::new(genid);
        self
    }

    /// The same options with another [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl fmt::Debug for ExpressSessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpressSessionOptions")
            .field("deadline", &self.deadline)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}
