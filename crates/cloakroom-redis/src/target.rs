//! The address of the server, and the login.

use std::{fmt, path::PathBuf};

use cloakroom_backend::observe;
use redis::ProtocolVersion;
use zeroize::Zeroizing;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

impl Address {
    /// Notes that the operation under way goes to this server.
    pub(crate) fn note(&self) {
        match self {
            Self::Tcp { host, port, .. } => observe::server(host, Some(*port)),
            Self::Unix(path) => observe::server(path.to_str().unwrap_or_default(), None),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Everything that is needed to connect.
#[derive(Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) user: Option<String>,
    /// The commands of a login contain copies, which the driver does not erase.
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) database: u32,
    /// The protocol of the URL. `None` means RESP3 if the server supports it.
    pub(crate) protocol: Option<ProtocolVersion>,
}

/// Leaves out the user as well, because a password may stand in its place by mistake.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("address", &self.address)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}
