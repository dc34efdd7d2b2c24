//! A record there and here: a map of values, which have no order, and a text.

use cloakroom_core::{Error, ErrorKind, Revision, SessionData, TimeToLive};
use serde_json::Value;
use time::OffsetDateTime;
use tower_sessions_core::session::{Id, Record};

/// The life that tower-sessions gives a session without one: two weeks.
pub(crate) const BROWSER_SECONDS: u64 = 14 * 86_400;

/// The last second that `time` has without its feature `large-dates`: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// The member of `data` that has the text of a session, if its values alone would not give that text back: because of
/// the order of its members, or of how they are written.
const TEXT: &str = "cloakroomText";

type Data = std::collections::HashMap<String, Value>;

/// Returns the record for a session, with its `cookie` among the members. Returns `None` if its expiry has passed.
pub(crate) fn record_of(
    id: Id,
    session: &SessionData,
    now_ms: i64,
) -> Result<Option<Record>, Error> {
    let seconds = match session.time_to_live(now_ms) {
        TimeToLive::Expired => return Ok(None),
        TimeToLive::Browser => BROWSER_SECONDS,
        TimeToLive::Seconds(seconds) => seconds,
    };
    if session.contains(TEXT) {
        let message = format!("the name {TEXT:?} is reserved in a store of tower-sessions");
        return Err(Error::new(ErrorKind::InvalidData, "tower-sessions", "set", message));
    }
    let session = session.extended(now_ms);
    let text = session.to_json();
    // What no value can hold, such as a lone surrogate, is in the text alone.
    let mut data: Data = serde_json::from_str(&text).unwrap_or_default();
    if text_of(&data) != text {
        data.insert(TEXT.to_owned(), Value::from(&*text));
    }
    Ok(Some(Record { id, data, expiry_date: date_after(now_ms, seconds) }))
}

/// Whole seconds, because their Redis store cuts the rest off, and the session would end too early.
fn date_after(now_ms: i64, seconds: u64) -> OffsetDateTime {
    let now = now_ms.div_euclid(1_000) + i64::from(now_ms.rem_euclid(1_000) > 0);
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    date(now.saturating_add(seconds))
}

fn date(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds.clamp(0, LAST_SECOND))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Returns the session of a record.
pub(crate) fn session_of(data: &Data) -> Result<SessionData, Error> {
    let text = data.get(TEXT).and_then(Value::as_str).filter(|text| is_text_of(text, data));
    let text = text.map_or_else(|| text_of(data), str::to_owned);
    Ok(SessionData::from_json(text)?.with_revision(Revision::of_text()))
}

/// Returns false if their layer has written other values since the text was written.
fn is_text_of(text: &str, data: &Data) -> bool {
    let values: Data = serde_json::from_str(text).unwrap_or_default();
    values.len() + 1 == data.len()
        && values.iter().all(|(name, value)| data.get(name) == Some(value))
}

/// Returns the text of these values: `cookie` first, as Express writes it, and the other members by their names.
fn text_of(data: &Data) -> String {
    let mut members: Vec<_> = data.iter().filter(|(name, _)| *name != TEXT).collect();
    members.sort_unstable_by_key(|(name, _)| (*name != "cookie", *name));
    let members =
        members.into_iter().map(|(name, value)| format!("{}:{value}", Value::from(&**name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Returns the members of a session for their layer, without `cookie`, and when it expires as far as its cookie says.
pub(crate) fn members_of(
    session: &SessionData,
    now_ms: i64,
) -> Result<(Data, OffsetDateTime), String> {
    let mut data = Data::new();
    for member in session.iter().filter(|member| member.name() != "cookie") {
        let value = serde_json::from_str(member.json()).map_err(|_| {
            // A name can be as long as a record, and a message must fit into a line of a log.
            let name: String = member.name().chars().take(40).collect();
            format!("the member {name:?} is beyond what serde_json reads")
        })?;
        data.insert(member.name().to_owned(), value);
    }
    let in_two_weeks = now_ms.saturating_add(i64::try_from(BROWSER_SECONDS).unwrap_or(0) * 1_000);
    let expires_ms = session.extended(now_ms).cookie().expires_ms().unwrap_or(in_two_weeks);
    Ok((data, date(expires_ms.div_euclid(1_000))))
}

/// Gives a session the members and the expiry of a record. A member whose value is the same stays as it is, byte for
/// byte.
pub(crate) fn write_into(
    session: &mut SessionData,
    record: &Record,
    now_ms: i64,
) -> Result<(), Error> {
    let gone: Vec<String> = session
        .iter()
        .map(|member| member.name().to_owned())
        .filter(|name| name != "cookie" && !record.data.contains_key(name))
        .collect();
    for name in gone {
        session.remove(&name);
    }
    // In one order, so that equal records give equal texts.
    let mut members: Vec<_> = record.data.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in members {
        if name == "cookie" {
            let message = "a session of Express has its cookie under the name \"cookie\"; give the member another name";
            return Err(Error::new(ErrorKind::InvalidData, "tower-sessions", "save", message));
        }
        let current =
            session.get_json(name).and_then(|json| serde_json::from_str::<Value>(json).ok());
        if current.as_ref() != Some(value) {
            session.insert(name, value)?;
        }
    }
    let expires_ms = record.expiry_date.unix_timestamp_nanos() / 1_000_000;
    let expires_ms = i64::try_from(expires_ms).unwrap_or(i64::MAX);
    let max_age_ms = expires_ms.saturating_sub(now_ms);
    let cookie = session.cookie_mut();
    cookie.set_max_age_ms(Some(max_age_ms), now_ms)
}
