//! The one place that chooses between the presets. Everything else uses the verbs of a session's life, and the two
//! presets do not know each other.

use std::{sync::Arc, time::Duration};

use cloakroom_core::Error;
use http::HeaderValue;

use crate::{
    RequestHead,
    express::{self, Express, ExpressSession},
    safe::{self, Safe, SafeSession},
    setup::Setup,
    state::{Memory, Shared},
};

/// The preset of an engine.
pub(crate) enum Rules {
    Express(Express),
    /// Also next-session's preset: its cookie has another shape, but its sessions live by the same rules.
    Safe(Arc<Safe>),
}

/// What loading the session needs of its request, for the preset.
pub(crate) enum Asked {
    Express(express::Asked),
    Safe(safe::Asked),
}

/// What a new session is made of when somebody asks for it.
pub(crate) struct NewSession(safe::NewSession);

/// The life of one request's session. Boxed, because the safe preset remembers much more than the other.
pub(crate) enum Life {
    Express(Box<ExpressSession>),
    Safe(Box<SafeSession>),
}

impl Rules {
    /// Returns the rules of the preset that the options name.
    pub(crate) fn new(setup: Arc<Setup>) -> Self {
        if setup.options().preset.is_express() {
            Self::Express(Express::new(setup))
        } else {
            Self::Safe(Arc::new(Safe::new(setup)))
        }
    }

    /// Returns true if a session that another middleware has put into the request takes this one's place.
    /// express-session does nothing if `req.session` is set; the safe preset serves its own session beside it.
    pub(crate) const fn gives_way(&self) -> bool {
        matches!(self, Self::Express(_))
    }

    /// Returns the session id in these cookies, without asking the store.
    pub(crate) fn session_id(&self, header: &[u8]) -> Option<String> {
        match self {
            Self::Express(express) => express.session_id(header),
            Self::Safe(safe) => safe.session_id(header),
        }
    }

    /// Takes from a request what loading its session needs. `max_age` is the life of the sessions that the request
    /// makes.
    pub(crate) fn ask(&self, head: RequestHead<'_>, max_age: Option<Duration>) -> Asked {
        match self {
            Self::Express(express) => Asked::Express(express.ask(head)),
            Self::Safe(safe) => Asked::Safe(safe.ask(head, max_age)),
        }
    }
}

impl Asked {
    /// Returns what makes the session if it is a new one that nothing has to be asked for. The express preset makes its
    /// session at once, as express-session calls `genid` before the handler.
    pub(crate) fn new_session(&self) -> Result<Option<NewSession>, Error> {
        match self {
            Self::Express(_) => Ok(None),
            Self::Safe(asked) => Ok(asked.new_session()?.map(NewSession)),
        }
    }

    pub(crate) async fn load(&self) -> Result<Life, Error> {
        match self {
            Self::Express(asked) => asked.load().await.map(Box::new).map(Life::Express),
            Self::Safe(asked) => asked.load().await.map(Box::new).map(Life::Safe),
        }
    }
}

impl NewSession {
    /// Makes the session. No user callback is called.
    pub(crate) fn begin(&self) -> Life {
        Life::Safe(Box::new(self.0.begin()))
    }
}

impl Life {
    /// Returns what the handles share. It is `dyn`, so that a handle reads and changes members without knowing the
    /// preset.
    pub(crate) const fn shared(&self) -> &Shared<dyn Memory> {
        match self {
            Self::Express(session) => session.shared(),
            Self::Safe(session) => session.shared(),
        }
    }

    pub(crate) fn touch(&self) -> Result<(), Error> {
        match self {
            Self::Express(session) => session.touch(),
            Self::Safe(session) => session.touch(),
        }
    }

    pub(crate) async fn save(&self) -> Result<bool, Error> {
        match self {
            Self::Express(session) => session.save().await,
            Self::Safe(session) => session.save().await,
        }
    }

    pub(crate) async fn reload(&self) -> Result<bool, Error> {
        match self {
            Self::Express(session) => session.reload().await,
            Self::Safe(session) => session.reload().await,
        }
    }

    pub(crate) async fn rollback(&self) -> Result<(), Error> {
        match self {
            Self::Express(session) => session.rollback(),
            Self::Safe(session) => session.rollback().await,
        }
    }

    pub(crate) async fn regenerate(&self, keeps_data: bool) -> Result<(), Error> {
        match self {
            Self::Express(session) => session.regenerate(keeps_data).await,
            Self::Safe(session) => session.regenerate(keeps_data).await,
        }
    }

    pub(crate) async fn destroy(&self) -> Result<(), Error> {
        match self {
            Self::Express(session) => session.destroy().await,
            Self::Safe(session) => session.destroy().await,
        }
    }

    /// Ends the request. Express stores the session of a failed one, too, so its preset does not ask for `is_failed`.
    pub(crate) async fn commit(&self, is_failed: bool) -> Result<Option<HeaderValue>, Error> {
        match self {
            Self::Express(session) => Ok(session.commit().await),
            Self::Safe(session) => session.commit(is_failed).await,
        }
    }

    /// Returns the `Set-Cookie` line for the error response if the commit has failed. The express preset's never does.
    pub(crate) fn cookie_after_error(&self) -> Option<HeaderValue> {
        match self {
            Self::Express(_) => None,
            Self::Safe(session) => session.cookie_after_error(),
        }
    }
}
