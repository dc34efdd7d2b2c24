//! What a URL names: a server, a cluster, or a master that sentinels watch; and the login.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cloakroom_backend::observe;
use redis::ProtocolVersion;
use zeroize::Zeroizing;

use crate::mode::Mode;

/// What the scheme of a URL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Server,
    Cluster,
    Sentinels,
    Socket,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

impl Address {
    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }

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

/// Everything that is needed to connect to one server.
#[derive(Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) user: Option<String>,
    /// The commands of a login contain copies, which the driver does not erase.
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) database: u32,
    /// The protocol of the URL. `None` means RESP3 if the server supports it.
    pub(crate) protocol: Option<ProtocolVersion>,
    /// What the URL says that the server is.
    pub(crate) mode: Mode,
}

impl Target {
    /// Returns the same login at another address.
    pub(crate) fn at(&self, address: Address) -> Self {
        Self { address, ..self.clone() }
    }
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

/// A master, and the sentinels that know where it is.
#[derive(Clone, Debug)]
pub(crate) struct Sentinels {
    pub(crate) sentinels: Vec<Target>,
    /// The number of the sentinel that is asked first. It changes when one sends the store to a server that is not the
    /// master.
    first: Arc<AtomicUsize>,
    /// The name under which they watch the master.
    pub(crate) name: String,
    /// The login at the master. Its address is that of a sentinel.
    pub(crate) master: Target,
}

impl Sentinels {
    pub(crate) fn new(sentinels: Vec<Target>, name: String, master: Target) -> Self {
        Self { sentinels, first: Arc::default(), name, master }
    }

    /// Returns the sentinels in the order in which they are asked.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Target> {
        let first = self.first.load(Ordering::Relaxed) % self.sentinels.len().max(1);
        self.sentinels.iter().cycle().skip(first).take(self.sentinels.len())
    }

    /// Asks another one first from now on.
    pub(crate) fn distrust_the_first(&self) {
        self.first.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where one server is.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    Fixed(Target),
    Master(Sentinels),
}

/// The server's name in errors.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(target) => target.address.fmt(f),
            Self::Master(sentinels) => write!(f, "the master {:?}", sentinels.name),
        }
    }
}

/// What a URL names.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Server(Route),
    /// Nodes of a cluster, each of which knows the others, and the login at each node. Its address is that of the first.
    Cluster(Target, Vec<Address>),
}

impl Place {
    #[cfg(feature = "tls")]
    pub(crate) fn is_tls(&self) -> bool {
        match self {
            Self::Server(Route::Fixed(target)) => target.address.is_tls(),
            Self::Server(Route::Master(sentinels)) => sentinels.master.address.is_tls(),
            Self::Cluster(login, _) => login.address.is_tls(),
        }
    }
}
