//! What was recorded of the npm packages is replayed without a failure, and a recording that was changed is not.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod encryption;
mod file;
mod lifecycle;
mod logins;
mod logins_seals;
mod memcached;
mod middlewares;
mod mongodb;
mod names;
mod redis;
mod sql;
mod vectors;
