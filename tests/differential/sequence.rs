//! A sequence for both sides: options, and requests with the events before them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The path of most requests.
pub(crate) const PATH: &str = "/app/x";

/// A site's first options, under express-session's names, and the requests to it.
#[derive(Clone)]
pub(crate) struct Sequence {
    pub(crate) options: Value,
    pub(crate) steps: Vec<Step>,
}

/// A request, and the events before it.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) before: Before,
    /// The cookies of the session's name that the browser sends, in order.
    pub(crate) cookies: Vec<Sent>,
    pub(crate) path: &'static str,
    /// `X-Forwarded-Proto`.
    pub(crate) proto: Option<&'static str>,
    pub(crate) actions: Vec<Action>,
    pub(crate) status: u16,
}

/// An event before a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Before {
    Nothing,
    /// This many milliseconds pass.
    Wait(i64),
    /// A new secret signs from now on. The previous one still verifies; older ones do not.
    Rotate,
    /// The site has other options from now on. Its secrets stay.
    Options(Value),
    /// The browser's session is overwritten with a record that neither side would write.
    Overwrite(&'static str),
}

/// A cookie that the browser sends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sent {
    /// The last cookie that it received.
    Current,
    /// An earlier cookie, this many back, and again from the end of the list.
    Earlier(usize),
    /// The current id, signed with the oldest secret that verifies.
    OldSecret,
    /// The current id, signed with another secret.
    WrongSecret,
    /// The current id, without a signature.
    Verified,
    /// The current cookie in quotes.
    Quoted,
    /// An id that never existed, with a valid signature.
    Unknown,
    /// An empty value.
    Empty,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", content = "with", rename_all = "camelCase")]
pub(crate) enum Action {
    Set(String, Value),
    Remove(String),
    /// Appends to a list in place. A member that is not a list becomes one.
    Push(String, Value),
    /// Sets a member, and then sets it back to its old value.
    SetAndBack(String, Value),
    /// Removes a member and sets it again, so that it becomes the last.
    Again(String),
    /// Sets a member of `req.session.cookie`.
    Cookie(String, Value),
    Touch,
    Save,
    Reload,
    Regenerate,
    Destroy,
    Unset,
}

/// The body of a request.
#[derive(Serialize, Deserialize)]
pub(crate) struct Script {
    pub(crate) actions: Vec<Action>,
    pub(crate) status: u16,
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "options {}", self.options)?;
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "\n{number:>3}. {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.before {
            Before::Nothing => {}
            Before::Options(options) => write!(f, "with options {options}: ")?,
            before => write!(f, "after {before:?}: ")?,
        }
        write!(f, "{} with cookies {:?}", self.path, self.cookies)?;
        if let Some(proto) = self.proto {
            write!(f, ", by {proto:?}")?;
        }
        let actions = serde_json::to_string(&self.actions).map_err(|_| fmt::Error)?;
        write!(f, ": {actions}, answered with {}", self.status)
    }
}
