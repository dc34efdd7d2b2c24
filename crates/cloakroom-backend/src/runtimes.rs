//! The runtime of an operation, and whether it has the drivers that the operation needs.
//!
//! A store can be used on several runtimes, such as a store in a `static` that each `#[tokio::test]` uses on its own.

use std::sync::{Mutex, PoisonError};

use cloakroom_core::{Error, ErrorKind};
use tokio::runtime::{Handle, Id};

use crate::{
    Operation,
    drivers::{has_io, has_time},
};

/// The number of runtimes that are remembered. A program has one or two; its tests have hundreds, one after another.
const MOST: usize = 64;

/// The drivers that a runtime must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// Timers.
    Time,
    /// Timers and sockets.
    TimeAndIo,
}

impl Needs {
    /// Returns the caller's runtime if it has these drivers.
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

/// Remembers the runtimes that have the required drivers, so that each is checked only once.
#[derive(Debug)]
pub struct Runtimes {
    needs: Needs,
    known: Mutex<Vec<Id>>,
}

impl Runtimes {
    /// Creates an empty memory.
    #[must_use]
    pub fn new(needs: Needs) -> Self {
        Self { needs, known: Mutex::default() }
    }

    /// Returns the caller's runtime. If it is not known yet, it is [checked](Needs::check) first.
    ///
    /// # Errors
    ///
    /// As for [`Needs::check`].
    pub fn current(&self, operation: &Operation) -> Result<Handle, Error> {
        let runtime = current(operation)?;
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known().contains(&runtime.id()) {
            self.needs.check(operation)?;
            let mut known = known();
            // Ids of runtimes that have ended stay in the list, and nothing says which these are. Checking again is
            // cheap.
            if known.len() == MOST {
                known.clear();
            }
            known.push(runtime.id());
        }
        Ok(runtime)
    }
}
