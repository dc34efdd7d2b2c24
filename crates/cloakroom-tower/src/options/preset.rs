//! The presets, and their differences besides the life of a session.

use crate::cookie_options::CookieShape;

/// The rules that a layer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// The same signed cookie and the same records, without the known harm.
    Safe,
    /// What express-session 1.19.0 does, call for call.
    Express,
    /// The safe rules with the records of next-session 4: `maxAge` in seconds, and no `originalMaxAge`.
    NextSession,
}

impl Preset {
    pub(crate) const fn is_express(self) -> bool {
        matches!(self, Self::Express)
    }

    pub(crate) const fn cookie_shape(self) -> CookieShape {
        match self {
            Self::Safe | Self::Express => CookieShape::Express,
            Self::NextSession => CookieShape::NextSession,
        }
    }

    /// Returns true if only requests below the cookie's path have a session. next-session gives one to all.
    pub(crate) const fn looks_at_path(self) -> bool {
        !matches!(self, Self::NextSession)
    }

    /// Returns true if a `Secure` cookie is sent over secure connections only. next-session sends it over all.
    pub(crate) const fn looks_at_transport(self) -> bool {
        !matches!(self, Self::NextSession)
    }
}
