//! express-session's `new Cookie(options)` and assignments to a cookie, said with cloakroom's `Cookie`.

use cloakroom_core::{Cookie, CookieMember, Error, JsValue, to_iso_string};

use super::notation::Value;
use crate::json::Json;

/// Cookie options in their order, which counts.
pub(super) type Options = [(String, Value)];

/// What `new Cookie(options)` makes. The options must not be among those that
/// [`not_applicable`](super::not_applicable) lists.
///
/// # Errors
///
/// What cloakroom refuses to set: an expiry beyond JavaScript's dates.
pub(super) fn new_cookie(options: &Options, now_ms: i64) -> Result<Cookie, Error> {
    let mut cookie = Cookie::new();
    for (name, value) in options {
        assign(&mut cookie, name, value, now_ms)?;
    }
    if matches!(cookie.raw(CookieMember::OriginalMaxAge), JsValue::Undefined | JsValue::Null) {
        let age = max_age(&cookie, now_ms);
        cookie.set_raw(CookieMember::OriginalMaxAge, age);
    }
    Ok(cookie)
}

/// The options of a fixture's object.
pub(super) fn options(object: &Json) -> Vec<(String, Value)> {
    let members = object.members().iter();
    members.filter_map(|(name, value)| Some((name.to_str()?, Value::from(value)))).collect()
}

/// What `cookie[name] = value` does.
pub(super) fn assign(
    cookie: &mut Cookie,
    name: &str,
    value: &Value,
    now_ms: i64,
) -> Result<(), Error> {
    let member = match name {
        "maxAge" => return assign_max_age(cookie, value, now_ms),
        "expires" => return assign_expires(cookie, value, now_ms),
        "originalMaxAge" => CookieMember::OriginalMaxAge,
        "partitioned" => CookieMember::Partitioned,
        "priority" => CookieMember::Priority,
        "secure" => CookieMember::Secure,
        "httpOnly" => CookieMember::HttpOnly,
        "domain" => CookieMember::Domain,
        "path" => CookieMember::Path,
        "sameSite" => CookieMember::SameSite,
        // Express keeps other options on the object and never writes them; `data` it skips.
        _ => return Ok(()),
    };
    cookie.set_raw(member, js_value(value));
    Ok(())
}

/// The setter of `maxAge`: a number counts from now, a date is the expiry, something falsy is kept as it is.
fn assign_max_age(cookie: &mut Cookie, value: &Value, now_ms: i64) -> Result<(), Error> {
    let Value::Plain(Json::Number(age)) = value else {
        return assign_expires(cookie, value, now_ms);
    };
    // An age that is no finite number leads to an invalid date, as one beyond all dates does.
    if !age.is_finite() {
        return cookie.set_max_age_ms(Some(i64::MAX), now_ms);
    }
    // A JavaScript date cuts fractions off towards 1970.
    let expires = (now_ms as f64 + age).trunc();
    cookie.set_max_age_ms(Some((expires - now_ms as f64) as i64), now_ms)
}

/// The setter of `expires`: takes anything, and makes `originalMaxAge` what the getter of `maxAge` then says.
fn assign_expires(cookie: &mut Cookie, value: &Value, now_ms: i64) -> Result<(), Error> {
    match value {
        Value::Date(Some(ms)) => cookie.set_expires_ms(Some(*ms), now_ms),
        // No number of milliseconds says it but one beyond all dates.
        Value::Date(None) => cookie.set_expires_ms(Some(i64::MAX), now_ms),
        Value::Plain(Json::Null) => cookie.set_expires_ms(None, now_ms),
        other => {
            cookie.set_raw(CookieMember::Expires, js_value(other));
            cookie.set_raw(CookieMember::OriginalMaxAge, js_value(other));
            Ok(())
        }
    }
}

/// The getter of `maxAge`, where `expires` is a date if the setters above made it one.
fn max_age(cookie: &Cookie, now_ms: i64) -> JsValue {
    match (cookie.raw(CookieMember::Expires), cookie.expires_ms()) {
        (JsValue::String(_), Some(expires_ms)) => JsValue::Number((expires_ms - now_ms) as f64),
        (other, _) => other.clone(),
    }
}

/// The value of a cookie's member.
pub(super) fn js_value(value: &Value) -> JsValue {
    match value {
        Value::Plain(Json::Null) => JsValue::Null,
        Value::Plain(Json::Bool(value)) => JsValue::Bool(*value),
        Value::Plain(Json::Number(value)) => JsValue::Number(*value),
        Value::Plain(json) => match json.text() {
            Some(text) => JsValue::String(text.into()),
            None => JsValue::Other(json.stringify().into()),
        },
        Value::Date(Some(ms)) => {
            to_iso_string(*ms).map_or(JsValue::Null, |text| JsValue::String(text.into()))
        }
        Value::Undefined
        | Value::Date(None)
        | Value::Bytes(_)
        | Value::Function(_)
        | Value::HalfPair => JsValue::Undefined,
    }
}
