//! The two generations of the package, and what they share.

use std::time::Duration;

/// The tolerance of the packages when they compare `exp` and `nbf` with the clock.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(15);

/// The generation of the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthJsVersion {
    /// The npm package next-auth 4.
    NextAuth4,
    /// Auth.js 5: next-auth 5 and the other packages on @auth/core.
    AuthJs5,
}

impl AuthJsVersion {
    /// The longest value of one cookie. Longer ones are cut into several cookies.
    pub(crate) const fn chunk_length(self) -> usize {
        match self {
            Self::NextAuth4 => 3_933,
            Self::AuthJs5 => 3_936,
        }
    }
}
