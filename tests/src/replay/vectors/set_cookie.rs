//! Section `set_cookie`: a new session, its record, and the cookie that is sent.

use cloakroom_core::{
    Cookie, CookieMember, Error, ErrorKind, JsValue, Secrets, SessionData, set_cookie,
};

use super::{
    super::{
        Outcome,
        express_cookie::{assign, js_value, new_cookie, options},
        not_applicable,
        notation::Value,
        report::Checks,
    },
    differences,
    handler::{NO_AGE, throws_at_touch},
    read_cookie::name,
    signature::secrets,
};
use crate::json::Json;

pub(super) fn check(row: &Json) -> Option<Outcome> {
    let now_ms = row.get("clock")?.number()? as i64;
    let sid = row.get("sid")?.text()?;
    let expected = row.get("expect")?;
    let (given, resolves_auto) = cookie_option(row);
    let mut created = options(&given);
    let mutated = row.get("mutate").map(options).unwrap_or_default();
    if let Some(reason) =
        [&created, &mutated].into_iter().find_map(|options| not_applicable::of_options(options))
    {
        return Some(Outcome::NotApplicable(reason));
    }
    let mut sent = earlier(row);
    if !path_matches(row, &given) {
        let mut checks = Checks::default();
        checks.equal("setCookie", list(expected.get("setCookie")?), sent);
        checks.equal("stored", expected.get("stored"), Some(&Json::Null));
        return Some(checks.outcome());
    }

    let has_no_age = |options: &[(String, Value)]| {
        options.iter().any(|(name, value)| name == "maxAge" && not_applicable::is_no_age(value))
    };
    if has_no_age(&created) || has_no_age(&mutated) {
        return Some(threw(row, expected, sent, has_no_age(&created)));
    }
    let mut checks = Checks::default();
    let mut passed = Outcome::Passed;
    let built = new_session(&created, &mutated, resolves_auto.then(|| is_secure(row)), now_ms);
    let session = match built {
        Ok(session) => session,
        Err(error) => {
            // Express continues with an invalid date, which it stores as null and cannot send.
            checks.equal("kind of the refusal", ErrorKind::InvalidData, error.kind());
            passed = differences::EXPIRY_BEYOND_DATES;
            created.retain(|(name, _)| !matches!(&**name, "maxAge" | "expires"));
            new_session(&created, &[], resolves_auto.then(|| is_secure(row)), now_ms).ok()?
        }
    };
    if throws_at_touch(&session) {
        // The option was set, and the cookie is sent or rejected like any other.
        let set = mutated.iter().chain(&created).filter(|(name, _)| name == "expires");
        let set = set.map(|(_, value)| js_value(value)).next();
        checks.equal("expires", set.as_ref(), Some(session.cookie().raw(CookieMember::Expires)));
        return Some(match threw(row, expected, sent, false) {
            Outcome::PassedDifferently(_) => checks.outcome_or(differences::NO_AGE),
            failed => failed,
        });
    }
    checks.equal("stored", expected.get("stored"), Some(&Json::from(&*session.to_json())));
    let refused = passed != Outcome::Passed;
    match cookie_for(&session, &name(row), &sid, &secrets(row)?, is_secure(row)) {
        Ok(_) if refused => checks.equal(
            "nextError",
            expected.get("nextError"),
            Some(&Json::from("option expires is invalid")),
        ),
        Ok(text) => {
            sent.extend(text);
            checks.equal("nextError", expected.get("nextError"), None);
        }
        Err(error) => checks
            .refusal(&expected.get("nextError").and_then(Json::text).unwrap_or_default(), &error),
    }
    checks.equal("setCookie", list(expected.get("setCookie")?), sent);
    Some(checks.outcome_or(passed))
}

/// Checks a `maxAge` that is neither a number nor falsy, for which Express throws. It throws when it creates the
/// cookie, and again at the end of the request, which then has no session; or when the age is set or extended. A
/// `Cookie` in Rust cannot have such a value, because an age is an integer.
fn threw(row: &Json, expected: &Json, sent: Vec<String>, when_made: bool) -> Outcome {
    let mut checks = Checks::default();
    let message = if when_made {
        format!(
            "{NO_AGE} | then res.end threw: Cannot read properties of undefined (reading 'originalMaxAge')"
        )
    } else {
        NO_AGE.to_owned()
    };
    checks.equal("threw", expected.get("threw"), Some(&Json::from(&*message)));
    checks.equal("status", expected.get("status"), Some(&Json::Null));
    checks.equal("stored", expected.get("stored"), Some(&Json::Null));
    checks.equal("nextError", expected.get("nextError"), None);
    let set_cookie = expected.get("setCookie").map(list);
    checks.equal("setCookie", set_cookie, Some(sent).filter(|_| row.get("clock").is_some()));
    checks.outcome_or(differences::NO_AGE)
}

