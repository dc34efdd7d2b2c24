//! `compat/express`, the npm package that keeps Express from losing writes.

#![allow(clippy::print_stdout, reason = "a test tells what it has counted")]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod cases;
mod package;
mod program;
mod races;
mod sites;
