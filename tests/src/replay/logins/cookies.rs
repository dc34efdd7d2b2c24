//! The names of the session cookie, and how it is cut and joined.

use cloakroom_authjs::for_tests::{read_cookies, write_cookies};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Row, members, request};
use crate::replay::{Outcome, report::Checks};

const ALONE: Outcome = Outcome::PassedDifferently(
    "cookies that the package joins although no writer has cut them so: each form is tried alone",
);

/// The rows whose cookies no writer makes, and what is tried there.
const ALONE_ROWS: [(&str, &[&str]); 8] = [
    ("ten and two", &["A"]),
    ("hole", &["A"]),
    ("plain and chunks", &["P", "AB"]),
    ("chunks then plain", &["P", "AB"]),
    ("foreign cookie with the same prefix", &["P"]),
    ("foreign suffix x", &["A"]),
    ("suffix 01", &["A"]),
    ("suffix 1abc", &["A"]),
];

pub(super) fn names(row: &Row<'_>) -> Option<Outcome> {
    let secure = row.input("secure").as_bool()?;
    let options = row.options().with_secure_cookies(secure);
    let expected = row.output("sessionToken");
    let mut checks = Checks::default();
    checks.equal("name", expected["name"].as_str(), Some(&*options.session_cookie()));
    let attributes = json!({ "httpOnly": true, "sameSite": "lax", "path": "/", "secure": secure });
    checks.equal("attributes", &attributes, &expected["options"]);
    let written = write_cookies(&options, &request([].into_iter())?, "x", 0).pop()?;
    let flag = if secure { "; HttpOnly; Secure; SameSite=Lax" } else { "; HttpOnly; SameSite=Lax" };
    let name = options.session_cookie();
    let text = format!("{name}=x; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT{flag}");
    checks.equal("header", Ok(&*text), written.to_str().map_err(|error| error.to_string()));
    Some(checks.outcome())
}

pub(super) fn chunks(row: &Row<'_>) -> Option<Outcome> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let length = usize::try_from(row.input("value_length").as_u64()?).ok()?;
    let value: String = (0..length).map(|at| char::from(ALPHABET[7 * at % 62])).collect();
    let headers = request(members(row.input("cookies_in"))?)?;
    let written = write_cookies(&row.options(), &headers, &value, row.now_ms);
    let mut came: Vec<Value> =
        written.iter().filter_map(|header| cookie(header.to_str().ok()?)).collect();
    let mut expected = row.json["output"].as_array()?.clone();
    // The order of cookies with different names says nothing.
    for cookies in [&mut came, &mut expected] {
        cookies.sort_by_key(|cookie| cookie["name"].to_string());
    }
    let mut checks = Checks::default();
    checks.equal("cookies", expected, came);
    Some(checks.outcome())
}

/// A `Set-Cookie` header as the rows describe it.
fn cookie(header: &str) -> Option<Value> {
    let (name, rest) = header.split_once('=')?;
    let (value, attributes) = rest.split_once("; ")?;
    let sha256: String = Sha256::digest(value).iter().map(|byte| format!("{byte:02x}")).collect();
    let delete = attributes.starts_with("Max-Age=0;");
    Some(
        json!({ "name": name, "value_length": value.len(), "value_sha256": sha256, "delete": delete }),
    )
}

pub(super) fn joined(row: &Row<'_>) -> Option<Outcome> {
    let pair = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
    let cookies: Option<Vec<_>> = row.input("cookies").as_array()?.iter().map(pair).collect();
    let cookies = cookies?;
    let cookies = cookies.iter().map(|(name, value)| (&**name, &**value));
    let came = read_cookies(&row.options(), &request(cookies)?);
    let value = row.output("value").as_str()?;
    let mut checks = Checks::default();
    if let Some((_, values)) = ALONE_ROWS.iter().find(|(name, _)| *name == row.name()) {
        checks.equal("values", values, &&*came.iter().map(String::as_str).collect::<Vec<_>>());
        checks.holds("it is recorded that the package joins them", value.len() >= 2);
        return Some(checks.outcome_or(ALONE));
    }
    checks.equal("value", value, &came.concat());
    Some(checks.outcome())
}
