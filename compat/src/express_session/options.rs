//! The options of an `ExpressSession`.

use std::{fmt, sync::Arc, time::Duration};

use cloakroom_core::{Clock, Cookie, Error, generate_id};

/// A function that returns a new session id.
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
    /// How long an operation may take. `None`, the default, is 5 s, or the store's own deadline if that is longer. So the
    /// `deadline` in the URL of a store is enough.
    ///
    /// Keep it at or above the store's own deadline. A store that has one says whether it has sent anything; a write to
    /// any other that this deadline cuts off has an unknown outcome.
    pub deadline: Option<Duration>,
    /// The cookie of new sessions. Express's default cookie by default.
    pub cookie: Cookie,
    /// How long a new session lives after each touch. `None`, the default, makes browser sessions.
    pub max_age: Option<Duration>,
    /// Returns a new session id. [`generate_id`] by default. The ids must be impossible to guess; nothing checks that.
    pub genid: Genid,
    /// The source of the current time.
    pub clock: Clock,
    /// Where a session has its user, as a path of names: `passport.user` by default, where Passport has it. For
    /// [`of`](crate::ExpressSession::of) and [`end_all`](crate::ExpressSession::end_all). No name on it can contain a
    /// dot; see [`SessionData::has_value`](cloakroom_core::SessionData::has_value).
    pub user_path: String,
}

impl Default for ExpressSessionOptions {
    fn default() -> Self {
        Self {
            deadline: None,
            cookie: Cookie::new(),
            max_age: None,
            genid: Arc::new(generate_id),
            clock: Clock::system(),
            user_path: "passport.user".to_owned(),
        }
    }
}

impl ExpressSessionOptions {
    /// The same options with another [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.deadline = deadline.into();
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

    /// The same options with another [`user_path`](Self::user_path).
    #[must_use]
    pub fn with_user_path(mut self, user_path: impl Into<String>) -> Self {
        self.user_path = user_path.into();
        self
    }
}

impl fmt::Debug for ExpressSessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpressSessionOptions")
            .field("deadline", &self.deadline)
            .field("max_age", &self.max_age)
            .field("user_path", &self.user_path)
            .finish_non_exhaustive()
    }
}
