//! Kind `mongo`: what connect-mongo stored, put into a real MongoDB, read and written by `MongoStore`.
//!
//! For each session of each version and option set: the raw document goes into an empty collection; the session is
//! read, and nothing may be lost; it is written with the recorded clock, over the document and where there is none, and
//! each byte must be the recorded one.

mod bench;
mod expected;

use base64::{Engine, prelude::BASE64_STANDARD};

use self::bench::Bench;
use super::{Kind, Outcome, Report, not_applicable};
use crate::json::Json;

pub(super) const KIND: Kind =
    Kind { name: "mongo", about: "what connect-mongo stored (starts a mongod of its own)", replay };

fn replay(file: &Json, report: &mut Report) {
    let Some(now_ms) = file.get("now_ms").and_then(Json::number) else { return };
    let stores = file.get("stores").map_or(&[][..], Json::items);
    if stores.is_empty() {
        return;
    }
    let bench = match Bench::start(now_ms as i64) {
        Ok(bench) => bench,
        Err(error) => return report.add("mongod", Outcome::failed("start", "a server", error)),
    };
    for store in stores {
        let label = label(store);
        for row in sessions(store) {
            let outcome = match not_applicable::of_vector("mongo", row) {
                Some(reason) => Outcome::NotApplicable(reason),
                None => match recorded(row, store, stores) {
                    Some(recorded) => bench.check(&recorded).unwrap_or_else(|error| {
                        Outcome::failed("MongoDB", "an answer", error.to_string())
                    }),
                    None => Outcome::failed(
                        "form of the row",
                        "sid, doc_bson_b64, doc_keys, expires_ms and what get returned",
                        row.stringify(),
                    ),
                },
            };
            let name = row.get("name").and_then(Json::text).unwrap_or_default();
            report.add(format!("{label} {name}"), outcome);
        }
    }
}

fn label(store: &Json) -> String {
    let text = |name| store.get(name).and_then(Json::text).unwrap_or_default();
    format!("{}, {}:", text("store"), text("options"))
}

fn sessions(store: &Json) -> &[Json] {
    store.get("sessions").map_or(&[][..], Json::items)
}

/// A session as connect-mongo stored it with these options.
struct Recorded {
    options: Options,
    sid: String,
    document: Vec<u8>,
    /// The names of its fields.
    fields: Vec<String>,
    expires_ms: i64,
    /// The JSON text of what `get` returned.
    got: String,
    /// What the same session is as JSON text, in the first set of the file that has it so.
    text: Option<String>,
}

/// What follows from the options of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    document: bool,
    touch_after_s: u64,
    ttl_s: Option<u64>,
    timestamps: bool,
}

impl Options {
    /// Whether a document tells when it was written, by a clock that nobody held.
    fn has_times(self) -> bool {
        self.touch_after_s > 0 || self.timestamps
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        let mut options = Self::default();
        match name {
            "stringify" => options.document = value == "false",
            "touchAfter" => options.touch_after_s = value.parse().ok()?,
            "ttl" => options.ttl_s = Some(value.parse().ok()?),
            "timestamps" => options.timestamps = value == "true",
            _ => return None,
        }
        Some(options)
    }
}

fn recorded(row: &Json, store: &Json, stores: &[Json]) -> Option<Recorded> {
    let name = row.get("name")?.text()?;
    let options = Options::parse(&store.get("options")?.text()?)?;
    let document = value(row, store, stores, "doc_bson_b64", "doc_same_as")?;
    let document = BASE64_STANDARD.decode(document).ok()?;
    let text = expected::text_of(&document);
    // The same session in a set that stores texts.
    let as_text = stores
        .iter()
        .filter_map(|store| sessions(store).iter().find(|other| is_named(other, &name)))
        .filter_map(|row| BASE64_STANDARD.decode(row.get("doc_bson_b64")?.text()?).ok())
        .find_map(|document| expected::text_of(&document));
    let got = match row.get("get_json_equals_session") {
        Some(Json::Bool(true)) => text?,
        // What is large is not repeated in the file.
        _ => value(row, store, stores, "get_json", "get_same_as").or_else(|| as_text.clone())?,
    };
    Some(Recorded {
        options,
        sid: row.get("sid")?.text()?,
        document,
        fields: row.get("doc_keys")?.items().iter().map(Json::text).collect::<Option<_>>()?,
        expires_ms: row.get("expires_ms")?.number()? as i64,
        got,
        text: as_text,
    })
}

/// A member of the row, or of the row of another version that had the same under the same options.
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