/// Returns the `cookie` option, and whether Express resolves `auto` in it, which it does not if a function returned the
/// option.
fn cookie_option(row: &Json) -> (Json, bool) {
    let given = row.get("cookie").cloned().unwrap_or_else(|| Json::object(Vec::new()));
    match Value::from(&given) {
        Value::Function(returned) => (returned, false),
        _ => (given, true),
    }
}

/// Returns the session that the request makes, at its end.
fn new_session(
    options: &[(String, Value)],
    mutations: &[(String, Value)],
    resolve_auto_to: Option<bool>,
    now_ms: i64,
) -> Result<SessionData, Error> {
    let mut cookie = new_cookie(options, now_ms)?;
    if let Some(is_secure) = resolve_auto_to {
        let auto = JsValue::from("auto");
        if *cookie.raw(CookieMember::Secure) == auto {
            cookie.set_secure(Some(is_secure));
        }
        if *cookie.raw(CookieMember::SameSite) == auto {
            cookie.set_raw(CookieMember::SameSite, if is_secure { "none" } else { "lax" }.into());
        }
    }
    let mut session = SessionData::with_cookie(cookie);
    session.insert("user", "bob")?;
    for (name, value) in mutations {
        assign(session.cookie_mut(), name, value, now_ms)?;
    }
    session.touch(now_ms);
    Ok(session)
}

/// Returns the `Set-Cookie` text, or `None` if the cookie requires a secure request and this one is not.
pub(super) fn cookie_for(
    session: &SessionData,
    name: &str,
    sid: &str,
    secrets: &Secrets,
    is_secure: bool,
) -> Result<Option<String>, Error> {
    let cookie: &Cookie = session.cookie();
    if cookie.secure() && !is_secure {
        return Ok(None);
    }
    set_cookie(name, &format!("s:{}", secrets.sign(sid)), cookie).map(Some)
}

/// Returns what express-session's `issecure` returns.
pub(super) fn is_secure(row: &Json) -> bool {
    let is_true = |member: &str| row.get(member) == Some(&Json::Bool(true));
    if is_true("encrypted") {
        return true;
    }
    match row.get("proxy") {
        Some(Json::Bool(false)) => false,
        Some(Json::Bool(true)) => forwarded_protocol(row).eq_ignore_ascii_case("https"),
        _ => is_true("reqSecure"),
    }
}

/// Returns the first item of all `X-Forwarded-Proto` lines.
fn forwarded_protocol(row: &Json) -> String {
    let lines = row.get("headers").map_or(&[][..], Json::items).iter();
    let mut values = lines.filter_map(|line| match line.items() {
        [name, value] if name.text()?.eq_ignore_ascii_case("x-forwarded-proto") => value.text(),
        _ => None,
    });
    let first = values.next().unwrap_or_default();
    first.split(',').next().unwrap_or_default().trim().to_owned()
}

/// Returns true if Express handles the request: its path starts with that of the cookie.
fn path_matches(row: &Json, options: &Json) -> bool {
    let text = |json: Option<&Json>| json.and_then(Json::text).filter(|text| !text.is_empty());
    let root = || "/".to_owned();
    let target = text(row.get("path")).unwrap_or_else(root);
    let path = target.split(['?', '#']).next().unwrap_or_default();
    path.starts_with(&text(options.get("path")).unwrap_or_else(root))
}

/// Returns the cookies that the response already has.
fn earlier(row: &Json) -> Vec<String> {
    row.get("preSetCookie").map(list).unwrap_or_default()
}

/// Returns the texts of a missing value, one text or a list.
pub(super) fn list(json: &Json) -> Vec<String> {
    match json {
        Json::Array(items) => items.iter().filter_map(Json::text).collect(),
        one => one.text().into_iter().collect(),
    }
}
