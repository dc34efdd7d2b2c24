//! `sql.json`: the rows that the npm stores keep in PostgreSQL, MariaDB and SQLite.

mod bench;

use std::collections::BTreeMap;

use cloakroom_core::SessionData;

use self::bench::{Bench, Row};
use super::{Kind, Outcome, Report, redis, report::Checks};
use crate::json::Json;

pub(super) const KIND: Kind =
    Kind { name: "sql", about: "the rows of eight npm stores on three databases", replay };

const SHORTENED: &str = "a text of which the file has the digest only";
const NO_SESSION: &str = "a value that cannot be a session";
const REPAIRED: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: the npm store writes it unchanged, here it gets a cookie",
);
const STORED: Outcome =
    Outcome::PassedDifferently("a session that the npm store refuses, and that is stored here");
const ENDED: Outcome = Outcome::PassedDifferently(
    "a session that is over: the npm store keeps it for up to a day, here it is destroyed",
);
const READ_AS_A_DATE: Outcome = Outcome::PassedDifferently(
    "a cookie that express-session has not made: here its expires counts as a text, too",
);
const WHOLE_SECONDS: Outcome = Outcome::PassedDifferently(
    "a life that connect-typeorm cuts to whole seconds: here it has its milliseconds",
);

const ROUNDED_UP: Outcome = Outcome::PassedDifferently(
    "a time that better-sqlite3-session-store reads in whole seconds: here it is rounded up to one",
);
const FAR: Outcome = Outcome::PassedDifferently(
    "an end about the year 10000: SQLite stops counting there, and PostgreSQL is some microseconds off",
);

/// The last millisecond of the year 9999.
const YEAR_9999_MS: i64 = 253_402_300_799_999;

fn replay(file: &Json, report: &mut Report) {
    let stores = file.get("stores").map(Json::items).unwrap_or_default();
    let texts = texts(stores);
    for store in stores {
        let id = store.get("id").and_then(Json::text).unwrap_or_default();
        for (list, clock) in [("sessions", "now_ms"), ("edges", "edges_now_ms")] {
            let Some(now_ms) = file.get(clock).and_then(Json::number) else { continue };
            let rows = store.get(list).map(Json::items).unwrap_or_default();
            let mut bench = Bench::start(store, now_ms as i64);
            for row in rows {
                let name = row.get("name").and_then(Json::text).unwrap_or_default();
                let outcome = match &mut bench {
                    Ok(bench) => check(bench, row, &name, &texts),
                    Err(error) => Outcome::failed("start", "a store", error.clone()),
                };
                report.add(format!("{id} {name}"), outcome);
            }
        }
    }
}

/// The text of each session, by its name, of the first store that stored it.
fn texts(stores: &[Json]) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for store in stores {
        for row in
            ["sessions", "edges"].iter().filter_map(|list| store.get(list)).flat_map(Json::items)
        {
            let name = row.get("name").and_then(Json::text);
            let data = row.get("row").and_then(|row| column(store, row, "data"));
            if let (Some(name), Some(text)) = (name, data.and_then(Json::text)) {
                texts.entry(name).or_insert(text);
            }
        }
    }
    texts
}

/// The column of a row that has this role.
fn column<'a>(store: &Json, row: &'a Json, role: &str) -> Option<&'a Json> {
    row.get(&store.get("columns")?.get(role)?.text()?)
}

fn check(bench: &mut Bench, entry: &Json, name: &str, texts: &BTreeMap<String, String>) -> Outcome {
    let row = entry.get("row").filter(|row| matches!(row, Json::Object(_)));
    let Some(row) = row else {
        return match texts.get(name) {
            Some(text) => refused(bench, name, text),
            None => Outcome::NotApplicable(NO_SESSION),
        };
    };
    let Some((sid, text, expected)) = bench.expected(row) else {
        return Outcome::NotApplicable(SHORTENED);
    };
    let session = match SessionData::from_json(&*text) {
        Ok(session) => session,
        Err(error) => return Outcome::failed("text", "a session", error.to_string()),
    };
    let written = match bench.write(&sid, &session) {
        Ok(written) => written,
        Err(error) => return Outcome::failed("set", "a row", error),
    };
    let mut checks = Checks::default();
    let ends_ms = bench.ends_ms(&session);
    let Some(written) = written else {
        checks.holds("only a session that is over is not stored", ends_ms <= bench.now_ms);
        return checks.outcome_or(ENDED);
    };
    let mut outcome = Outcome::Passed;
    if redis::has_cookie(&text) {
        checks.equal("text", &*text, &*written.text);
    } else {
        let members = redis::members_without_cookie;
        checks.equal("members", members(&text), members(&written.text));
        checks.holds("the record has a cookie now", redis::has_cookie(&written.text));
        outcome = REPAIRED;
    }
    if written.expiry != expected {
        let differs = difference(bench, name, &written, &expected, ends_ms);
        match differs {
            Some(known) => outcome = known,
            None => checks.equal("expiry", expected, written.expiry.clone()),
        }
    }
    match bench.read(&sid) {
        Ok(Some(read)) => redis::nothing_is_lost(&read, &written.text, &mut checks),
        Ok(None) => checks.holds("a row that is not read is over", ends_ms <= bench.now_ms + 1_000),
        Err(error) => return Outcome::failed("get", "the session", error),
    }
    checks.outcome_or(outcome)
}

/// Why our expiry may differ from the recorded one. `None` if it may not.
fn difference(
    bench: &Bench,
    name: &str,
    written: &Row,
    expected: &str,
    ends_ms: i64,
) -> Option<Outcome> {
    if ends_ms > YEAR_9999_MS - 1_000 && written.expiry_ms > YEAR_9999_MS - 1_000 {
        return Some(FAR);
    }
    // Whatever the column rounds to, the row ends when the cookie says.
    // Each of the two is off by less than a second.
    let is_ours = (written.expiry_ms - ends_ms).abs() < 2_000;
    if !is_ours {
        return None;
    }
    if name.starts_with("plain-") || name.starts_with("cookie-reloaded") || name == "no-cookie" {
        return Some(READ_AS_A_DATE);
    }
    match &*bench.package {
        "connect-typeorm" => {
            let theirs_ms: i64 = expected.split(' ').next()?.parse().ok()?;
            (0..1_000).contains(&(written.expiry_ms - theirs_ms)).then_some(WHOLE_SECONDS)
        }
        "better-sqlite3-session-store" => {
            // Up to the next second, and no further.
            let is_next = written.expiry.contains(".000Z") && written.expiry.as_str() > expected;
            is_next.then_some(ROUNDED_UP)
        }
        _ => None,
    }
}

/// A session that the npm store refused: here it is stored so that it can be read, or refused with an error.
fn refused(bench: &mut Bench, name: &str, text: &str) -> Outcome {
    let Ok(session) = SessionData::from_json(text) else {
        return Outcome::NotApplicable(NO_SESSION);
    };
    let sid = format!("refused-{}", &name[..name.len().min(20)]);
    let Ok(written) = bench.write(&sid, &session) else { return Outcome::Passed };
    let mut checks = Checks::default();
    match (written, bench.read(&sid)) {
        (Some(written), Ok(Some(read))) => {
            redis::nothing_is_lost(&read, &written.text, &mut checks);
        }
        (None, Ok(None)) => {}
        (_, Ok(_)) => checks.holds("what is stored can be read", false),
        (_, Err(error)) => return Outcome::failed("get", "the session", error),
    }
    checks.outcome_or(STORED)
}
