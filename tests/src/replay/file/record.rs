//! The text of a file as session-file-store 1.5.0 understands it: its time, and what it adds to that.

use cloakroom_core::parse_date;

use crate::json::{Json, Text};

const MEMBER: &str = "__lastAccess";

/// A recorded text, parsed.
pub(super) struct Record(Json);

impl Record {
    /// Returns `None` for what no `JSON.stringify` prints.
    pub(super) fn of(text: &str) -> Option<Self> {
        let json = Json::parse(text).ok()?;
        (matches!(json, Json::Object(_)) && json.stringify() == text).then_some(Self(json))
    }

    /// Returns the time in it, in milliseconds since 1970.
    pub(super) fn last_ms(&self) -> Option<i64> {
        Some(self.0.get(MEMBER)?.number()? as i64)
    }

    /// Returns the text of the session, without the store's member.
    pub(super) fn session(&self) -> String {
        let others = self.0.members().iter().filter(|(name, _)| name != MEMBER);
        Json::object(others.cloned().collect()).stringify()
    }

    /// Returns the text with another time, in the place that JavaScript gives it.
    pub(super) fn at(&self, last_ms: i64) -> String {
        let time = Json::Number(last_ms as f64);
        let mut members = self.0.members().to_vec();
        match members.iter_mut().find(|(name, _)| name == MEMBER) {
            Some((_, value)) => *value = time,
            None => members.push((Text::from(MEMBER), time)),
        }
        Json::object(members).stringify()
    }

    /// How long the session lives from its time on, in milliseconds: `session.cookie.originalMaxAge || ttl`.
    pub(super) fn life_ms(&self, ttl_ms: i64) -> i64 {
        self.max_age_ms().unwrap_or(ttl_ms)
    }

    fn max_age_ms(&self) -> Option<i64> {
        let max_age_ms = self.0.get("cookie")?.get("originalMaxAge")?.number()? as i64;
        Some(max_age_ms).filter(|ms| *ms != 0)
    }

    fn expires_ms(&self) -> Option<i64> {
        match self.0.get("cookie")?.get("expires")? {
            Json::Number(ms) => Some(*ms as i64),
            date => parse_date(&date.text()?),
        }
    }

    /// Returns when the session expires that is written at this time, or `None` if it has expired: by its cookie's date.
    pub(super) fn expiry_ms(&self, now_ms: i64, ttl_ms: i64) -> Option<i64> {
        match self.expires_ms() {
            None => Some(now_ms + ttl_ms),
            later => later.filter(|at| *at > now_ms),
        }
    }

    /// Returns when a session expires that was read before it is touched: by its max age, and not before its date.
    pub(super) fn touched_expiry_ms(&self, now_ms: i64, ttl_ms: i64) -> i64 {
        let by_age = self.max_age_ms().filter(|ms| *ms > 0).map(|ms| now_ms + ms);
        by_age.max(self.expires_ms()).filter(|at| *at > now_ms).unwrap_or(now_ms + ttl_ms)
    }
}
