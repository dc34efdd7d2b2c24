//! The table of the fixtures' vectors that no Rust program can reproduce.
//!
//! The key is the property of a vector that causes this, never its id, so that the table also applies to other files of
//! the same form.

use super::{
    express_cookie::Options,
    notation::Value,
    script::{Described, Given},
};
use crate::json::Json;

/// The property that makes a vector not applicable.
enum Property {
    /// A property of a vector in this section.
    Vector(&'static str, fn(&Json) -> bool),
    /// A cookie option, by its name and value.
    Option(fn(&str, &Value) -> bool),
}

use Property::{Option as CookieOption, Vector};

const NOT_APPLICABLE: &[(Property, &str)] = &[
    (
        Vector("ring", |ring| {
            let known = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];
            let algorithm = ring.get("options").and_then(|options| options.get("algorithm"));
            algorithm.is_some_and(|name| !name.text().is_some_and(|name| known.contains(&&*name)))
        }),
        "a ring with another hash than MD5, SHA-1 and SHA-2",
    ),
    (
        Vector("memcached_encrypted", |row| {
            let store = row.get("store").and_then(Json::text).unwrap_or_default();
            store.starts_with("connect-memcached 0.") || store.starts_with("connect-memcached 1.")
        }),
        "a ciphertext of connect-memcached 0.2 or 1, of which only plain records are read here",
    ),
    (
        Vector("webcrypto_store", |row| row.get("both_options").is_some()),
        "both of connect-mongo's options for encryption, where Rust has one",
    ),
    (Vector("set_cookie", |row| is_half_pair(row, "sid")), HALF_PAIR),
    (Vector("sign", |row| is_half_pair(row, "value")), HALF_PAIR),
    (Vector("unsign", |row| is_half_pair(row, "input")), HALF_PAIR),
    (Vector("serialize", |row| is_half_pair(row, "value")), HALF_PAIR),
    (
        Vector("set_cookie", |row| {
            matches!(row.get("sid"), Some(Json::Number(_) | Json::Bool(_) | Json::Null))
        }),
        "an id that is not a string",
    ),
    (
        Vector("serialize", |row| {
            let options = row.get("options");
            ["maxAge", "encode"]
                .iter()
                .any(|name| options.is_some_and(|options| options.get(name).is_some()))
        }),
        "an option of npm's cookie that express-session never gives",
    ),
    (
        Vector("serialize", |row| {
            let expires =
                row.get("options").and_then(|options| options.get("expires")).and_then(Json::text);
            expires.is_some_and(|text| cloakroom_core::parse_date(&text).is_some())
        }),
        "a date as text: our cookie keeps dates as the record does, so it counts as a Date",
    ),
    (
        CookieOption(|_, value| {
            matches!(value, Value::Bytes(_) | Value::Function(_) | Value::HalfPair)
        }),
        "a cookie option that is a JavaScript object",
    ),
];

/// Returns true if the setter of `maxAge` throws for this value.
pub(super) fn is_no_age(value: &Value) -> bool {
    match value {
        Value::Plain(Json::Bool(value)) => *value,
        Value::Plain(Json::String(text)) => text != "",
        Value::Plain(Json::Array(_) | Json::Object(_)) => true,
        _ => false,
    }
}

/// The reason for a session whose code uses names from outside of it.
pub(super) const UNBOUND: &str = "a session given as JavaScript code that uses an outer variable";
/// The reason for a request whose handler fails, which is unrelated to sessions.
pub(super) const HANDLER_THROWS: &str = "a handler of JavaScript code that throws by itself";
/// The reason for a session that does not exist.
pub(super) const NO_SESSION: &str =
    "a session that is null or undefined, which no Rust program can store";
/// The reason for a session of which nothing is known.
pub(super) const NO_CODE: &str =
    "a session that was not stored, given without the code that made it";

/// Returns why a row of a session is not applicable, or `None`.
pub(super) fn of_session(row: &Json, session: Option<&Described>) -> Option<&'static str> {
    if row.get("stored") != Some(&Json::Bool(false)) {
        return None;
    }
    match session {
        None if row.get("js").is_some() => Some(UNBOUND),
        None => Some(NO_CODE),
        Some(session) if matches!(session.value, Given::Undefined | Given::Null) => {
            Some(NO_SESSION)
        }
        Some(_) => None,
    }
}

const HALF_PAIR: &str = "half a surrogate pair, which a Rust string cannot contain";

fn is_half_pair(row: &Json, member: &str) -> bool {
    row.get(member).is_some_and(|value| Value::from(value) == Value::HalfPair)
}

/// Returns why a vector of this section is not applicable, or `None`.
pub(super) fn of_vector(section: &str, row: &Json) -> Option<&'static str> {
    reason(|property| matches!(property, Vector(known, is_so) if *known == section && is_so(row)))
}

/// Returns why a cookie with these options is not applicable, or `None`.
pub(super) fn of_options(options: &Options) -> Option<&'static str> {
    reason(|property| match property {
        CookieOption(is_so) => options.iter().any(|(name, value)| is_so(name, value)),
        Vector(..) => false,
    })
}

fn reason(holds: impl Fn(&Property) -> bool) -> Option<&'static str> {
    NOT_APPLICABLE.iter().find(|(property, _)| holds(property)).map(|(_, reason)| *reason)
}
