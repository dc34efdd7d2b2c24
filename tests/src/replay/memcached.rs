//! Kind `memcached`: what connect-memcached stored, put into a real Memcached, read and written by `MemcachedStore`.
//!
//! For each session: the raw bytes with the recorded flags go into an empty server; the session is read, and nothing
//! may be lost; it is written with the recorded clock, and key, flags, bytes and exptime on the wire must be those
//! recorded, or better. For each ciphertext: it is read, and what is written can be read with the secret.

mod bench;

use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_core::{Counterpart, Encryption, Kruptein, KrupteinOptions, Session, parse_date};

use self::bench::{Bench, Item, Sent};
use super::{
    Kind, Outcome, Report, not_applicable,
    redis::{has_cookie, members_without_cookie, nothing_is_lost},
    report::Checks,
};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "memcached",
    about: "what connect-memcached stored (starts a memcached of its own)",
    replay,
};

const MENDED: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: connect-memcached refuses it, here it is mended",
);
const A_SECOND_MORE: Outcome = Outcome::PassedDifferently(
    "a time to live that is rounded down, by memcached's clock once more: here no session ends before its cookie",
);
const IMMORTAL: Outcome = Outcome::PassedDifferently(
    "a session with less than a second to live, which is stored for ever: here it ends",
);
const LOST: Outcome = Outcome::PassedDifferently(
    "a session of more than 30 days, which is gone at once: here it is there",
);
const EXPIRED: Outcome = Outcome::PassedDifferently(
    "a session whose expiry has passed, which is stored: here it is destroyed",
);
const PLAIN_COOKIE: Outcome = Outcome::PassedDifferently(
    "a cookie that is a plain object, which gets a day whatever its expiry: here its expiry counts",
);

const DAY: i64 = 86_400;
/// memcached takes more for a date.
const LONGEST: i64 = 30 * DAY;
/// memcached takes later dates for negative ones.
const LAST_DATE: i64 = i32::MAX as i64;

fn replay(file: &Json, report: &mut Report) {
    let items = |name| file.get(name).map_or(&[][..], Json::items);
    let (sessions, encrypted) = (items("sessions"), items("encrypted"));
    if sessions.is_empty() && encrypted.is_empty() {
        return;
    }
    let now_ms = file.get("now_ms").and_then(Json::number).unwrap_or_default() as i64;
    let prefix = file.get("prefix").and_then(Json::text).unwrap_or_default();
    let mut bench = match Bench::start(now_ms) {
        Ok(bench) => bench,
        Err(error) => return report.add("memcached", Outcome::failed("start", "a server", error)),
    };
    let name = |row: &Json| row.get("name").and_then(Json::text).unwrap_or_default();
    for row in sessions {
        let outcome = match not_applicable::of_vector("memcached", row) {
            Some(reason) => Outcome::NotApplicable(reason),
            None => recorded(row).map_or_else(
                || Outcome::failed("form of the row", "what was sent, and sid", row.stringify()),
                |recorded| session(&mut bench, &recorded, &prefix, now_ms).unwrap_or_else(failed),
            ),
        };
        report.add(name(row), outcome);
    }
    for row in encrypted {
        let store = row.get("store").and_then(Json::text).unwrap_or_default();
        let outcome = ciphertext(&mut bench, row)
            .unwrap_or_else(|| Err("the row has another form".to_owned()))
            .unwrap_or_else(failed);
        report.add(format!("encrypted by {store}: {}", name(row)), outcome);
    }
}

fn failed(error: String) -> Outcome {
    Outcome::failed("memcached", "an answer", error)
}

