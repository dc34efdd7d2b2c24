//! Sections `sign`, `unsign` and `genid`.

use cloakroom_core::{Secrets, for_tests::id_from_bytes};

use super::super::{
    Outcome,
    notation::{Value, unhex},
    report::Checks,
};
use crate::json::Json;

/// The secret of a vector that does not name one: that of express-session's own tests.
const DEFAULT_SECRET: &str = "keyboard cat";

/// Returns the `secret` of a vector: text, bytes, or a list of them.
pub(super) fn secrets(row: &Json) -> Option<Secrets> {
    let secret = |json: &Json| match Value::from(json) {
        Value::Bytes(bytes) => Some(bytes),
        Value::Plain(json) => json.text().map(String::into_bytes),
        _ => None,
    };
    let secrets = match row.get("secret") {
        None => vec![DEFAULT_SECRET.into()],
        Some(Json::Array(list)) => list.iter().map(secret).collect::<Option<Vec<_>>>()?,
        Some(one) => vec![secret(one)?],
    };
    Secrets::insecure_allow_empty(secrets).ok()
}

pub(super) fn sign(row: &Json) -> Option<Outcome> {
    let (secrets, value) = (secrets(row)?, row.get("value")?.text()?);
    let signed = secrets.sign(&value);
    let mut checks = Checks::default();
    checks.equal("signed", row.get("signed")?.text()?, signed.clone());
    checks.equal("cookieValue", row.get("cookieValue")?.text()?, secrets.cookie_value(&value));
    checks.equal(
        "unsigned again",
        Some(&*value),
        secrets.unsign(&signed).map(|unsigned| unsigned.value),
    );
    Some(checks.outcome())
}

pub(super) fn unsign(row: &Json) -> Option<Outcome> {
    let (secrets, input) = (secrets(row)?, row.get("input")?.text()?);
    let unsigned =
        secrets.unsign(&input).map_or(Json::Bool(false), |unsigned| Json::from(unsigned.value));
    let mut checks = Checks::default();
    checks.equal("result", row.get("result")?, &unsigned);
    Some(checks.outcome())
}

pub(super) fn genid(row: &Json) -> Option<Outcome> {
    let bytes: [u8; 24] = unhex(&row.get("bytes")?.text()?)?.try_into().ok()?;
    let mut checks = Checks::default();
    checks.equal("id", row.get("id")?.text()?, id_from_bytes(&bytes));
    Some(checks.outcome())
}
