//! express-session's `new Cookie(options)` and assignments to a cookie, expressed with cloakroom's `Cookie`.

use cloakroom_core::{Cookie, CookieMember, Error, JsValue, to_iso_string};

use super::notation::Value;
use crate::json::Json;

/// Cookie options. Their order matters.
pub(super) type Options = [(String, Value)];

/// Returns the cookie that `new Cookie(options)` creates. The options must not be among those of
/// [`not_applicable`](super::not_applicable).
///
/// # Errors
///
/// If cloakroom rejects a value: an expiry beyond JavaScript's dates.
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

/// Returns the options in an object of a fixture.
pub(super) fn options(object: &Json) -> Vec<(String, Value)> {
    let members = object.members().iter();
    members.filter_map(|(name, value)| Some((name.to_str()?, Value::from(value)))).collect()
}

/// Does what `cookie[name] = value` does.
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
        // Express keeps other options on the object but never writes them; it skips `data`.
        _ => return Ok(()),
    };
    cookie.set_raw(member, js_value(value));
    Ok(())
}

/// Does what the setter of `maxAge` does: a number counts from now, a date is the expiry, and a falsy value is kept.
fn assign_max_age(cookie: &mut Cookie, value: &Value, now_ms: i64) -> Result<(), Error> {
    let Value::Plain(Json::Number(age)) = value else {
        return assign_expires(cookie, value, now_ms);
    };
    // An age that is not finite makes the date invalid, and so does one beyond all dates.
    if !age.is_finite() {
        return cookie.set_max_age_ms(Some(i64::MAX), now_ms);
    }
    // A JavaScript date truncates fractions towards 1970.
    let expires = (now_ms as f64 + age).trunc();
    cookie.set_max_age_ms(Some((expires - now_ms as f64) as i64), now_ms)
}

/// Does what the setter of `expires` does: it accepts anything, and sets `originalMaxAge` to the result of the getter
/// `maxAge`.
fn assign_expires(cookie: &mut Cookie, value: &Value, now_ms: i64) -> Result<(), Error> {
    match value {
        Value::Date(Some(ms)) => cookie.set_expires_ms(Some(*ms), now_ms),
        // Only a number of milliseconds beyond all dates can express an invalid date.
        Value::Date(None) => cookie.set_expires_ms(Some(i64::MAX), now_ms),
        Value::Plain(Json::Null) => cookie.set_expires_ms(None, now_ms),
        other => {
            cookie.set_raw(CookieMember::Expires, js_value(other));
            cookie.set_raw(CookieMember::OriginalMaxAge, js_value(other));
            Ok(())
        }
    }
}

/// Returns what the getter of `maxAge` returns, if the setters above set `expires`.
fn max_age(cookie: &Cookie, now_ms: i64) -> JsValue {
    match (cookie.raw(CookieMember::Expires), cookie.expires_ms()) {
        (JsValue::String(_), Some(expires_ms)) => JsValue::Number((expires_ms - now_ms) as f64),
        (other, _) => other.clone(),
    }
}

/// Returns the value of a cookie's member.
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
