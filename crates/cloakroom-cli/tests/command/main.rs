//! What the command prints and how it ends: tables of cases, run with the built program.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod arguments;
mod check;
mod cookies;
mod copy;
mod failing;
mod interrupted;
mod node;
mod runner;
mod sessions;
mod sql;

use std::time::Duration;

use cloakroom::{ExpressSession, SessionData};

/// A runtime for what a test asks a store itself.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn open(url: &str) -> ExpressSession {
    cloakroom::open(url).unwrap()
}

/// Stores sessions of two users: `sid-0` to `sid-9`, of which every third is user 42's.
fn plant(url: &str) {
    block_on(async {
        let sessions = open(url);
        for number in 0..10 {
            let user = if number % 3 == 0 { 42 } else { 7 };
            let text = format!(
                r#"{{"cookie":{{"originalMaxAge":null,"expires":null,"path":"/"}},"passport":{{"user":{user}}},"n":1.0}}"#
            );
            let mut session = SessionData::from_json(text).unwrap();
            session.set_max_age(Duration::from_secs(3_600), now_ms()).unwrap();
            sessions.set(&format!("sid-{number}"), &session).await.unwrap();
        }
    });
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
