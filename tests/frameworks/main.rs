//! The layer's behaviour in other frameworks: the cases of `crates/cloakroom-tower/tests/layer`, each through
//! actix-web, and what only several workers, or Express beside them, show. And tower-sessions, whose layer and stores
//! work with ours.
//!
//! A case sends requests by `Site`, which calls `crate::serve::serve`: there it is tower's, and here that of actix-web.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]
#![allow(clippy::future_not_send, reason = "a request stays on its worker")]
#![allow(dead_code, reason = "the cases of the layer that are not run here use the rest")]

mod express;
mod passport;
mod serve;
mod server;
mod tower_sessions;
mod workers;

#[path = "../../crates/cloakroom-tower/tests/layer"]
mod layer {
    pub(crate) mod cookies;
    pub(crate) mod dead_cookies;
    pub(crate) mod express;
    pub(crate) mod failed;
    pub(crate) mod late;
    pub(crate) mod life;
    pub(crate) mod limits;
    pub(crate) mod log;
    pub(crate) mod new_ids;
    pub(crate) mod newer_cookies;
    pub(crate) mod next_session;
    pub(crate) mod reading;
    pub(crate) mod site;
    pub(crate) mod testing;
    pub(crate) mod unavailable;
    pub(crate) mod unfinished;
    pub(crate) mod whole;
    pub(crate) mod writing;
}

use layer::{log, site};
