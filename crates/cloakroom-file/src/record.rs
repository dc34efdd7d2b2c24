//! The text of a session's file: the session with one more member, and how long it lives.
//!
//! session-file-store 1.5.0 stores `__lastAccess`, in milliseconds since 1970. A session is live until that time plus
//! the cookie's `originalMaxAge`, or plus the option `ttl` if that is missing or 0. It ignores `expires`. So the time
//! that is stored here is not that of the last access, but the one from which Node.js computes the right expiry.

use std::{borrow::Cow, ops::Range, sync::OnceLock};

use cloakroom_core::{Error, Revision, SessionData, json};

const MEMBER: &str = "__lastAccess";
/// The name as JSON.stringify writes it.
const NAME: &str = r#""__lastAccess":"#;

/// The text of a file.
#[derive(Debug)]
pub(crate) struct Record {
    text: String,
    /// What a call asks of a record more than once, found in one pass over its text.
    facts: OnceLock<Facts>,
}

impl Record {
    /// Returns the record that stores `session`. A member `__lastAccess` of its own gets the store's value in its
    /// place, as in session-file-store.
    pub(crate) fn new(session: &SessionData, expires_ms: i64, ttl_ms: f64) -> Self {
        Self::of_text(session.to_json().into_owned()).with_expiry(expires_ms, ttl_ms)
    }

    pub(crate) fn of_text(text: String) -> Self {
        Self { text, facts: OnceLock::new() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the session, or `None` for a text that means "no session" in Express.
    pub(crate) fn session(&self) -> Result<Option<SessionData>, Error> {
        let session = SessionData::from_record(self.of_session().into_owned().into_bytes())?;
        Ok(session.map(|session| session.with_revision(Revision::of_text())))
    }

    /// Returns true if this is the text that `session` was read from.
    pub(crate) fn is_origin_of(&self, session: &SessionData) -> bool {
        let loaded = session.loaded_json();
        self.of_session() == Facts::of(loaded).without_times(loaded)
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
        let (text, facts) = (self.text(), self.facts());
        if let Some(Range { start, end }) = facts.last_access {
            return Self::of_text(format!("{}{last_ms}{}", &text[..start], &text[end..]));
        }
        let end = text.rfind('}').unwrap_or(text.len());
        let comma = if facts.has_members { "," } else { "" };
        Self::of_text(format!("{}{comma}{NAME}{last_ms}{}", &text[..end], &text[end..]))
    }

    fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| Facts::of(&self.text))
    }

    fn last_access(&self) -> Option<&str> {
        self.facts().last_access.clone().map(|value| &self.text[value])
    }

    /// Returns the text of the session, without the store's own member.
    fn of_session(&self) -> Cow<'_, str> {
        self.facts().without_times(&self.text)
    }

    /// Returns how long the session lives after its `__lastAccess`.
    fn life_ms(&self, ttl_ms: f64) -> f64 {
        self.facts().max_age_ms.filter(|ms| *ms != 0.0).unwrap_or(ttl_ms)
    }
}

/// What a store has to know of the text of a record. If a name occurs twice, the last value counts, as in JavaScript.
#[derive(Debug, Default)]
struct Facts {
    has_members: bool,
    /// Where the value of the last `__lastAccess` stands, and how many there are.
    last_access: Option<Range<usize>>,
    times: usize,
    /// The cookie's `originalMaxAge`.
    max_age_ms: Option<f64>,
}

impl Facts {
    fn of(text: &str) -> Self {
        let (mut facts, mut cookie) = (Self::default(), None);
        for (name, value) in json::members(text).into_iter().flatten() {
            facts.has_members = true;
            if name == MEMBER {
                facts.last_access = place(text, value);
                facts.times += 1;
            } else if name == "cookie" {
                cookie = Some(value);
            }
        }
        let max_age = cookie.and_then(|cookie| member(cookie, "originalMaxAge"));
        facts.max_age_ms = max_age.and_then(|json| json.parse().ok());
        facts
    }

    /// Returns the text that these facts are about without any `__lastAccess`. A record that went through another program
    /// can have several; one by one, removing many of them would take quadratic time.
    fn without_times<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let shorter = match &self.last_access {
            None => None,
            // JSON.stringify writes no white space around the member, but another program may.
            Some(value) if self.times == 1 => cut(text, value).or_else(|| without_any(text)),
            Some(_) => without_any(text),
        };
        shorter.map_or(Cow::Borrowed(text), Cow::Owned)
    }
}

/// Returns the JSON text of a member.
fn member<'t>(text: &'t str, wanted: &str) -> Option<&'t str> {
    json::members(text)?.rfind(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// Returns where a part of a text stands.
fn place(text: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some(start..start + part.len())
}

/// Returns the text without the member whose value stands there, or `None` if white space surrounds it.
fn cut(text: &str, value: &Range<usize>) -> Option<String> {
    let (before, behind) = (text[..value.start].strip_suffix(NAME)?, &text[value.end..]);
    if let Some(before) = before.strip_suffix(',') {
        return Some([before, behind].concat());
    }
    let behind = match behind.strip_prefix(',') {
        Some(next) => next,
        None => behind.starts_with('}').then_some(behind)?,
    };
    before.ends_with('{').then(|| [before, behind].concat())
}

fn without_any(text: &str) -> Option<String> {
    let mut session = SessionData::from_json(text).ok()?;
    session.remove(MEMBER).then(|| session.to_json().into_owned())
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

    #[test]
    fn the_stores_own_member_leaves_nothing_behind() {
        for (text, session) in [
            (r#"{"cookie":{},"__lastAccess":1}"#, r#"{"cookie":{}}"#),
            (r#"{"__lastAccess":1,"cookie":{}}"#, r#"{"cookie":{}}"#),
            (r#"{"a":"__lastAccess","__lastAccess":1,"b":2}"#, r#"{"a":"__lastAccess","b":2}"#),
            (r#"{"a":{"__lastAccess":1}}"#, r#"{"a":{"__lastAccess":1}}"#),
            (r#"{"__lastAccess":1}"#, "{}"),
            (r#"{ "__lastAccess" : 1 , "cookie" : {} }"#, r#"{ "cookie" : {} }"#),
            (r#"{"cookie":{},"\u005f_lastAccess":1}"#, r#"{"cookie":{}}"#),
        ] {
            let record = Record::of_text(text.to_owned());
            let read = record.session().unwrap().unwrap();
            assert_eq!(read.loaded_json(), session);
            assert!(record.is_origin_of(&read), "{text}");
        }
    }

    #[test]
    fn another_expiry_changes_no_other_byte() {
        for (text, moved) in [
            (
                r#"{"cookie":{"originalMaxAge":1000},"__lastAccess":1,"a":1}"#,
                r#"{"cookie":{"originalMaxAge":1000},"__lastAccess":4000,"a":1}"#,
            ),
            (
                r#"{"__lastAccess":1,"__lastAccess": 2 ,"cookie":{"originalMaxAge":0}}"#,
                r#"{"__lastAccess":1,"__lastAccess": 3000 ,"cookie":{"originalMaxAge":0}}"#,
            ),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1},"__lastAccess":3000}"#),
            ("{ }", r#"{ "__lastAccess":3000}"#),
        ] {
            let record = Record::of_text(text.to_owned()).with_expiry(5_000, 2_000.0);
            assert_eq!(record.text(), moved);
            assert_eq!(record.expires_ms(2_000.0), Some(5_000.0));
        }
    }
}
