//! Kind `mongo`: records of connect-mongo in a real MongoDB, read and written by `MongoStore`.
//!
//! For each session of each version and option set, the raw document goes into an empty collection. The session is
//! read, and nothing may be lost. It is written with the recorded clock, over the document and without one, and every
//! byte must be the recorded one. If the file has the code that made the session, the same session is built in Rust.
//! The document that connect-mongo makes of it must then be the recorded one, and the document that `MongoStore` writes
//! as well.

mod bench;
mod document;
mod expected;
mod options;
mod refused;

use base64::{Engine, prelude::BASE64_STANDARD};

use self::{
    bench::Bench,
    options::{Options, Version},
};
use super::{
    Kind, Outcome, Report, not_applicable,
    script::{Described, Sessions, Undescribed},
};
use crate::json::Json;

pub(super) const KIND: Kind =
    Kind { name: "mongo", about: "what connect-mongo stored (starts a mongod of its own)", replay };

fn replay(file: &Json, report: &mut Report) {
    let Some(now_ms) = file.get("now_ms").and_then(Json::number) else { return };
    let stores = file.get("stores").map_or(&[][..], Json::items);
    if stores.is_empty() {
        return;
    }
    let now_ms = now_ms as i64;
    let mut described = match Sessions::of(stores.iter().flat_map(sessions), now_ms) {
        Ok(described) => described,
        Err(error) => return report.add("node", Outcome::failed("start", "Node.js", error)),
    };
    let bench = match Bench::start(now_ms) {
        Ok(bench) => bench,
        Err(error) => return report.add("mongod", Outcome::failed("start", "a server", error)),
    };
    for store in stores {
        let label = label(store);
        for row in sessions(store) {
            let name = row.get("name").and_then(Json::text).unwrap_or_default();
            let outcome = check(row, store, stores, described.get(&name), &bench);
            report.add(
                format!("{label} {name}"),
                outcome.unwrap_or_else(|| {
                    Outcome::failed(
                        "form of the row",
                        "sid, doc_bson_b64, doc_keys, expires_ms and what get returned, with options that connect-mongo has",
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
    described: Option<Result<Described, Undescribed>>,
    bench: &Bench,
) -> Option<Outcome> {
    let (described, unbound) = match described {
        Some(Ok(session)) => (Some(session), false),
        Some(Err(Undescribed::Failed(error))) => {
            return Some(Outcome::failed("code of the session", "a session", error));
        }
        Some(Err(Undescribed::Unbound)) => (None, true),
        None => (None, false),
    };
    let described = described.as_ref();
    if let Some(reason) = not_applicable::of_session(row, described) {
        return Some(Outcome::NotApplicable(reason));
    }
    let (version, options) = (Version::parse(store)?, Options::parse(store.get("options")?)?);
    let outcome = if row.get("stored") == Some(&Json::Bool(false)) {
        let error = row.get("set")?.get("err")?;
        bench.refused(&row.get("sid")?.text()?, described?, options, version, error)
    } else {
        bench.check(&recorded(row, store, stores, (version, options))?, described)
    };
    Some(match outcome {
        Ok(Outcome::Passed | Outcome::PassedDifferently(_)) if unbound => {
            Outcome::NotApplicable(not_applicable::UNBOUND)
        }
        Ok(outcome) => outcome,
        Err(error) => Outcome::failed("MongoDB", "an answer", error.to_string()),
    })
}

fn label(store: &Json) -> String {
    let text = |name| store.get(name).and_then(Json::text).unwrap_or_default();
    let options =
        store.get("options").map(|options| options.text().unwrap_or_else(|| options.stringify()));
    format!("{}, {}:", text("store"), options.unwrap_or_default())
}

fn sessions(store: &Json) -> &[Json] {
    store.get("sessions").map_or(&[][..], Json::items)
}

/// A session as connect-mongo stored it with these options.
struct Recorded {
    version: Version,
    options: Options,
    sid: String,
    document: Vec<u8>,
    /// The names of its fields.
    fields: Vec<String>,
    expires_ms: i64,
    /// The JSON text of what `get` returned.
    got: String,
    /// The JSON text of the same session, from the first set of the file that stores it as text.
    text: Option<String>,
}

fn recorded(
    row: &Json,
    store: &Json,
    stores: &[Json],
    (version, options): (Version, Options),
) -> Option<Recorded> {
    let name = row.get("name")?.text()?;
    let document = value(row, store, stores, "doc_bson_b64", "doc_same_as")?;
    let document = BASE64_STANDARD.decode(document).ok()?;
    if row.get("doc_bytes").is_some_and(|length| length.number() != Some(document.len() as f64)) {
        return None;
    }
    let text = expected::text_of(&document);
    // The same session in a set that stores texts.
    let as_text = stores
        .iter()
        .filter_map(|store| sessions(store).iter().find(|other| is_named(other, &name)))
        .filter_map(|row| BASE64_STANDARD.decode(row.get("doc_bson_b64")?.text()?).ok())
        .find_map(|document| expected::text_of(&document));
    let got = match row.get("get_json_equals_session") {
        Some(Json::Bool(true)) => text?,
        // The file does not repeat large values.
        _ => value(row, store, stores, "get_json", "get_same_as").or_else(|| as_text.clone())?,
    };
    Some(Recorded {
        version,
        options,
        sid: row.get("sid")?.text()?,
        document,
        fields: row.get("doc_keys")?.items().iter().map(Json::text).collect::<Option<_>>()?,
        expires_ms: row.get("expires_ms")?.number()? as i64,
        got,
        text: as_text,
    })
}

/// Returns a member of the row, or of the row of another version that had the same value with the same options.
fn value(row: &Json, store: &Json, stores: &[Json], member: &str, same_as: &str) -> Option<String> {
    if let Some(value) = row.get(member) {
        return value.text();
    }
    let (name, version) = (row.get("name")?.text()?, row.get(same_as)?);
    let same = stores.iter().find(|other| {
        other.get("store") == Some(version) && other.get("options") == store.get("options")
    })?;
    let row = sessions(same).iter().find(|row| is_named(row, &name))?;
    match (row.get(member), row.get("get_json_equals_session")) {
        (Some(value), _) => value.text(),
        (None, Some(Json::Bool(true))) if member == "get_json" => {
            let document = value_of_document(row)?;
            expected::text_of(&document)
        }
        _ => None,
    }
}

fn value_of_document(row: &Json) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(row.get("doc_bson_b64")?.text()?).ok()
}

fn is_named(row: &Json, name: &str) -> bool {
    row.get("name").and_then(Json::text).as_deref() == Some(name)
}