/// A session as connect-memcached sent it.
struct Recorded {
    sid: String,
    item: Item,
    request_line: String,
    bytes: f64,
    exptime: i64,
    /// Whether it was there right after.
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

fn session(
    bench: &mut Bench,
    recorded: &Recorded,
    prefix: &str,
    now_ms: i64,
) -> Result<Outcome, String> {
    let mut checks = Checks::default();
    let Item { key, flags, value } = &recorded.item;
    let text = String::from_utf8_lossy(value).into_owned();
    // What the recording says of itself.
    let line = format!("set {key} {flags} {} {}", recorded.exptime, value.len());
    checks.equal("request line", &line, &recorded.request_line);
    checks.equal("bytes", recorded.bytes, value.len() as f64);
    // What is below zero or above 30 days is gone at once.
    checks.equal("stored", (0..=LONGEST).contains(&recorded.exptime), recorded.stored);
    if recorded.stored {
        checks.equal("what Node.js got of it", Some(true), recorded.get_equals);
    }

    let store = bench.store(prefix, None)?;
    bench.plant(&recorded.item)?;
    let session = bench.get(&store, &recorded.sid)?;
    let Some(session) = session else {
        // express-session takes every falsy value for "no session".
        let falsy = ["", "null", "0", "false", "\"\""].contains(&&*text);
        checks.holds("a record that Express takes for none", falsy);
        return Ok(checks.outcome());
    };
    nothing_is_lost(&session, &text, &mut checks);

    bench.flush()?;
    let sent = bench.set(&store, &recorded.sid, &session)?;
    let (wanted, mut outcome) = expiry(recorded, &text, now_ms);
    checks.equal("exptime", wanted, sent.exptime());
    let stored = bench.item(key)?;
    if wanted.is_none() {
        checks.equal("command", format!("md {key}"), sent.line());
        checks.holds("there is no session", stored.is_none());
        return Ok(checks.outcome_or(outcome));
    }
    let Sent::Stored { key: written_key, .. } = &sent else {
        checks.equal("command", "ms".to_owned(), sent.line());
        return Ok(checks.outcome());
    };
    checks.equal("key", key, written_key);
    checks.holds("the session is there", stored.is_some());
    let (flags, value) = stored.map(|item| (item.flags, item.value)).unwrap_or_default();
    let written = String::from_utf8_lossy(&value).into_owned();
    if has_cookie(&text) {
        checks.equal("flags", recorded.item.flags, flags);
        checks.equal("bytes", &text, &written);
    } else {
        checks.equal("members", members_without_cookie(&text), members_without_cookie(&written));
        checks.holds("the record has a cookie now", has_cookie(&written));
        outcome = MENDED;
    }
    checks.equal("read again", Some(&session), bench.get(&store, &recorded.sid)?.as_ref());
    Ok(checks.outcome_or(outcome))
}

/// The exptime that is right for a session: `None` for one that is to be destroyed; and why it is another than
/// connect-memcached's, whose own rules the recorded one must follow.
fn expiry(recorded: &Recorded, record: &str, now_ms: i64) -> (Option<i64>, Outcome) {
    let theirs = recorded.exptime;
    let expires =
        Json::parse(record).ok().and_then(|record| match record.get("cookie")?.get("expires")? {
            Json::String(text) => parse_date(&text.to_str()?),
            Json::Number(ms) => Some(*ms as i64),
            _ => None,
        });
    let contradiction =
        || Outcome::failed("exptime by connect-memcached's rules", "another", theirs.to_string());
    let Some(expires_ms) = expires else {
        let fits = theirs == DAY;
        return (Some(DAY), if fits { Outcome::Passed } else { contradiction() });
    };
    let ms = expires_ms - now_ms;
    // `(maxAge / 1000) | 0`; a plain object has no `maxAge`.
    let by_rule = i64::from((ms / 1_000) as i32);
    let is_plain = theirs != by_rule;
    if is_plain && theirs != DAY {
        return (None, contradiction());
    }
    if ms <= 0 {
        return (None, if is_plain { PLAIN_COOKIE } else { EXPIRED });
    }
    let seconds = ms.unsigned_abs().div_ceil(1_000) as i64;
    let date = now_ms.div_euclid(1_000) + seconds + 1;
    let ours = match seconds {
        _ if seconds <= LONGEST => LONGEST.min(seconds + 1),
        _ if date <= LAST_DATE => date,
        _ => 0,
    };
    let why = match theirs {
        _ if is_plain => PLAIN_COOKIE,
        _ if theirs == ours => Outcome::Passed,
        0 => IMMORTAL,
        _ if !(0..=LONGEST).contains(&theirs) => LOST,
        _ => A_SECOND_MORE,
    };
    (Some(ours), why)
}

/// `None` when the row has another form.
fn ciphertext(bench: &mut Bench, row: &Json) -> Option<Result<Outcome, String>> {
    let text = |name| row.get(name).and_then(Json::text);
    let counterpart = match &*text("store")? {
        "connect-memcached 3.0.0" => Counterpart::ConnectMemcached3,
        "connect-memcached 2.0.0" => Counterpart::ConnectMemcached2,
        _ => return None,
    };
    let version = match counterpart {
        Counterpart::ConnectMemcached3 => "3.1.",
        _ => "3.0.",
    };
    let (key, flags) = (text("key")?, row.get("flags")?.number()? as u32);
    let item = Item { key, flags, value: text("value")?.into_bytes() };
    let (plaintext, got, secret) = (text("plaintext_json")?, text("get_json")?, text("secret")?);
    let is_version = text("kruptein")?.starts_with(version);

    Some((|| {
        let mut checks = Checks::default();
        checks.holds("the kruptein of this version", is_version);
        checks.equal("what Node.js got of it", &plaintext, &got);
        checks.equal("flags", 0, item.flags);
        let kruptein = || {
            Kruptein::new(&secret, KrupteinOptions::of(counterpart))
                .map_err(|error| error.to_string())
        };
        let store = bench.store("", Some(kruptein()?))?;
        bench.plant(&item)?;
        let session = bench.get(&store, &item.key)?;
        let read = session.as_ref().map(Session::loaded_json);
        checks.equal("what was read", Some(&*plaintext), read);

        bench.flush()?;
        if let Some(session) = &session {
            let sent = bench.set(&store, &item.key, session)?;
            checks.holds("it was stored", matches!(sent, Sent::Stored { .. }));
            let written = bench.item(&item.key)?;
            let value =
                written.as_ref().map(|item| String::from_utf8_lossy(&item.value).into_owned());
            checks.equal("flags", Some(item.flags), written.map(|item| item.flags));
            // By one that has seen nothing of this before.
            let decrypted = kruptein()?.decrypt(&value.unwrap_or_default());
            checks.equal("decrypted again", Some(&plaintext), decrypted.ok().as_ref());
        }
        Ok(checks.outcome())
    })())
}
