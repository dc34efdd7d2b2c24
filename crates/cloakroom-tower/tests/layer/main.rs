//! The layer as a browser and a store see it: what is asked of the store, and what is sent.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod bench;
mod bounds;
mod contention;
mod cookies;
mod counting;
mod down;
mod express;
#[cfg(feature = "axum")]
mod extractors;
mod guard;
mod handles;
mod histories;
mod log;
mod meeting;
mod new_ids;
mod next_session;
mod options;
mod reading;
mod site;
mod writing;
