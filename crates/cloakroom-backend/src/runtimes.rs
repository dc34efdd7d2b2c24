//! The runtime that an operation is on, and whether it has what the operation needs.

use std::sync::{Mutex, PoisonError};

use cloakroom_core::{Error, ErrorKind};
use tokio::runtime::{Handle, Id};

use crate::{
    Operation,
    drivers::{has_io, has_time},
};

/// How many runtimes are remembered. A program has one or two; its tests have hundreds, one after the other.
const MOST: usize = 64;

/// What a runtime has to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// Timers.
    Time,
    /// Timers and sockets.
    TimeAndIo,
}

impl Needs {
    /// Returns the runtime that the caller is on, if it has all that is needed.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) outside of a runtime, and on a runtime that lacks a driver.
    pub fn check(self, operation: &Operation) -> Result<Handle, Error> {
        let runtime = current(operation)?;
        let message = if !has_time() {
            "the tokio runtime has no time driver: build it with enable_time or enable_all"
        } else if self == Self::TimeAndIo && !has_io() {
            "the tokio runtime has no I/O driver: build it with enable_io or enable_all"
        } else {
            return Ok(runtime);
        };
        Err(operation.error(ErrorKind::Config, message))
    }
}

fn current(operation: &Operation) -> Result<Handle, Error> {
    Handle::try_current().map_err(|_| {
        operation.error(ErrorKind::Config, "must be called from within a tokio runtime")
    })
}

/// The runtimes that turned out to have all that is needed.
#[derive(Debug)]
pub struct Runtimes {
    needs: Needs,
    known: Mutex<Vec<Id>>,
}

impl Runtimes {
    /// No runtime is known yet.
    #[must_use]
    pub fn new(needs: Needs) -> Self {
        Self { needs, known: Mutex::default() }
    }

    /// Returns the runtime that the caller is on. One that is not known yet is [checked](Needs::check).
    ///
    /// # Errors
    ///
    /// As [`Needs::check`].
    pub fn current(&self, operation: &Operation) -> Result<Handle, Error> {
        let runtime = current(operation)?;
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known().contains(&runtime.id()) {
            self.needs.check(operation)?;
            let mut known = known();
            if known.len() == MOST {
                known.clear();
            }
            known.push(runtime.id());
        }
        Ok(runtime)
    }
}
