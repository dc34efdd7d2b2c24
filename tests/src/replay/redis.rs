//! Kind `redis`: what connect-redis stored, put into a real Redis, read and written by `RedisStore`.
//!
//! For each session of each version: the raw bytes go into an empty database; the session is read, and nothing may be
//! lost; it is written with the recorded clock, and the key, the bytes and the time to live must be those recorded.

use std::time::Instant;

use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_core::{Clock, Session, Store};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_support::RedisServer;
use redis::{Commands, Connection, RedisResult};
use tokio::runtime::Runtime;

use super::{Kind, Outcome, Report, not_applicable, report::Checks};
use crate::json::Json;

pub(super) const KIND: Kind =
    Kind { name: "redis", about: "what connect-redis stored (starts a Redis of its own)", replay };

const MENDED: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: connect-redis writes it again as it is, here it is mended",
);
const NEWER_TTL: Outcome = Outcome::PassedDifferently(
    "a time to live of connect-redis 3, which counts down to the last second and reads no plain cookie: here it is that of 4 to 10",
);

fn replay(file: &Json, report: &mut Report) {
    let Some(now_ms) = file.get("now_ms").and_then(Json::number) else { return };
    let stores = file.get("stores").map_or(&[][..], Json::items);
    let mut bench = match Bench::start(now_ms as i64) {
        Ok(bench) => bench,
        Err(error) => {
            return report.add("redis-server", Outcome::failed("start", "a server", error));
        }
    };
    for store in stores {
        let version = store.get("store").and_then(Json::text).unwrap_or_default();
        let prefix = store.get("prefix").and_then(Json::text).unwrap_or_default();
        for row in store.get("sessions").map_or(&[][..], Json::items) {
            let name = row.get("name").and_then(Json::text).unwrap_or_default();
            let outcome = match not_applicable::of_vector("redis", row) {
                Some(reason) => Outcome::NotApplicable(reason),
                None => match recorded(row, &version, stores) {
                    Some(recorded) => bench.check(&recorded, &prefix).unwrap_or_else(|error| {
                        Outcome::failed("Redis", "an answer", error.to_string())
                    }),
                    None => Outcome::failed(
                        "form of the row",
                        "sid, key, ttl_sent and value_b64",
                        row.stringify(),
                    ),
                },
            };
            report.add(format!("{version} {name}"), outcome);
        }
    }
}

/// A session as a version of connect-redis stored it.
struct Recorded {
    sid: String,
    key: String,
    bytes: Vec<u8>,
    /// The time to live in seconds, by this version's rule and by that of the newest in the file.
    ttl: u64,
    newest_ttl: Option<u64>,
    before_version_4: bool,
}

fn recorded(row: &Json, version: &str, stores: &[Json]) -> Option<Recorded> {
    let name = row.get("name")?.text()?;
    let same = |store: &'_ &Json| {
        store.get("sessions").into_iter().flat_map(Json::items).any(|other| is_named(other, &name))
    };
    let others: Vec<&Json> = stores
        .iter()
        .filter(|store| same(store))
        .flat_map(|store| store.get("sessions").into_iter().flat_map(Json::items))
        .filter(|other| is_named(other, &name))
        .collect();
    // Values that are equal to those of the first store are not repeated in the file.
    let value =
        row.get("value_b64").or_else(|| others.iter().find_map(|other| other.get("value_b64")))?;
    let seconds = |row: &Json| Some(row.get("ttl_sent")?.number()? as u64);
    let major = version
        .rsplit_once(' ')
        .and_then(|(_, number)| number.split('.').next()?.parse::<u32>().ok());
    Some(Recorded {
        sid: row.get("sid")?.text()?,
        key: row.get("key")?.text()?,
        bytes: BASE64_STANDARD.decode(value.text()?).ok()?,
        ttl: seconds(row)?,
        newest_ttl: others.first().and_then(|newest| seconds(newest)),
        before_version_4: major.is_some_and(|major| major < 4),
    })
}

fn is_named(row: &Json, name: &str) -> bool {
    row.get("name").and_then(Json::text).as_deref() == Some(name)
}

/// A Redis of its own, and a clock that stands where the recording's stood.
struct Bench {
    server: RedisServer,
    raw: Connection,
    runtime: Runtime,
    clock: Clock,
}

