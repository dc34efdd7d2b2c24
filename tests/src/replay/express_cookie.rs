//! express-session's `new Cookie(options)` and assignments to a cookie, said with cloakroom's `Cookie`.

use cloakroom_core::{Cookie, CookieMember, Error, JsValue};

use super::notation::Value;
use crate::json::Json;

/// Why an option could not be set.
#[derive(Debug)]
pub(crate) enum Unset {
    /// It cannot be said in Rust, for this reason.
    NotApplicable(&'static str),
    /// Cloakroom refuses it.
    Refused(Error),
}

/// What `new Cookie(options)` makes, with the options in their order, which counts.
pub(crate) fn new_cookie(options: &[(String, Value)], now_ms: i64) -> Result<Cookie, Unset> {
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

/// The options of a fixture's object, in order.
pub(crate) fn options(object: &Json) -> Vec<(String, Value)> {
    object
        .members()
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, Value::from(value))))
        .collect()
}

/// What `cookie[name] = value` does.
pub(crate) fn assign(cookie: &mut Cookie, name: &str, value: &Value, now_ms: i64) -> Result<(), Unset> {
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
    cookie.set_raw(member, js_value(value)?);
    Ok(())
}

/// The setter of `maxAge`: a number counts from now, a date is the expiry, something falsy is kept as it is.
fn assign_max_age(cookie: &mut Cookie, value: &Value, now_ms: i64) -> Result<(), Unset> {
    match value {
        Value::Plain(Json::Number(age)) if !age.is_finite() => {
            Err(Unset::NotApplicable("a maxAge that is no finite number: the setters take integers"))
        }
        Value::Plain(Json::Number(age)) => {
            // A JavaScript date cuts fractions off towards 1970.
            let expires = (now_ms as f64 + age).trunc();
            cookie.set_max_age_ms(Some((expires - now_ms as f64) as i64), now_ms).map_err(Unset::Refused)
        }
        Value::Date(_) => assign_expires(cookie, value, now_ms),
        other if js_value(other)?.is_truthy() => {
            Err(Unset::NotApplicable("a maxAge over whose type Express throws: the setters take integers"))
        }
        falsy => assign_expires(cookie, falsy, now_ms),
    }
}

/// The setter of `expires`: takes anything, and makes `originalMaxAge` what the getter of `maxAge` then says.
fn assign_expires(cookie: &mut Cookie, value: &Value, now_ms: i64) -> Result<(), Unset> {
    match value {
        Value::Date(Some(ms)) => cookie.set_expires_ms(Some(*ms), now_ms).map_err(Unset::Refused),
        Value::Plain(Json::Null) => cookie.set_expires_ms(None, now_ms).map_err(Unset::Refused),
        other => {
            let value = js_value(other)?;
            cookie.set_raw(CookieMember::Expires, value.clone());
            cookie.set_raw(CookieMember::OriginalMaxAge, value);
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
pub(crate) fn js_value(value: &Value) -> Result<JsValue, Unset> {
    Ok(match value {
        Value::Undefined => JsValue::Undefined,
        Value::Plain(Json::Null) => JsValue::Null,
        Value::Plain(Json::Bool(value)) => JsValue::Bool(*value),
        Value::Plain(Json::Number(value)) => JsValue::Number(*value),
        Value::Plain(json) => match json.text() {
            Some(text) => JsValue::String(text.into()),
            None => JsValue::Other(json.stringify().into()),
        },
        Value::Date(None) => return Err(Unset::NotApplicable("an invalid Date: there is no such value in Rust")),
        Value::Date(_) | Value::Bytes(_) | Value::Function(_) | Value::HalfPair => {
            return Err(Unset::NotApplicable("a cookie option that is a JavaScript object"));
        }
    })
}
