//! The bounded mode, in front of a store in memory.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod age;
mod behind;
mod extending;
mod history;
mod interrupted;
mod listing;
mod markers;
mod migration;
mod space;
mod writing;

use std::time::Duration;

use behind::Behind;
use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::{Clock, SessionData};

const NOW: i64 = 1_700_000_000_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// A cache whose entries are used for an hour, which only the test lets pass, and the store behind it.
fn cached() -> (Cached, Behind, Clock) {
    let clock = Clock::fixed(NOW);
    let far = Behind::new(&clock);
    let options = CacheOptions::default().with_max_stale(HOUR).with_clock(clock.clone());
    (Cached::new(far.store(), options), far, clock)
}

/// A session that lives for a day.
fn session(text: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert("text", text).unwrap();
    session.cookie_mut().set_max_age_ms(Some(86_400_000), NOW).unwrap();
    session
}

fn text(session: Option<SessionData>) -> Option<String> {
    session.map(|session| session.get("text").unwrap().unwrap())
}