impl Bench {
    fn start(now_ms: i64) -> Result<Self, String> {
        let server = RedisServer::start().map_err(|error| error.to_string())?;
        let raw = redis::Client::open(server.url())
            .and_then(|client| client.get_connection())
            .map_err(|error| error.to_string())?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        Ok(Self { server, raw, runtime, clock: Clock::fixed(now_ms) })
    }

    fn check(&mut self, recorded: &Recorded, prefix: &str) -> RedisResult<Outcome> {
        let mut options = RedisOptions::default();
        options.prefix = prefix.to_owned();
        options.clock = self.clock.clone();
        let _entered = self.runtime.enter();
        let store = match RedisStore::open_with(&self.server.url(), options) {
            Ok(store) => store,
            Err(error) => return Ok(Outcome::failed("open", "a store", error.to_string())),
        };

        redis::cmd("FLUSHDB").exec(&mut self.raw)?;
        let () = self.raw.set(&recorded.key, &recorded.bytes)?;
        let session = match self.runtime.block_on(store.get(&recorded.sid)) {
            Ok(session) => session,
            Err(error) => return Ok(Outcome::failed("get", "a session", error.to_string())),
        };
        let text = String::from_utf8_lossy(&recorded.bytes).into_owned();
        let Some(session) = session else {
            // express-session takes every falsy value for "no session".
            let mut checks = Checks::default();
            checks.holds(
                "a record that Express takes for none",
                ["", "null", "0", "false", "\"\""].contains(&&*text),
            );
            return Ok(checks.outcome());
        };
        let mut checks = Checks::default();
        nothing_is_lost(&session, &text, &mut checks);

        redis::cmd("FLUSHDB").exec(&mut self.raw)?;
        let started = Instant::now();
        if let Err(error) = self.runtime.block_on(store.set(&recorded.sid, &session)) {
            return Ok(Outcome::failed("set", "an answer", error.to_string()));
        }
        let keys: Vec<String> = self.raw.keys("*")?;
        checks.equal("keys", vec![recorded.key.clone()], keys);
        let written: Vec<u8> = self.raw.get(&recorded.key)?;
        let lives_ms: i64 = self.raw.pttl(&recorded.key)?;
        let passed_ms = started.elapsed().as_millis() as i64 + 1;

        let mut outcome = Outcome::Passed;
        let written = String::from_utf8_lossy(&written).into_owned();
        if has_cookie(&text) {
            checks.equal("bytes", &text, &written);
        } else {
            checks.equal(
                "members",
                members_without_cookie(&text),
                members_without_cookie(&written),
            );
            checks.holds("the record has a cookie now", has_cookie(&written));
            outcome = MENDED;
        }
        let lives_for = |seconds: u64| {
            (seconds as i64 * 1_000 - passed_ms..=seconds as i64 * 1_000).contains(&lives_ms)
        };
        let newest = recorded.newest_ttl.filter(|_| recorded.before_version_4);
        if !lives_for(recorded.ttl) && newest.is_some_and(lives_for) {
            outcome = NEWER_TTL;
        } else if !lives_for(recorded.ttl) {
            checks.equal("time to live", format!("{} s", recorded.ttl), format!("{lives_ms} ms"));
        }
        Ok(checks.outcome_or(outcome))
    }
}

/// Every byte is there, and every member is found under its name with its value.
pub(super) fn nothing_is_lost(session: &Session, text: &str, checks: &mut Checks) {
    checks.equal("what was read", text, session.loaded_json());
    let ours = session
        .iter()
        .map(|member| (Json::from(member.name()).stringify(), Json::parse(member.json())));
    let ours: Vec<_> = ours.map(|(name, value)| (unescaped(&name), value.ok())).collect();
    let theirs: Vec<_> = members_without_cookie(text);
    let sorted = |mut members: Vec<(String, Option<Json>)>| {
        members.sort_by(|(first, _), (second, _)| first.cmp(second));
        members
    };
    checks.equal("members", sorted(theirs), sorted(ours));
}

/// A member's name shows half a surrogate pair as its escape, which is escaped once more when it is printed.
fn unescaped(name: &str) -> String {
    name.replace("\\\\ud", "\\ud")
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
