//! Code that several threads run at once, compiled with the locks and threads of [`shuttle`], which tries many orders
//! of their steps: the queue of writers, the memory store, and the connection that a store's calls share.
//!
//! The files of the libraries are included as they stand. They ask for `std` and `tokio`, and this crate calls itself
//! so: its locks are shuttle's, and its runtimes can be ended by a test. So the code of the libraries does not know of
//! it.

// The tests and examples in the files that are included are run where they stand.
#![cfg(not(any(test, doctest)))]

extern crate self as std;
extern crate self as tokio;
extern crate std as real;

pub mod hash;
mod lazy;
#[macro_use]
mod local;
pub mod runtime;
pub mod sync;
pub mod task;

#[path = "../../../crates/cloakroom-core/src"]
mod core_files {
    pub(crate) mod memory;
    pub(crate) mod turn;
}
#[path = "../../../crates/cloakroom-backend/src"]
mod backend_files {
    pub(crate) mod shared;
}

pub use backend_files::shared::{Attempt, Connection, Joined, Shared, Start};
// What the memory store takes from its crate.
pub use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, Listed, MARKER_PREFIX, Revision,
    SessionData, Store, TimeToLive, Touched, Updated,
};
pub use core_files::{
    memory::{MemoryOptions, MemoryStore},
    turn::Turn,
};
pub use lazy::execution;
pub use real::{cell, collections, fmt, future, marker, mem, pin, time};
