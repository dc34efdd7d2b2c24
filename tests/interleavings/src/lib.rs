//! The queue of writers, compiled with the locks and threads of [`shuttle`], which tries many orders of their steps.
//!
//! `turn.rs` of `cloakroom-core` is included as it stands. It asks for `std`, and this crate calls itself so: what it has
//! in the place of `std::sync` and `thread_local!` is shuttle's. So the code of the library does not know of it.

// The tests and examples in the file that is included are run where it stands.
#![cfg(not(any(test, doctest)))]
#![no_std]

extern crate self as std;
extern crate std as real;

mod lazy;
#[macro_use]
mod local;
pub mod sync;
#[path = "../../../crates/cloakroom-core/src/turn.rs"]
mod turn;

pub use lazy::execution;
pub use real::{cell, collections, fmt, future, hash, marker, mem, pin, task, time};
pub use turn::Turn;
