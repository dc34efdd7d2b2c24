//! The npm packages and ours on one backend, with one cookie: what one side writes the other reads, changes and ends.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod authjs;
mod authjs_adapters;
mod authjs_paths;
mod cases;
mod encryption;
mod express_app;
mod file;
mod login_tables;
mod memcached;
mod memcached_ring;
mod mongodb;
mod next_site;
mod other_sites;
mod redis;
mod seals;
mod sql;
