//! Kind `file`: files of session-file-store, read and written by `FileStore`.
//!
//! For each session, the recorded text goes into an empty folder. The session is read until the time that
//! session-file-store gives it and not beyond, and nothing may be lost. A touch changes the time in the text and no
//! other byte, and a text that is cut off stays. The session is written with the recorded clock, and the text must be
//! the recorded one, or better. If the code that made the session is known, the same session is built in Rust, and its
//! text must be the recorded one.

mod bench;
mod record;

use std::{fs, path::Path};

use self::bench::{Bench, Options};
use super::{
    Kind, Outcome, Report, not_applicable,
    redis::refused,
    report::Checks,
    script::{Described, Given, Sessions, Undescribed},
};
use crate::json::Json;

pub(super) const KIND: Kind =
    Kind { name: "file", about: "what session-file-store stored", replay };

fn replay(file: &Json, report: &mut Report) {
    let Some(now_ms) = file.get("now_ms").and_then(Json::number) else { return };
    let now_ms = now_ms as i64;
    let label = |store: &Json| store.get("store").and_then(Json::text).unwrap_or_default();
    let stores = file.get("stores").map_or(&[][..], Json::items).iter();
    // The same file has the rows of stores in databases.
    let stores: Vec<&Json> =
        stores.filter(|store| label(store).starts_with("session-file-store ")).collect();
    let rows = |store: &'_ Json| store.get("sessions").map_or(&[][..], Json::items).to_vec();
    let all: Vec<Json> = stores.iter().copied().flat_map(rows).chain(with_code()).collect();
    let mut sessions = match Sessions::of(all.iter(), now_ms) {
        Ok(sessions) => sessions,
        Err(error) => return report.add("node", Outcome::failed("start", "Node.js", error)),
    };
    for store in stores {
        let label = label(store);
        let bench = Options::of(store).map(|options| Bench::start(options, now_ms));
        let Some(Ok(bench)) = bench else {
            let form = "options that session-file-store has, and a folder for them";
            report.add(label, Outcome::failed("form of the store", form, "others"));
            continue;
        };
        for row in rows(store) {
            let name = row.get("name").and_then(Json::text).unwrap_or_default();
            let outcome = check(&row, sessions.get(&name), &bench);
            report.add(
                format!("{label} {name}"),
                outcome.unwrap_or_else(|| {
                    Outcome::failed("form of the row", "name, set and raw", row.stringify())
                }),
            );
        }
    }
}

/// The rows of another fixture with the code of the same sessions, which is not repeated in this one.
fn with_code() -> Vec<Json> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/redis.json");
    let fixture = fs::read_to_string(fixture).ok().and_then(|text| Json::parse(&text).ok());
    let stores = fixture.as_ref().and_then(|fixture| fixture.get("stores"));
    let first = stores.and_then(|stores| stores.items().first()?.get("sessions"));
    first.map_or(&[][..], Json::items).to_vec()
}

/// Checks a row. Returns `None` if it is malformed.
fn check(
    row: &Json,
    session: Option<Result<Described, Undescribed>>,
    bench: &Bench,
) -> Option<Outcome> {
    let (described, unbound) = match session {
        Some(Ok(session)) => (Some(session), false),
        Some(Err(Undescribed::Failed(error))) => {
            return Some(Outcome::failed("code of the session", "a session", error));
        }
        Some(Err(Undescribed::Unbound)) => (None, true),
        None => (None, false),
    };
    let sid = match row.get("sid") {
        Some(sid) => sid.text()?,
        None => format!("gold-{}", row.get("name")?.text()?),
    };
    let outcome = match (row.get("raw")?, row.get("set")?.get("err")?) {
        (Json::Null, error) => not_stored(&sid, &error.text()?, described.as_ref(), bench),
        (raw, Json::Null) => bench.check(&sid, &raw.text()?, described.as_ref()),
        _ => return None,
    };
    Some(match outcome {
        Outcome::Passed | Outcome::PassedDifferently(_) if unbound => {
            Outcome::NotApplicable(not_applicable::UNBOUND)
        }
        outcome => outcome,
    })
}

/// Checks a session that session-file-store failed to store.
fn not_stored(sid: &str, error: &str, described: Option<&Described>, bench: &Bench) -> Outcome {
    if sid.contains(['/', '\0']) || error.starts_with("ENAMETOOLONG") {
        return bench.refuses(sid);
    }
    let mut checks = Checks::default();
    let nothing = |what: &str| format!("Cannot set properties of {what} (setting '__lastAccess')");
    match described.map(|described| (&described.value, described.throws.as_deref())) {
        None => Outcome::NotApplicable(not_applicable::NO_CODE),
        Some((value @ (Given::Null | Given::Undefined), _)) => {
            let what = if matches!(value, Given::Null) { "null" } else { "undefined" };
            checks.equal("error", nothing(what), error.to_owned());
            checks.outcome_or(Outcome::NotApplicable(not_applicable::NO_SESSION))
        }
        Some((_, throws)) => {
            checks.equal("error", throws, Some(error));
            refused::is_refused(&mut checks);
            checks.outcome()
        }
    }
}
