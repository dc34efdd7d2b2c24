//! The tokio runtime that a call is on, and whether it has what a call needs.

use std::{net::UdpSocket, panic::catch_unwind, time::Duration};

use cloakroom_core::{Error, ErrorKind};
use tokio::{
    runtime::{Handle, Id},
    time::sleep,
};

use crate::{call::Call, error};

/// Returns the runtime that this call is on.
pub(crate) fn current(call: &Call) -> Result<Id, Error> {
    let missing =
        |_| error::new(call, ErrorKind::Config, "must be called from within a tokio runtime");
    Handle::try_current().map(|handle| handle.id()).map_err(missing)
}

/// Refuses a runtime without timers: tokio panics where one is made.
pub(crate) fn check_time(call: &Call) -> Result<(), Error> {
    current(call)?;
    // Nothing else tells it: tokio has no way to ask a runtime for its drivers.
    catch_unwind(|| drop(sleep(Duration::ZERO))).map_err(|_| {
        let why = "the tokio runtime has no time driver: build it with enable_time or enable_all";
        error::new(call, ErrorKind::Config, why)
    })
}

/// Refuses a runtime without sockets: tokio panics where one is made.
pub(crate) fn check_io(call: &Call) -> Result<(), Error> {
    current(call)?;
    let probe = || {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_nonblocking(true)?;
        tokio::net::UdpSocket::from_std(socket).map(drop)
    };
    // That the system has no socket to spare is told by the connection that needs one.
    catch_unwind(probe).map(drop).map_err(|_| {
        let why = "the tokio runtime has no I/O driver: build it with enable_io or enable_all";
        error::new(call, ErrorKind::Config, why)
    })
}
