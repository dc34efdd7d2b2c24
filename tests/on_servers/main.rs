//! The handle and the layer on real servers: how many commands they send, and what they do when requests meet or the
//! server refuses.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod contention;
mod conveniences;
mod encryption_errors;
mod handle;
mod layer_commands;
mod limits;
mod memory;
mod migration;
mod raced_logouts;
mod redis_that_only_reads;
mod time_left;
mod timers;
