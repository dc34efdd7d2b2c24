//! The layer as a browser and a store see it: what is asked of the store, and what is sent.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod bench;
mod bounds;
#[cfg(feature = "axum")]
mod composing;
mod contention;
mod cookies;
mod counting;
mod dead_cookies;
mod dropped;
mod events;
mod express;
#[cfg(feature = "axum")]
mod extractors;
mod failed;
mod guard;
mod guard_places;
mod handles;
mod histories;
mod late;
mod late_logouts;

mod life;
mod limits;
mod log;
mod meeting;
mod nested;
mod new_ids;
mod new_session;
mod newer_cookies;
mod next_session;
mod on_demand;
mod options;
mod orders;
mod reading;
mod serve;
mod siblings;
mod site;
mod steps;
mod testing;
mod unavailable;
mod unfinished;
mod unset;
mod whole;
mod writing;
