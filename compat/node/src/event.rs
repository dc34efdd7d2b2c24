//! What happens beside the calls.

use cloakroom_core::Error;

/// Something that happened to the child process or to the store in it;
/// see [`on_event`](crate::NodeStoreBuilder::on_event).
///
/// No event has an id, a secret or session data in it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum NodeEvent<'a> {
    /// The child process runs, and its store can be called.
    Started,
    /// The child process has ended or was ended, or could not be started. It is started again.
    Ended(&'a Error),
    /// The store has emitted `connect`.
    Connect,
    /// The store has emitted `disconnect`. express-session serves requests without a session until it emits `connect`.
    Disconnect,
    /// The store has emitted `error`, or has answered a call a second time.
    Failed(&'a Error),
}
