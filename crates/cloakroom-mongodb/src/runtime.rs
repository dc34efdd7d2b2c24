//! The runtime that a call is made on, and what it must have.

use std::{
    net::{Ipv4Addr, UdpSocket},
    panic::catch_unwind,
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use tokio::runtime::Handle;

use crate::{call::Call, error};

/// Returns the runtime of this call.
///
/// # Errors
///
/// The error is `Config` outside of a runtime.
pub(crate) fn current(call: &Call) -> Result<Handle, Error> {
    Handle::try_current().map_err(|_| {
        error::new(call, ErrorKind::Config, "must be called from within a tokio runtime")
    })
}

/// Refuses the current runtime if it has no timers.
pub(crate) fn check_time(call: &Call) -> Result<(), Error> {
    // tokio has no way to ask: a timer panics as soon as it is made.
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).map_err(|_| {
        let message =
            "the tokio runtime has no time driver: build it with enable_time or enable_all";
        error::new(call, ErrorKind::Config, message)
    })
}

/// Refuses the current runtime if it has no I/O.
pub(crate) fn check_io(call: &Call) -> Result<(), Error> {
    // A machine that has no socket to spare is left to the driver.
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else { return Ok(()) };
    if socket.set_nonblocking(true).is_err() {
        return Ok(());
    }
    // As above. Nothing is sent on it.
    catch_unwind(|| drop(tokio::net::UdpSocket::from_std(socket))).map_err(|_| {
        let message = "the tokio runtime has no I/O driver: build it with enable_io or enable_all";
        error::new(call, ErrorKind::Config, message)
    })
}
