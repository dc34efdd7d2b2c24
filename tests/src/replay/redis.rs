//! Kind `redis`: records of connect-redis in a real Redis, read and written by `RedisStore`.
//!
//! For each session of each version, the raw bytes go into an empty database. The session is read, and nothing may be
//! lost. It is written with the recorded clock, and the key, the bytes and the time to live must be the recorded ones.
//! If the file has the code that made the session, the same session is built in Rust. Its record and its time to live
//! must be the recorded ones, before and after it is written.

mod bench;
pub(super) mod refused;
mod rule;

use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_core::SessionData;

use self::{
    bench::Bench,
    rule::{Options, Version},
};
use super::{
    Kind, Outcome, Report, not_applicable,
    report::Checks,
    script::{Described, Sessions, Undescribed},
};
use crate::json::Json;

pub(super) const KIND: Kind =
    Kind { name: "redis", about: "what connect-redis stored (starts a Redis of its own)", replay };

fn replay(file: &Json, report: &mut Report) {
    let Some(now_ms) = file.get("now_ms").and_then(Json::number) else { return };
    let now_ms = now_ms as i64;
    let stores = file.get("stores").map_or(&[][..], Json::items);
    let rows = |store: &'_ Json| store.get("sessions").map_or(&[][..], Json::items).to_vec();
    let all: Vec<Json> = stores.iter().flat_map(rows).collect();
    let mut sessions = match Sessions::of(all.iter(), now_ms) {
        Ok(sessions) => sessions,
        Err(error) => return report.add("node", Outcome::failed("start", "Node.js", error)),
    };
    let mut bench = match Bench::start(now_ms) {
        Ok(bench) => bench,
        Err(error) => {
            return report.add("redis-server", Outcome::failed("start", "a server", error));
        }
    };
    for store in stores {
        let label = store.get("store").and_then(Json::text).unwrap_or_default();
        for row in rows(store) {
            let name = row.get("name").and_then(Json::text).unwrap_or_default();
            let session = sessions.get(&name);
            let outcome = check(&row, store, stores, session, &mut bench, now_ms);
            report.add(
                format!("{label} {name}"),
                outcome.unwrap_or_else(|| {
                    Outcome::failed(
                        "form of the row",
                        "sid, key, ttl_sent and value_b64, with options that connect-redis has",
                        row.stringify(),
                    )
                }),
            );
        }
    }
}

/// Checks a row. Returns `None` if it or its store is malformed.
fn check(
    row: &Json,
    store: &Json,
    stores: &[Json],
    session: Option<Result<Described, Undescribed>>,
    bench: &mut Bench,
    now_ms: i64,
) -> Option<Outcome> {
    let (version, options) = (Version::of(store)?, Options::of(store)?);
    let (session, unbound) = match session {
        Some(Ok(session)) => (Some(session), false),
        Some(Err(Undescribed::Failed(error))) => {
            return Some(Outcome::failed("code of the session", "a session", error));
        }
        Some(Err(Undescribed::Unbound)) => (None, true),
        None => (None, false),
    };
    if let Some(reason) = not_applicable::of_session(row, session.as_ref()) {
        return Some(Outcome::NotApplicable(reason));
    }
    let mut checks = Checks::default();
    if let Some(session) = &session {
        rule::check(row, session, version, &options, now_ms, &mut checks)?;
    }
    if row.get("stored") == Some(&Json::Bool(false)) {
        let key = row.get("key")?.text()?;
        let outcome = bench.refused(&row.get("sid")?.text()?, &key, &session?, &options, checks);
        return Some(outcome.unwrap_or_else(|error| redis_failed(&error)));
    }
    let recorded = recorded(row, version, stores)?;
    let outcome = bench.check(&recorded, session.as_ref(), &options, checks);
    Some(match outcome.unwrap_or_else(|error| redis_failed(&error)) {
        Outcome::Passed if unbound => Outcome::NotApplicable(not_applicable::UNBOUND),
        outcome => outcome,
    })
}

fn redis_failed(error: &redis::RedisError) -> Outcome {
    Outcome::failed("Redis", "an answer", error.to_string())
}

/// A session as a version of connect-redis stored it.
#[derive(Clone)]
struct Recorded {
    version: Version,
    sid: String,
    key: String,
    bytes: Vec<u8>,
    /// The time to live in seconds, by the rules of this version and of the newest one in the file. `None` means no
    /// expiry.
    ttl: Option<i64>,
    newest_ttl: Option<i64>,
}

fn recorded(row: &Json, version: Version, stores: &[Json]) -> Option<Recorded> {
    let name = row.get("name")?.text()?;
    let others: Vec<&Json> = stores
        .iter()
        .flat_map(|store| store.get("sessions").into_iter().flat_map(Json::items))
        .filter(|other| is_named(other, &name))
        .collect();
    // The file does not repeat values that are equal to those of the first store.
    let value =
        row.get("value_b64").or_else(|| others.iter().find_map(|other| other.get("value_b64")))?;
    let bytes = BASE64_STANDARD.decode(value.text()?).ok()?;
    if row.get("bytes").is_some_and(|length| length.number() != Some(bytes.len() as f64)) {
        return None;
    }
    let ttl = match row.get("ttl_sent")? {
        Json::Null => None,
        seconds => Some(seconds.number()? as i64),
    };
    let newest = others.first().and_then(|newest| newest.get("ttl_sent")?.number());
    Some(Recorded {
        version,
        sid: row.get("sid")?.text()?,
        key: row.get("key")?.text()?,
        bytes,
        ttl,
        newest_ttl: newest.map(|seconds| seconds as i64),
    })
}

fn is_named(row: &Json, name: &str) -> bool {
    row.get("name").and_then(Json::text).as_deref() == Some(name)
}

/// Checks that every byte is preserved, and that every member is found under its name with its value.
pub(super) fn nothing_is_lost(session: &SessionData, text: &str, checks: &mut Checks) {
    checks.equal("what was read", text, session.loaded_json());
    let record = Json::parse(text).unwrap_or(Json::Null);
    let theirs = record.members().iter().filter(|(name, _)| name != "cookie");
    let mut theirs: Vec<_> = theirs.map(|(name, value)| (name.shown(), value.clone())).collect();
    let ours = session.iter().map(|member| (member.name().to_owned(), Json::parse(member.json())));
    let mut ours: Vec<_> = ours.filter_map(|(name, value)| Some((name, value.ok()?))).collect();
    theirs.sort_by(|(first, _), (second, _)| first.cmp(second));
    ours.sort_by(|(first, _), (second, _)| first.cmp(second));
    checks.equal("members", theirs, ours);
}

/// Returns the same session as if it had not been read from a store. connect's stores use the given cookie's expiry,
/// whereas ours extend a session that was read and whose cookie is unchanged.
pub(super) fn made_here(session: &SessionData) -> SessionData {
    SessionData::from_json(session.to_json().into_owned()).unwrap_or_else(|_| session.clone())
}

pub(super) fn members_without_cookie(text: &str) -> Vec<(String, Option<Json>)> {
    let record = Json::parse(text).unwrap_or(Json::Null);
    let members = record.members().iter().filter(|(name, _)| name != "cookie");
    members.map(|(name, value)| (format!("{name:?}"), Some(value.clone()))).collect()
}

pub(super) fn has_cookie(text: &str) -> bool {
    Json::parse(text)
        .ok()
        .and_then(|record| record.get("cookie").cloned())
        .is_some_and(|cookie| matches!(cookie, Json::Object(_)))
}
