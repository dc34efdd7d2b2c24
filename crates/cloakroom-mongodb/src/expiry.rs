//! The expiry of sessions, in milliseconds as in connect-mongo.

use std::time::Duration;

use cloakroom_backend::expires_at_ms;
pub(crate) use cloakroom_backend::later;
use cloakroom_core::SessionData;
use mongodb::bson::{DateTime, Document, doc};

use crate::{MongoOptions, origin::Times};

/// The expiry that a write gives to the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The session expires at this time, in milliseconds since 1970.
    At(i64),
    /// The expiry has passed: the document is deleted.
    Passed,
}

impl MongoOptions {
    /// Returns the expiry of `session`, from its cookie or else from the option `ttl`.
    pub(crate) fn expiry(&self, session: &SessionData, now_ms: i64) -> Expiry {
        expires_at_ms(session, now_ms, self.ttl).map_or(Expiry::Passed, Expiry::At)
    }

    /// Returns the time before which a session must have been written or touched to be touched again, by the option
    /// `touchAfter`.
    pub(crate) fn old_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(millis(self.touch_after))
    }

    /// Returns true if a touch to `expires_ms` can be skipped: the session was written or touched recently, and its
    /// remaining time is between half and all of the new one.
    pub(crate) fn leaves_alone(&self, times: Times, expires_ms: i64, now_ms: i64) -> bool {
        times.last_modified_ms > self.old_ms(now_ms)
            && (half_way(expires_ms, now_ms)..=expires_ms).contains(&times.expires_ms)
    }
}

/// Returns the middle between now and then, in milliseconds since 1970. connect-mongo's `touchAfter` can be longer than
/// a session lives, which would then never be extended; half of the life is the limit here.
pub(crate) fn half_way(then_ms: i64, now_ms: i64) -> i64 {
    now_ms.saturating_add(then_ms.saturating_sub(now_ms) / 2)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Adds the condition that the session is live: it expires later than now, or never. An `expires` that is `null` or not
/// a date counts as past, as in connect-mongo. MongoDB's TTL monitor runs once a minute, so an expired document can
/// still be there.
pub(crate) fn and_live(mut filter: Document, now_ms: i64) -> Document {
    filter.insert(
        "$or",
        [
            doc! { "expires": { "$gt": DateTime::from_millis(now_ms) } },
            doc! { "expires": { "$exists": false } },
        ]
        .to_vec(),
    );
    filter
}

/// Adds the condition that the session is not live.
pub(crate) fn and_past(mut filter: Document, now_ms: i64) -> Document {
    let now = DateTime::from_millis(now_ms);
    filter.insert("expires", doc! { "$exists": true, "$not": { "$gt": now } });
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 4_102_444_800_000;

    #[test]
    fn the_expiry_is_that_of_connect_mongo() {
        let options = MongoOptions::default();
        for (expires, expiry) in [
            ("null", Expiry::At(NOW + 1_209_600_000)),
            ("false", Expiry::At(NOW + 1_209_600_000)),
            (r#""2100-01-01T00:00:01.500Z""#, Expiry::At(NOW + 1_500)),
            ("4102448400000", Expiry::At(NOW + 3_600_000)),
            (r#""2100-01-01T00:00:00.000Z""#, Expiry::Passed),
            (r#""2099-12-31T23:59:59.999Z""#, Expiry::Passed),
            (r#""+275760-09-13T00:00:00.000Z""#, Expiry::At(8_640_000_000_000_000)),
        ] {
            let text = format!(r#"{{"cookie":{{"expires":{expires}}}}}"#);
            let session = SessionData::from_json(text).unwrap();
            assert_eq!(options.expiry(&session, NOW), expiry, "{expires}");
        }
    }

    #[test]
    fn an_end_bounds_every_expiry() {
        for (cookie, ends_at_ms, expiry) in [
            (r#""expires":null"#, NOW + 1_500, Expiry::At(NOW + 1_500)),
            (r#""expires":"2099-12-31T00:00:00.000Z""#, NOW + 1_500, Expiry::At(NOW + 1_500)),
            (r#""originalMaxAge":1000"#, NOW + 1_500, Expiry::At(NOW + 1_000)),
            (r#""originalMaxAge":9000"#, NOW + 1_500, Expiry::At(NOW + 1_500)),
            (r#""originalMaxAge":9000"#, NOW, Expiry::Passed),
        ] {
            let text = format!(r#"{{"cookie":{{{cookie}}},"cloakroomEndsAt":{ends_at_ms}}}"#);
            let session = SessionData::from_json(text)
                .unwrap()
                .with_revision(cloakroom_core::Revision::of_text());
            assert_eq!(MongoOptions::default().expiry(&session, NOW), expiry, "{cookie}");
        }
    }

    #[test]
    fn the_option_ttl_is_the_life_of_browser_sessions_only() {
        let options = MongoOptions { ttl: Duration::from_secs(60), ..MongoOptions::default() };
        for (expires, life_ms) in [("null", 60_000), (r#""2100-01-01T01:00:00.000Z""#, 3_600_000)] {
            let text = format!(r#"{{"cookie":{{"expires":{expires}}}}}"#);
            let session = SessionData::from_json(text).unwrap();
            assert_eq!(options.expiry(&session, NOW), Expiry::At(NOW + life_ms), "{expires}");
        }
    }

    #[test]
    fn a_touch_is_left_out_while_a_session_is_young_and_not_half_way_to_its_end() {
        let options =
            MongoOptions { touch_after: Duration::from_secs(60), ..MongoOptions::default() };
        for (age_ms, left_ms, new_ms, left_alone) in [
            (0, 600_000, 600_000, true),
            (59_999, 540_001, 600_000, true),
            (60_000, 540_000, 600_000, false),
            (30_000, 30_000, 60_000, true),
            (30_001, 29_999, 60_000, false),
            (0, 1_000, 600_000, false),
            (0, 600_000, 599_999, false),
            (0, i64::MAX - NOW, 600_000, false),
        ] {
            let times = Times { last_modified_ms: NOW - age_ms, expires_ms: NOW + left_ms };
            let answer = options.leaves_alone(times, NOW + new_ms, NOW);
            assert_eq!(answer, left_alone, "{age_ms} {left_ms} {new_ms}");
        }
        let times = Times { last_modified_ms: NOW, expires_ms: NOW + 1 };
        assert!(!MongoOptions::default().leaves_alone(times, NOW + 1, NOW));
    }

    #[test]
    fn a_ttl_without_end_does_not_overflow() {
        assert_eq!(later(NOW, Duration::MAX), i64::MAX);
    }
}
