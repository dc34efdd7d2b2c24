//! What the fuzz targets do with an input.
//!
//! A target is a function of bytes that panics if a promise does not hold. `fuzz/` runs each under libFuzzer, and the
//! test `replay` runs all of them on their seeds and on changed seeds, without libFuzzer.

mod cookies;
mod encryption;
mod file;
mod logins;
mod memcached;
mod model;
#[cfg(feature = "mongodb")]
mod mongodb;
mod record;
mod redis;
mod runtime;
mod session;
mod sql;
mod targets;
mod urls;

pub use targets::{TARGETS, Target, run};
