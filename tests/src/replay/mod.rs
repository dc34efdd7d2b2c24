//! Replays what the real npm packages did, as recorded in the fixtures, against this code.
//!
//! A kind is a file format. To add one, write its file next to this one and add it to [`KINDS`].

mod cookie_json;
mod express_cookie;
mod file;
mod hashring;
mod kruptein;
pub mod lifecycle;
mod logins;
mod memcached;
mod middlewares;
mod mongo;
mod mongo_crypto;
mod not_applicable;
mod notation;
mod parallel;
mod redis;
mod report;
mod script;
mod seals;
mod sql;
pub mod vectors;

use std::{fmt, fs, path::Path, time::Duration};

pub use report::{Outcome, Report};

use crate::json::{Json, NotJson};

/// A kind of fixture, and the function that checks such a file.
#[derive(Debug)]
pub struct Kind {
    /// The name on the command line.
    pub name: &'static str,
    /// A short description of such a file.
    pub about: &'static str,
    /// Checks everything in the file.
    pub replay: fn(&Json, &mut Report),
}

/// All kinds of fixtures.
pub const KINDS: &[Kind] = &[
    cookie_json::KIND,
    file::KIND,
    hashring::KIND,
    kruptein::KIND,
    lifecycle::KIND,
    seals::KIND,
    logins::KIND,
    memcached::KIND,
    middlewares::KIND,
    mongo::KIND,
    mongo_crypto::KIND,
    redis::KIND,
    sql::KIND,
    vectors::KIND,
];

/// The deadline of the stores. It is long, because no check is about the duration and the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// The reason why a file could not be replayed at all.
#[derive(Debug)]
pub enum Unusable {
    /// No kind has this name.
    UnknownKind(String),
    /// The file cannot be read.
    Unreadable(std::io::Error),
    /// The file is not JSON.
    NotJson(NotJson),
    /// The file contains nothing that this kind checks.
    Nothing,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind(kind) => write!(f, "unknown kind {kind:?}"),
            Self::Unreadable(_) => f.write_str("the file cannot be read"),
            Self::NotJson(at) => write!(f, "the file is not JSON from byte {} on", at.0),
            Self::Nothing => f.write_str("the file holds nothing of this kind"),
        }
    }
}

impl std::error::Error for Unusable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(source) => Some(source),
            _ => None,
        }
    }
}

/// Checks a file of a kind.
///
/// # Errors
///
/// [`Unusable`] if the file cannot be checked. A failed check is in the report instead.
pub fn replay(kind: &str, file: &Path) -> Result<Report, Unusable> {
    let text = fs::read_to_string(file).map_err(Unusable::Unreadable)?;
    replay_text(kind, &text)
}

/// Checks the text of a file.
///
/// # Errors
///
/// As for [`replay`].
pub fn replay_text(kind: &str, text: &str) -> Result<Report, Unusable> {
    let kind = KINDS
        .iter()
        .find(|known| known.name == kind)
        .ok_or_else(|| Unusable::UnknownKind(kind.to_owned()))?;
    let file = Json::parse(text).map_err(Unusable::NotJson)?;
    let mut report = Report::default();
    (kind.replay)(&file, &mut report);
    if report.is_empty() { Err(Unusable::Nothing) } else { Ok(report) }
}
