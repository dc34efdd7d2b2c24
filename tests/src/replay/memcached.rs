//! Kind `memcached`: records of connect-memcached in a real Memcached, read and written by `MemcachedStore`.
//!
//! For each session, the raw bytes with the recorded flags go into an empty server. The session is read, and nothing
//! may be lost. It is written with the recorded clock, and key, flags, bytes and exptime on the wire must be the
//! recorded ones, or better. If the file has the code that made the session, the same session is built in Rust, and its
//! record must be the recorded one. Each ciphertext is read and written, and the result must be readable with the
//! secret.

mod bench;
mod ciphertext;
mod expiry;

use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_core::SessionData;
use cloakroom_memcached::MemcachedStore;

use self::{
    bench::{Bench, Item, Sent},
    expiry::expiry,
};
use super::{
    Kind, Outcome, Report, not_applicable,
    redis::{has_cookie, made_here, members_without_cookie, nothing_is_lost, refused},
    report::Checks,
    script::{CookieKind, Described, Sessions, Undescribed},
};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "memcached",
    about: "what connect-memcached stored (starts a memcached of its own)",
    replay,
};

const REPAIRED: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: connect-memcached rejects it, here it gets a cookie",
);

fn replay(file: &Json, report: &mut Report) {
    let items = |name| file.get(name).map_or(&[][..], Json::items);
    let (rows, encrypted) = (items("sessions"), items("encrypted"));
    if rows.is_empty() && encrypted.is_empty() {
        return;
    }
    let Some(options) = Options::of(file) else {
        let form = "a store and options that connect-memcached has";
        return report.add("file", Outcome::failed("form of the file", form, "others"));
    };
    let now_ms = file.get("now_ms").and_then(Json::number).unwrap_or_default() as i64;
    let mut sessions = match Sessions::of(rows.iter(), now_ms) {
        Ok(sessions) => sessions,
        Err(error) => return report.add("node", Outcome::failed("start", "Node.js", error)),
    };
    let mut bench = match Bench::start(now_ms) {
        Ok(bench) => bench,
        Err(error) => return report.add("memcached", Outcome::failed("start", "a server", error)),
    };
    let name = |row: &Json| row.get("name").and_then(Json::text).unwrap_or_default();
    for row in rows {
        let outcome = check(row, sessions.get(&name(row)), &options, &mut bench, now_ms);
        report.add(
            name(row),
            outcome.unwrap_or_else(|| {
                Outcome::failed("form of the row", "what was sent, and sid", row.stringify())
            }),
        );
    }
    for row in encrypted {
        let store = row.get("store").and_then(Json::text).unwrap_or_default();
        let session = sessions.get(&name(row)).and_then(Result::ok);
        let outcome = match not_applicable::of_vector("memcached_encrypted", row) {
            Some(reason) => Outcome::NotApplicable(reason),
            None => ciphertext::check(&mut bench, row, session.as_ref())
                .unwrap_or_else(|| Err("the row has another form".to_owned()))
                .unwrap_or_else(failed),
        };
        report.add(format!("encrypted by {store}: {}", name(row)), outcome);
    }
}

fn failed(error: String) -> Outcome {
    Outcome::failed("memcached", "an answer", error)
}

/// The options of the file's store.
#[derive(Clone, Debug)]
struct Options {
    prefix: String,
    /// The option of npm's client.
    namespace: String,
    /// The time to live of every session in seconds. Zero counts as unset.
    ttl: Option<i64>,
    /// The flags that the version writes with a plain record.
    flags: u32,
}

