//! Section `read_cookie`: the session that a request asks for.

use cloakroom_core::{Secrets, find_cookie};

use super::{
    super::{Outcome, notation::header_bytes, report::Checks},
    differences,
    signature::secrets,
};
use crate::json::Json;

/// The error of Express if the value under the cookie's name is not a string.
const NO_TEXT: &str = "raw.substr is not a function";

/// The id of all new sessions in the fixtures.
pub(super) const NEW_SID: &str = "NEW";

/// The names that every JavaScript object inherits.
const INHERITED: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

pub(super) fn check(row: &Json) -> Option<Outcome> {
    let header = header(row)?;
    let name = name(row);
    let known = row.get("known")?.items();
    let secrets = secrets(row)?;
    let sid = sid(&header, &name, &secrets);
    let loaded = sid.as_deref().filter(|sid| known.contains(&Json::from(*sid)));

    let expected = row.get("expect")?;
    let mut checks = Checks::default();
    // cookie 0.7.2 leaves `__proto__` out of its object, and finds the other names there even if they were not sent.
    if INHERITED.contains(&&*name) && (name == "__proto__" || find_cookie(&header, &name).is_none())
    {
        checks.equal("threw", expected.get("threw"), Some(&Json::from(NO_TEXT)));
        checks.equal("status", expected.get("status"), Some(&Json::Number(500.0)));
        for member in ["lookedUp", "loaded", "sessionID"] {
            checks.equal("what Express found", expected.get(member), Some(&Json::Null));
        }
        let plain = header_with_plain_name(&header, &name)?;
        checks.equal("a name like any other", self::sid(&plain, "plain", &secrets), sid);
        return Some(checks.outcome_or(differences::COOKIE_OF_ANY_NAME));
    }
    let text = |sid: Option<&str>| sid.map_or(Json::Null, Json::from);
    checks.equal("lookedUp", expected.get("lookedUp"), Some(&text(sid.as_deref())));
    checks.equal("loaded", expected.get("loaded"), Some(&Json::Bool(loaded.is_some())));
    checks.equal("sessionID", expected.get("sessionID"), Some(&text(loaded.or(Some(NEW_SID)))));
    Some(checks.outcome())
}

/// Returns the bytes of all `Cookie` lines, joined as in Node.js.
fn header(row: &Json) -> Option<Vec<u8>> {
    let lines = match (row.get("headers"), row.get("header")) {
        (Some(lines), _) => lines.items(),
        (None, Some(Json::Null)) => &[],
        (None, Some(line)) => std::slice::from_ref(line),
        (None, None) => return None,
    };
    let lines = lines.iter().map(|line| header_bytes(&line.text()?)).collect::<Option<Vec<_>>>()?;
    Some(lines.join(&b"; "[..]))
}

/// Returns the session cookie's name: the option `name` if it is not empty.
pub(super) fn name(row: &Json) -> String {
    let name = row.get("name").and_then(Json::text).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "connect.sid".to_owned())
}

fn sid(header: &[u8], name: &str, secrets: &Secrets) -> Option<String> {
    let value = find_cookie(header, name)?;
    secrets.read_cookie_value(&value).map(|unsigned| unsigned.value.to_owned())
}

fn header_with_plain_name(header: &[u8], name: &str) -> Option<Vec<u8>> {
    let text: String = header.iter().copied().map(char::from).collect();
    header_bytes(&text.replace(name, "plain"))
}
