//! The text of a session's file: the session with one more member, and how long it lives.
//!
//! session-file-store 1.5.0 stores `__lastAccess`, in milliseconds since 1970. A session is live until that time plus
//! the cookie's `originalMaxAge`, or plus the option `ttl` if that is missing or 0. It ignores `expires`. So the time
//! that is stored here is not that of the last access, but the one from which Node.js computes the right expiry.

use std::borrow::Cow;

use cloakroom_core::{Error, Revision, SessionData, json};

const MEMBER: &str = "__lastAccess";
/// The name as JSON.stringify writes it.
const NAME: &str = r#""__lastAccess":"#;

/// The text of a file.
#[derive(Debug, PartialEq)]
pub(crate) struct Record(String);

impl Record {
    /// Returns the record that stores `session`. A member `__lastAccess` of its own gets the store's value in its
    /// place, as in session-file-store.
    pub(crate) fn new(session: &SessionData, expires_ms: i64, ttl_ms: f64) -> Self {
        Self(session.to_json().into_owned()).with_expiry(expires_ms, ttl_ms)
    }

    pub(crate) fn of_text(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Returns the session, or `None` for a text that means "no session" in Express.
    pub(crate) fn session(&self) -> Result<Option<SessionData>, Error> {
        let session = SessionData::from_record(without(&self.0).into_owned().into_bytes())?;
        Ok(session.map(|session| session.with_revision(Revision::of_text())))
    }

    /// Returns true if this is the text that `session` was read from.
    pub(crate) fn is_origin_of(&self, session: &SessionData) -> bool {
        without(&self.0) == without(session.loaded_json())
    }

    /// Returns true if it has expired.
    pub(crate) fn is_expired(&self, now_ms: i64, ttl_ms: f64) -> bool {
        self.expires_ms(ttl_ms).is_some_and(|expires_ms| expires_ms < now_ms as f64)
    }

    /// Returns when it expires, in milliseconds since 1970. A record without a time never does, because JavaScript
    /// compares with `NaN`.
    pub(crate) fn expires_ms(&self, ttl_ms: f64) -> Option<f64> {
        // What JavaScript adds for a value that is not a number.
        let last_ms = self.last_access().and_then(|json| match json {
            "null" | "false" => Some(0.0),
            "true" => Some(1.0),
            json => json.parse::<f64>().ok(),
        });
        last_ms.map(|last_ms| last_ms + self.life_ms(ttl_ms))
    }

    /// Returns the same record with another expiry. Every other byte stays.
    pub(crate) fn with_expiry(&self, expires_ms: i64, ttl_ms: f64) -> Self {
        let life_ms = self.life_ms(ttl_ms);
        let last_ms = expires_ms as f64 - if life_ms.is_finite() { life_ms } else { 0.0 };
        let text = &self.0;
        if let Some(place) = self.last_access().and_then(|value| place(text, value)) {
            return Self(format!("{}{last_ms}{}", &text[..place], self.behind(place)));
        }
        let end = text.rfind('}').unwrap_or(text.len());
        let comma =
            if json::members(text).is_some_and(|mut all| all.next().is_some()) { "," } else { "" };
        Self(format!("{}{comma}{NAME}{last_ms}{}", &text[..end], &text[end..]))
    }

    fn behind(&self, place: usize) -> &str {
        let length = self.last_access().map_or(0, str::len);
        &self.0[place + length..]
    }

    fn last_access(&self) -> Option<&str> {
        member(&self.0, MEMBER)
    }

    /// Returns how long the session lives after its `__lastAccess`.
    fn life_ms(&self, ttl_ms: f64) -> f64 {
        let max_age = member(&self.0, "cookie").and_then(|cookie| member(cookie, "originalMaxAge"));
        let max_age_ms = max_age.and_then(|json| json.parse::<f64>().ok());
        max_age_ms.filter(|ms| *ms != 0.0).unwrap_or(ttl_ms)
    }
}

/// Returns the JSON text of a member. If the name occurs twice, the last value counts, as in JavaScript.
fn member<'t>(text: &'t str, wanted: &str) -> Option<&'t str> {
    json::members(text)?.rfind(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// Returns the position at which a part of a text begins.
fn place(text: &str, part: &str) -> Option<usize> {
    (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)
}

/// Returns the text of a session without the store's own member. A record that went through another program can have
/// several; one by one, removing many of them would take quadratic time.
fn without(text: &str) -> Cow<'_, str> {
    match without_last(text) {
        None => Cow::Borrowed(text),
        Some(shorter) if member(&shorter, MEMBER).is_none() => Cow::Owned(shorter),
        Some(shorter) => Cow::Owned(without_any(&shorter).unwrap_or(shorter)),
    }
}

fn without_any(text: &str) -> Option<String> {
    let mut session = SessionData::from_json(text).ok()?;
    session.remove(MEMBER).then(|| session.to_json().into_owned())
}

/// Returns the text without the last `__lastAccess`, or `None` if it has none.
fn without_last(text: &str) -> Option<String> {
    let value = member(text, MEMBER)?;
    let begin = place(text, value)?;
    let behind = &text[begin + value.len()..];
    if let Some(before) = text[..begin].strip_suffix(NAME) {
        if let Some(before) = before.strip_suffix(',') {
            return Some([before, behind].concat());
        }
        if before.ends_with('{')
            && let Some(behind) =
                behind.strip_prefix(',').or(behind.strip_prefix('}').map(|_| behind))
        {
            return Some([before, behind].concat());
        }
    }
    // JSON.stringify writes no white space around the member, but another program may.
    without_any(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_times_are_removed_at_once() {
        // Removed one by one, these take hours.
        let times = ",\"__lastAccess\":1".repeat(200_000);
        let record = Record::of_text(format!("{{\"cookie\":{{}}{times},\"a\":1}}"));
        let session = record.session().unwrap().unwrap();
        assert_eq!(session.loaded_json(), r#"{"cookie":{},"a":1}"#);
        assert!(record.is_origin_of(&session));
    }
}
