//! What the runtime of this thread can do.

use std::{
    net::{Ipv4Addr, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::runtime::Handle;

/// Returns true if timers work here. Tokio 1.54 can be asked in no other way: it panics where they do not.
pub(crate) fn has_time() -> bool {
    Handle::try_current().is_ok()
        && catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

/// Returns true if sockets work here.
pub(crate) fn has_io() -> bool {
    // On a machine that has no socket to spare, connecting tells what is wrong.
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else { return true };
    let tried = socket.set_nonblocking(true).map(|()| {
        // Nothing is sent on it.
        catch_unwind(AssertUnwindSafe(|| drop(tokio::net::UdpSocket::from_std(socket)))).is_ok()
    });
    tried.unwrap_or(true)
}
