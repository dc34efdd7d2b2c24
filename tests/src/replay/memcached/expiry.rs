//! The exptime of a session by connect-memcached's rule, and by ours.

use cloakroom_core::{Clock, parse_date};

use super::{Options, Recorded};
use crate::{
    json::Json,
    replay::{
        Outcome,
        report::Checks,
        script::{CookieKind, Described},
    },
};

const A_SECOND_MORE: Outcome = Outcome::PassedDifferently(
    "a time to live that is rounded down, and again by memcached's clock: here no session ends before its cookie",
);
const IMMORTAL: Outcome = Outcome::PassedDifferently(
    "a session with less than a second to live, which is stored for ever: here it ends",
);
const LOST: Outcome = Outcome::PassedDifferently(
    "a session of more than 30 days, which ends at once: here it is kept",
);
const EXPIRED: Outcome = Outcome::PassedDifferently(
    "a session whose expiry has passed, which is stored: here it is destroyed",
);
const PLAIN_COOKIE: Outcome = Outcome::PassedDifferently(
    "a cookie that is a plain object, which gets a day whatever its expiry: here its expiry counts",
);
const NUMBER: Outcome = Outcome::PassedDifferently(
    "a number as expiry, which counts from now: here it is a date, and 0 means no expiry",
);
const LONG_OPTION: Outcome = Outcome::PassedDifferently(
    "a ttl option of more than 30 days, which memcached reads as a date: here it is a number of seconds",
);

const DAY: i64 = 86_400;
/// The longest time to live in seconds. memcached reads a larger number as a date.
const LONGEST: i64 = 30 * DAY;
/// The last date of memcached. It reads later dates as negative ones.
const LAST_DATE: i64 = i32::MAX as i64;
/// A time in 2023, before every recording.
const BEFORE_RECORDING: i64 = 1_700_000_000;

/// Returns the correct exptime of a session, or `None` if it must be destroyed, and the reason if it differs from
/// connect-memcached's. It also checks that the recorded one follows connect-memcached's rules.
pub(super) fn expiry(
    recorded: &Recorded,
    record: &str,
    described: Option<&Described>,
    options: &Options,
    now_ms: i64,
) -> (Option<i64>, Outcome) {
    let cookie = Json::parse(record).ok().and_then(|record| record.get("cookie").cloned());
    let expires = cookie.and_then(|cookie| cookie.get("expires").cloned()).unwrap_or(Json::Null);
    let expires_ms = match &expires {
        Json::String(text) => text.to_str().and_then(|text| parse_date(&text)),
        Json::Number(ms) if *ms != 0.0 => Some(*ms as i64),
        _ => None,
    };
    let ours = ours(expires_ms, options, now_ms);
    let theirs = recorded.exptime;
    let of_cookie = match (&expires, expires_ms) {
        (Json::Number(number), _) => Some(seconds(*number)),
        (_, Some(ms)) => Some(seconds((ms - now_ms) as f64)),
        _ => None,
    };
    let by_rule = match described {
        _ if options.ttl.is_some() => vec![options.ttl],
        Some(described) => match described.max_age_ms(now_ms) {
            Some(ms) => vec![Some(seconds(ms))],
            None => vec![Some(DAY)],
        },
        // A cookie that is a plain object has no `maxAge`, and the record does not show whether it is one.
        None => vec![of_cookie.or(Some(DAY)), Some(DAY)],
    };
    // An application that wants a session to live for more than 30 days sends a date.
    let sends_date = ours.is_some_and(|ours| ours > LONGEST && (ours - 1..=ours).contains(&theirs));
    let follows_a_rule = by_rule.contains(&Some(theirs)) || options.ttl.is_none() && sends_date;
    if !follows_a_rule {
        let rule = format!("{by_rule:?}");
        return (
            ours,
            Outcome::failed("exptime by connect-memcached's rules", rule, theirs.to_string()),
        );
    }
    let is_plain = match described {
        Some(described) => described.cookie_kind == CookieKind::Plain,
        None => of_cookie.is_some_and(|own| own != theirs) && theirs == DAY,
    };
    let why = match ours {
        Some(ours) if ours == theirs || sends_date => Outcome::Passed,
        _ if options.ttl.is_some_and(|ttl| ttl > LONGEST) => LONG_OPTION,
        _ if is_plain => PLAIN_COOKIE,
        _ if matches!(expires, Json::Number(_)) => NUMBER,
        None => EXPIRED,
        Some(_) if theirs == 0 => IMMORTAL,
        Some(_) if !(0..=LONGEST).contains(&theirs) => LOST,
        Some(ours) if (1..=2).contains(&(ours - theirs)) => A_SECOND_MORE,
        Some(ours) => Outcome::failed("exptime", ours.to_string(), theirs.to_string()),
    };
    (ours, why)
}

/// Returns `(ms / 1000) | 0`.
fn seconds(ms: f64) -> i64 {
    i64::from((ms / 1_000.0).trunc() as i64 as i32)
}

fn ours(expires_ms: Option<i64>, options: &Options, now_ms: i64) -> Option<i64> {
    let lasting = |seconds: i64, more: i64| {
        let date = now_ms.div_euclid(1_000) + seconds + more;
        match seconds {
            _ if seconds <= LONGEST => LONGEST.min(seconds + more),
            _ if date <= LAST_DATE => date,
            _ => 0,
        }
    };
    match (options.ttl, expires_ms) {
        (Some(seconds), _) => Some(lasting(seconds, 0)),
        (None, None) => Some(lasting(DAY, 0)),
        (None, Some(ms)) => {
            let left_ms = ms - now_ms;
            let seconds = left_ms.max(0).unsigned_abs().div_ceil(1_000) as i64;
            (left_ms > 0).then(|| lasting(seconds, 1))
        }
    }
}

/// Checks whether the session can have existed right after it was stored with this exptime, by the server's clock.
pub(super) fn check_stored(recorded: &Recorded, checks: &mut Checks) {
    let now = Clock::system().now_ms() / 1_000;
    let is_there = match recorded.exptime {
        0..=LONGEST => true,
        ..0 => false,
        date if date <= BEFORE_RECORDING => false,
        date if date > LAST_DATE => false,
        date if date > now => true,
        // The exptime has passed since then, or had passed before.
        _ => recorded.stored,
    };
    checks.equal("stored", is_there, recorded.stored);
}
