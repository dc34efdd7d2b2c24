//! What an operator sees, compared with the tables of `docs/observability.md`: each event and each metric in a situation
//! that causes it, and no id, secret or value in any of them.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod collector;
mod operations;
mod servers;
mod sessions;
mod tables;
