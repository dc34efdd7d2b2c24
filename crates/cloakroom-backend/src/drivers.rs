//! Finds out what the runtime of this thread supports.
//!
//! tokio panics if a timer or a socket is used on a runtime without them. A library must not panic for a mistake in the
//! caller's set-up, so this asks first, and the caller gets an error that says what to enable.

use std::{
    cell::Cell,
    net::{Ipv4Addr, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::runtime::{Handle, Id};

thread_local! {
    /// The last runtime of this thread in which timers worked. Finding that out costs ten times as much as comparing ids.
    static HAS_TIME: Cell<Option<Id>> = const { Cell::new(None) };
}

/// Returns true if timers work here. Tokio 1.54 offers no way to ask, but panics if they do not.
pub(crate) fn has_time() -> bool {
    let Ok(runtime) = Handle::try_current() else { return false };
    let is_known = HAS_TIME.get() == Some(runtime.id());
    if !is_known && catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
        return false;
    }
    HAS_TIME.set(Some(runtime.id()));
    true
}

/// Returns true if sockets work here.
pub(crate) fn has_io() -> bool {
    // If no socket can be created, the later attempt to connect reports why.
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else { return true };
    let tried = socket.set_nonblocking(true).map(|()| {
        // The socket only shows whether tokio panics. Nothing is sent on it.
        catch_unwind(AssertUnwindSafe(|| drop(tokio::net::UdpSocket::from_std(socket)))).is_ok()
    });
    tried.unwrap_or(true)
}
