//! The examples, run as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod browser;
mod clerk;
mod observe;
mod served;
mod swap_backends;
