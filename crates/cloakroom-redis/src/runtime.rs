//! The runtime that a call is on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use tokio::runtime::{Handle, Id};

use crate::{call::Call, error};

/// How many runtimes are remembered. A program has one or two; its tests have hundreds, one after the other.
const MOST: usize = 64;

/// What a runtime has to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Time,
    TimeAndIo,
}

/// The runtimes that turned out to have all that is needed.
#[derive(Debug)]
pub(crate) struct Runtimes {
    needs: Needs,
    known: Mutex<Vec<Id>>,
}

impl Runtimes {
    pub(crate) fn new(needs: Needs) -> Self {
        Self { needs, known: Mutex::default() }
    }

    /// The runtime that the caller is on.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) outside of a runtime, and on a runtime that lacks a driver.
    pub(crate) fn current(&self, call: &Call) -> Result<Handle, Error> {
        let config = |message: &str| error::new(call, ErrorKind::Config, message);
        let Ok(runtime) = Handle::try_current() else {
            return Err(config("must be called from within a tokio runtime"));
        };
        let id = runtime.id();
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&id) {
            return Ok(runtime);
        }
        if !has_time() {
            return Err(config(
                "the tokio runtime has no time driver: build it with enable_time or enable_all",
            ));
        }
        if self.needs == Needs::TimeAndIo && !has_io() {
            return Err(config(
                "the tokio runtime has no I/O driver: build it with enable_io or enable_all",
            ));
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == MOST {
            known.clear();
        }
        known.push(id);
        Ok(runtime)
    }
}

/// Whether timers work here. Tokio can be asked in no other way: it panics where they do not.
fn has_time() -> bool {
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

/// Whether sockets work here.
fn has_io() -> bool {
    let Ok(socket) = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)) else {
        // Then connecting tells what is wrong.
        return true;
    };
    let tried = socket.set_nonblocking(true).map(|()| {
        catch_unwind(AssertUnwindSafe(|| drop(tokio::net::UdpSocket::from_std(socket)))).is_ok()
    });
    tried.unwrap_or(true)
}
