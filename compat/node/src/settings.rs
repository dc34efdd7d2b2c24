//! What a store is made of: the builder's values, once they are checked.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use cloakroom_core::{Error, ErrorKind};

use crate::{event::NodeEvent, operation::Operation};

/// How the methods of a store answer; see [`style`](crate::NodeStoreBuilder::style).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeStyle {
    /// By the callback, or by the promise that a method returns if its `length` has no parameter for a callback. A promise
    /// without a value does not count if the method can take a callback after all, as `async get(sid, done = noop)` can.
    #[default]
    Auto,
    /// By the callback alone. A promise that a method returns only counts if it is rejected.
    Callbacks,
    /// By what they return, or the promise that they return. They get no callback.
    Promises,
}

impl NodeStyle {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Callbacks => "callbacks",
            Self::Promises => "promises",
        }
    }
}

pub(crate) type OnEvent = Arc<dyn Fn(NodeEvent<'_>) + Send + Sync>;

/// What a child is started with.
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) node: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
    /// The content of the first frame, as JSON.
    pub(crate) start: String,
    pub(crate) deadline: Duration,
    pub(crate) start_deadline: Duration,
    pub(crate) max_record: u64,
    pub(crate) most_calls: usize,
    pub(crate) most_bytes: usize,
    pub(crate) shows_output: bool,
    pub(crate) on_event: Option<OnEvent>,
}

impl Settings {
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        operation: Operation,
        message: impl Into<String>,
    ) -> Error {
        Error::new(kind, self.name.clone(), operation.name(), message.into())
    }
}

// The environment and the options may have passwords.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("name", &self.name).finish_non_exhaustive()
    }
}
