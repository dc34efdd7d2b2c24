//! What the functions of this crate do to a session, over the memory store. `tests/shop` has the same beside the npm
//! packages.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod csrf;
mod flash;
mod guard;
mod logouts;
mod passport;
mod site;
