//! What a run harms: a store's servers, and the proxies before them.
//!
//! A new target is a line of [`TARGETS`] and a function that starts it. One server of a kind that `tests/support` starts
//! is a [`Single`]; several machines are a type of their own that implements [`Target`].

mod cluster;
mod evicting;
mod folder;
mod kinds;
mod replica_set;
mod ring;
mod sentinels;
mod single;
mod sqlite;

use std::fmt;

use fastrand::Rng;

use crate::history::{Loss, Lost};
pub use folder::Folder;
pub use single::Single;

/// Why a run could not be made.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The server is killed, and started again.
    Kill,
    /// The server stands still.
    Freeze,
    /// Open connections stay open, and nothing passes on them ever again.
    Silence,
    /// Open connections are closed.
    Cut,
    /// The next answers are lost with their connections.
    LoseAnswers,
    /// The server is not reachable.
    Refuse,
    /// Junk comes in place of the next answers.
    Garble,
    /// The server has no room for a write.
    Fill,
    /// Another program holds the lock that every write needs.
    Lock,
    /// Another machine takes over.
    FailOver,
    /// A client process is killed.
    KillClient,
    /// A client process stands still.
    FreezeClient,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Silence => "silence",
            Self::Cut => "cut",
            Self::LoseAnswers => "lose answers",
            Self::Refuse => "refuse",
            Self::Garble => "garble",
            Self::Fill => "fill",
            Self::Lock => "lock",
            Self::FailOver => "fail over",
            Self::KillClient => "kill client",
            Self::FreezeClient => "freeze client",
        })
    }
}

/// The npm store that runs beside ours.
#[derive(Clone, Debug)]
pub struct NpmStore {
    /// As in `tests/node/stores`, such as `redis-10`.
    pub store: &'static str,
    /// Where its sessions are.
    pub url: String,
    /// Its options, in JSON.
    pub options: &'static str,
}

/// The servers of a run.
pub trait Target: Send {
    /// The server and its version.
    fn version(&self) -> String;
    /// The URL for a Rust process with this number, `deadline` included.
    fn url(&self, process: usize) -> String;
    /// The URL to look at the sessions when all is over.
    fn plain_url(&self) -> String;
    /// The npm store for the Node.js process, or `None` if it has no promises to keep here.
    fn npm(&self) -> Option<NpmStore>;
    /// What can go wrong.
    fn faults(&self) -> Vec<Fault>;
    /// What a fault may cost.
    fn loses(&self, fault: Fault) -> Lost;
    /// Does harm. Returns when it is done.
    ///
    /// # Errors
    ///
    /// If the harm cannot be done.
    fn begin(&mut self, fault: Fault, random: &mut Rng) -> Result<(), Failure>;
    /// What the server itself says that it has lost, in so many words, when the run is over.
    ///
    /// # Errors
    ///
    /// If it does not say all of it.
    fn told(&mut self) -> Result<Vec<Loss>, Failure>;
    /// Ends the harm: everything can be reached again, and works, when this returns.
    ///
    /// # Errors
    ///
    /// If a server does not come back.
    fn end(&mut self, fault: Fault) -> Result<(), Failure>;
}

/// How many proxies a target has: one for each Rust process and one for Node.js.
pub const PROXIES: usize = 3;
/// The deadline of a store, in milliseconds.
pub const STORE_DEADLINE_MS: u64 = 2_000;
/// The deadline of a handle, in milliseconds.
pub const DEADLINE_MS: u64 = 3_000;

/// A name, and what starts the target.
type Row = (&'static str, fn() -> Result<Box<dyn Target>, Failure>);

/// All targets. A run without `--store` takes them one after the other.
pub const TARGETS: &[Row] = &[
    ("file", || Ok(Box::new(Folder::new()?))),
    ("memcached", || Ok(Box::new(kinds::memcached()?))),
    ("memcached-full", || Ok(Box::new(evicting::Evicting::start()?))),
    ("mongodb", || Ok(Box::new(kinds::mongodb()?))),
    ("mariadb", || Ok(Box::new(kinds::mariadb()?))),
    ("postgres", || Ok(Box::new(kinds::postgres()?))),
    ("sqlite", || Ok(Box::new(sqlite::SqliteFile::new()?))),
    ("redis", || Ok(Box::new(kinds::redis()?))),
    ("cluster", || Ok(Box::new(cluster::Cluster::start()?))),
    ("replica-set", || Ok(Box::new(replica_set::ReplicaSet::start()?))),
    ("ring", || Ok(Box::new(ring::Ring::start()?))),
    ("sentinels", || Ok(Box::new(sentinels::Sentinels::start()?))),
];

/// Starts the target of this name, or takes the server at this URL, whose network alone is harmed.
///
/// # Errors
///
/// If there is no such target, or it does not start.
pub fn start(name: &str) -> Result<Box<dyn Target>, Failure> {
    if let Some((_, start)) = TARGETS.iter().find(|(known, _)| *known == name) {
        return start();
    }
    if name.contains("://") {
        return Ok(Box::new(Single::outside(name)?));
    }
    let known: Vec<&str> = TARGETS.iter().map(|(known, _)| *known).collect();
    Err(format!("no such store: {name:?}; there are {}, and URLs", known.join(", ")).into())
}