impl Options {
    /// Returns the options from the members of the file and from its member `options`, or `None` for an unknown version
    /// or option.
    fn of(file: &Json) -> Option<Self> {
        let mut options =
            Self { prefix: String::new(), namespace: String::new(), ttl: None, flags: 2 };
        if let Some(store) = file.get("store").and_then(Json::text) {
            let version = store.strip_prefix("connect-memcached ")?;
            options.flags = match version.split('.').next()? {
                "0" | "1" => 0,
                "2" | "3" => 2,
                _ => return None,
            };
        }
        let given = file.get("options").map_or(&[][..], Json::members);
        let beside = ["now_ms", "store", "client", "note", "options", "sessions", "encrypted"];
        let own = file.members().iter();
        let own = own.filter(|(name, _)| beside.iter().all(|known| name != *known));
        for (name, value) in given.iter().chain(own) {
            match (&*name.to_str()?, value) {
                ("prefix", value) => options.prefix = value.text()?,
                ("namespace", value) => options.namespace = value.text()?,
                ("ttl", Json::Number(seconds)) => options.ttl = Some(*seconds as i64),
                ("ttl", Json::Null) => {}
                // The addresses of the servers do not matter here.
                ("hosts", _) => {}
                _ => return None,
            }
        }
        options.ttl = options.ttl.filter(|seconds| *seconds != 0);
        Some(options)
    }
}

/// A session as connect-memcached sent it.
struct Recorded {
    sid: String,
    item: Item,
    request_line: String,
    bytes: f64,
    exptime: i64,
    /// Whether it existed right afterwards.
    stored: bool,
    get_equals: Option<bool>,
}

fn recorded(row: &Json) -> Option<Recorded> {
    let text = |name| row.get(name).and_then(Json::text);
    let number = |name| row.get(name).and_then(Json::number);
    let boolean = |name| match row.get(name) {
        Some(Json::Bool(value)) => Some(*value),
        _ => None,
    };
    let value = BASE64_STANDARD.decode(text("value_b64")?).ok()?;
    Some(Recorded {
        sid: text("sid")?,
        item: Item { key: text("key")?, flags: number("flags")? as u32, value },
        request_line: text("request_line")?,
        bytes: number("bytes")?,
        exptime: number("exptime")? as i64,
        stored: boolean("stored")?,
        get_equals: boolean("get_json_equals_value"),
    })
}

/// Checks a row. Returns `None` if it is malformed.
fn check(
    row: &Json,
    session: Option<Result<Described, Undescribed>>,
    options: &Options,
    bench: &mut Bench,
    now_ms: i64,
) -> Option<Outcome> {
    let (described, unbound) = match session {
        Some(Ok(session)) => (Some(session), false),
        Some(Err(Undescribed::Failed(error))) => {
            return Some(Outcome::failed("code of the session", "a session", error));
        }
        Some(Err(Undescribed::Unbound)) => (None, true),
        None => (None, false),
    };
    let described = described.as_ref();
    if row.get("value_b64").is_none() && row.get("stored") == Some(&Json::Bool(false)) {
        if let Some(reason) = not_applicable::of_session(row, described) {
            return Some(Outcome::NotApplicable(reason));
        }
        let sid = row.get("sid")?.text()?;
        return Some(not_sent(bench, row, &sid, described?, options).unwrap_or_else(failed));
    }
    let recorded = recorded(row)?;
    let outcome = check_sent(bench, &recorded, described, options, now_ms).unwrap_or_else(failed);
    Some(match outcome {
        Outcome::Passed | Outcome::PassedDifferently(_) if unbound => {
            Outcome::NotApplicable(not_applicable::UNBOUND)
        }
        outcome => outcome,
    })
}

/// Checks a session that connect-memcached failed to store.
fn not_sent(
    bench: &mut Bench,
    row: &Json,
    sid: &str,
    described: &Described,
    options: &Options,
) -> Result<Outcome, String> {
    let mut checks = Checks::default();
    let error = row.get("set").and_then(|set| set.get("err")?.get("message")?.text());
    if let Some(message) = &described.throws {
        checks.equal("error", Some(message), error.as_ref());
        refused::is_refused(&mut checks);
        return Ok(checks.outcome());
    }
    let Some(session) =
        described.session.as_ref().filter(|_| described.cookie_kind == CookieKind::None)
    else {
        return Ok(Outcome::failed("stored", "true", "false"));
    };
    let message = "Cannot read properties of undefined (reading 'maxAge')";
    checks.equal("error", Some(message), error.as_deref());
    let store = bench.store(options, None)?;
    bench.flush()?;
    bench.set(&store, sid, session)?;
    let key = format!("{}{}{sid}", options.namespace, options.prefix);
    checks.equal("key", row.get("key").and_then(Json::text), Some(key.clone()));
    let written = bench.item(&key)?.map(|item| item.value).unwrap_or_default();
    let written = String::from_utf8_lossy(&written).into_owned();
    let text = described.text.as_deref().unwrap_or_default();
    checks.equal("members", members_without_cookie(text), members_without_cookie(&written));
    checks.holds("the record has a cookie", has_cookie(&written));
    Ok(checks.outcome_or(REPAIRED))
}

