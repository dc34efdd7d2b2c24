//! A session, built in Rust from the description by Node.js.

use cloakroom_core::{Cookie, CookieMember, JsValue, SessionData, parse_date};

use super::{
    super::express_cookie::{assign, new_cookie},
    Given,
    value::Members,
};
use crate::json::{Json, Text};

/// The kind of a session's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieKind {
    /// A cookie of express-session, whose `maxAge` is computed.
    Express,
    /// A plain object.
    Plain,
    /// No cookie, or a value that is not an object.
    None,
}

/// A session that a piece of JavaScript made.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) value: Given,
    /// What `JSON.stringify` throws for the session.
    pub(crate) throws: Option<String>,
    pub(crate) cookie_kind: CookieKind,
    /// The same cookie in Rust.
    pub(crate) cookie: Option<Cookie>,
    /// The record as it is built and printed in Rust, or `None` if JSON cannot express it.
    pub(crate) text: Option<String>,
    /// The session as a Rust program makes it, or `None` if no Rust program can.
    pub(crate) session: Option<SessionData>,
}

impl Described {
    /// # Errors
    ///
    /// If the session cannot be built.
    pub(super) fn of(value: Given, throws: Option<String>, now_ms: i64) -> Result<Self, String> {
        let mut described = Self {
            throws,
            cookie_kind: CookieKind::None,
            cookie: None,
            text: None,
            session: None,
            value,
        };
        let printed = match &described.value {
            Given::Replaced(printed, _) => &**printed,
            value => value,
        };
        let Given::Object(members) = printed else {
            described.text = printed.to_json().ok().flatten().map(|json| json.stringify());
            return Ok(described);
        };
        let members = members.clone();
        let named = members.iter().find(|(name, _)| name == "cookie").map(|(_, value)| value);
        let (kind, cookie) = match named {
            Some(Given::Cookie(options, later)) => {
                (CookieKind::Express, Some(express_cookie(options, later, now_ms)?))
            }
            Some(plain @ Given::Object(_)) => {
                let json = plain.to_json().ok().flatten();
                (CookieKind::Plain, json.and_then(|json| Cookie::from_json(&json.stringify())))
            }
            _ => (CookieKind::None, None),
        };
        (described.cookie_kind, described.cookie) = (kind, cookie);
        if described.throws.is_none() {
            described.build(&members)?;
        }
        Ok(described)
    }

    /// Joins the members and the cookie, which `Cookie` prints, as `JSON.stringify` does.
    fn build(&mut self, members: &Members) -> Result<(), String> {
        let mut printed = Vec::new();
        for (name, value) in members {
            let json = match (value, &self.cookie) {
                (Given::Cookie(..), Some(cookie)) => Json::parse(&cookie.to_json()).ok(),
                _ => value.to_json().map_err(|_| format!("JSON.stringify throws over {name:?}"))?,
            };
            printed.extend(json.map(|json| (name.clone(), json)));
        }
        let text = Json::object(printed.clone()).stringify();
        self.session = inserted(self.cookie.as_ref(), self.cookie_kind, &printed);
        if self.session.is_none() {
            self.session = SessionData::from_json(&*text).ok();
        }
        self.text = Some(text);
        Ok(())
    }

    /// Returns `new Date(cookie.expires)`: `None` if `expires` is falsy, and `Some(None)` for an invalid date.
    pub(crate) fn expires_ms(&self) -> Option<Option<i64>> {
        let expires = self.cookie.as_ref()?.raw(CookieMember::Expires);
        match expires {
            other if !other.is_truthy() => None,
            JsValue::String(text) => Some(parse_date(text)),
            JsValue::Number(ms) => Some(Some(*ms as i64)),
            JsValue::Bool(_) => Some(Some(1)),
            _ => Some(None),
        }
    }

    /// Returns `cookie.maxAge` if it is a number: from the getter of an express-session cookie, or from the member of a
    /// plain object.
    pub(crate) fn max_age_ms(&self, now_ms: i64) -> Option<f64> {
        match self.cookie_kind {
            CookieKind::Express => match self.cookie.as_ref()?.raw(CookieMember::Expires) {
                JsValue::String(text) => parse_date(text).map(|ms| (ms - now_ms) as f64),
                JsValue::Number(number) => Some(*number),
                _ => None,
            },
            CookieKind::Plain => match &self.value {
                Given::Object(members) => {
                    let cookie = members.iter().find(|(name, _)| name == "cookie");
                    cookie.and_then(|(_, value)| value.to_json().ok()??.get("maxAge")?.number())
                }
                _ => None,
            },
            CookieKind::None => None,
        }
    }

    /// Returns true if a store that keeps the given order writes the record `text`. `SessionData` puts the cookie
    /// first.
    pub(crate) fn has_cookie_first(&self) -> bool {
        self.text.as_deref().is_some_and(|text| text.starts_with(r#"{"cookie":{"#))
    }
}

fn express_cookie(options: &Members, later: &Members, now_ms: i64) -> Result<Cookie, String> {
    let pairs = |members: &Members| -> Vec<_> {
        let pair = |(name, value): &(Text, Given)| Some((name.to_str()?, value.to_option()));
        members.iter().filter_map(pair).collect()
    };
    let cookie = new_cookie(&pairs(options), now_ms).map_err(|error| error.to_string());
    let mut cookie = cookie?;
    for (name, value) in pairs(later) {
        assign(&mut cookie, &name, &value, now_ms).map_err(|error| error.to_string())?;
    }
    Ok(cookie)
}

/// Returns the session that a Rust program makes by setting each member, or `None` if `insert` rejects a name or a
/// value.
fn inserted(
    cookie: Option<&Cookie>,
    kind: CookieKind,
    members: &[(Text, Json)],
) -> Option<SessionData> {
    if kind != CookieKind::Express {
        return None;
    }
    let mut session = SessionData::with_cookie(cookie?.clone());
    for (name, value) in members.iter().filter(|(name, _)| name != "cookie") {
        session.insert(&name.to_str()?, value).ok()?;
    }
    Some(session)
}