fn check_sent(
    bench: &mut Bench,
    recorded: &Recorded,
    described: Option<&Described>,
    options: &Options,
    now_ms: i64,
) -> Result<Outcome, String> {
    let mut checks = Checks::default();
    let Item { key, flags, value } = &recorded.item;
    let text = String::from_utf8_lossy(value).into_owned();
    // The recording must be consistent.
    let line = format!("set {key} {flags} {} {}", recorded.exptime, value.len());
    checks.equal("request line", &line, &recorded.request_line);
    checks.equal("bytes", recorded.bytes, value.len() as f64);
    checks.equal("flags", options.flags, *flags);
    expiry::check_stored(recorded, &mut checks);
    if recorded.stored {
        checks.equal("what Node.js got of it", Some(true), recorded.get_equals);
    }
    if let Some(described) = described {
        checks.equal("record of the session", described.text.as_deref(), Some(&*text));
        checks.equal("error", None, described.throws.as_deref());
    }

    let store = bench.store(options, None)?;
    bench.plant(&recorded.item)?;
    let session = bench.get(&store, &recorded.sid)?;
    let Some(session) = session else {
        // express-session treats every falsy value as "no session".
        let falsy = ["", "null", "0", "false", "\"\""].contains(&&*text);
        checks.holds("a record that Express takes for none", falsy);
        return Ok(checks.outcome());
    };
    nothing_is_lost(&session, &text, &mut checks);
    let session = made_here(&session);

    let (wanted, mut outcome) = expiry(recorded, &text, described, options, now_ms);
    if let Outcome::Failed(_) = outcome {
        return Ok(outcome);
    }
    let built = described.filter(|described| described.has_cookie_first());
    let built = built.and_then(|described| described.session.as_ref());
    for session in std::iter::once(&session).chain(built) {
        if !written(bench, &store, recorded, session, &text, wanted, &mut checks)? {
            outcome = REPAIRED;
        }
    }
    Ok(checks.outcome_or(outcome))
}

/// Writes the session and compares what was sent with the recording. Returns true if the record is the recorded one,
/// and false if it was corrected.
fn written(
    bench: &mut Bench,
    store: &MemcachedStore,
    recorded: &Recorded,
    session: &SessionData,
    text: &str,
    wanted: Option<i64>,
    checks: &mut Checks,
) -> Result<bool, String> {
    let key = &recorded.item.key;
    bench.flush()?;
    let sent = bench.set(store, &recorded.sid, session)?;
    checks.equal("exptime", wanted, sent.exptime());
    let stored = bench.item(key)?;
    if wanted.is_none() {
        checks.equal("command", format!("md {key}"), sent.line());
        checks.holds("no session is stored", stored.is_none());
        return Ok(true);
    }
    let Sent::Stored { key: written_key, .. } = &sent else {
        checks.equal("command", "ms".to_owned(), sent.line());
        return Ok(true);
    };
    checks.equal("key", key, written_key);
    checks.holds("the session is stored", stored.is_some());
    let (flags, value) = stored.map(|item| (item.flags, item.value)).unwrap_or_default();
    let written = String::from_utf8_lossy(&value).into_owned();
    let is_whole = has_cookie(text);
    if is_whole {
        checks.equal("flags", recorded.item.flags, flags);
        checks.equal("bytes", text, &*written);
    } else {
        checks.equal("members", members_without_cookie(text), members_without_cookie(&written));
        checks.holds("the record has a cookie now", has_cookie(&written));
    }
    let again = bench.get(store, &recorded.sid)?;
    let again = again.as_ref().map(|session| session.to_json().into_owned());
    checks.equal("read again", Some(written), again);
    Ok(is_whole)
}
