//! The commands on one session: `get` and `touch`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloakroom::{SessionData, Touched, date::to_iso_string};

use crate::{
    args::{Get, Touch},
    failure::{End, Failure},
    pretty::pretty,
    stores::{existing, refuse_as_id},
    terminal::{argument, note, plain, put, say, span},
};

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) async fn get(args: &Get) -> Result<End, Failure> {
    let sessions = existing(&args.store.store)?;
    refuse_as_id(&args.id)?;
    let Some(session) = sessions.get(&argument(&args.id)?).await? else {
        note("cloakroom: no session has this id");
        return Ok(End::Differs);
    };
    let text = session.loaded_json();
    if args.raw {
        put(text.as_bytes())?;
        return Ok(End::Well);
    }
    say(format_args!("size     {} bytes", text.len()))?;
    say(format_args!("expires  {}", expiry(&session)))?;
    // A control character in a text is escaped in JSON, but not every program writes JSON so.
    let shown: Vec<String> = pretty(text).lines().map(plain).collect();
    say(shown.join("\n"))?;
    Ok(End::Well)
}

/// Says when a session ends by its record. The store can keep it for longer, because Node.js leaves the record stale.
pub(crate) fn expiry(session: &SessionData) -> String {
    let cookie = session.cookie();
    let Some(at_ms) = cookie.expires_ms().or(session.ends_at_ms()) else {
        return "with the browser".to_owned();
    };
    let date = to_iso_string(at_ms).unwrap_or_else(|| "an invalid date".to_owned());
    let apart = Duration::from_millis(at_ms.abs_diff(now_ms()));
    match (at_ms > now_ms(), cookie.original_max_age_ms()) {
        (true, _) => format!("{date}, in {}", span(apart)),
        (false, None) => format!("{date}, {} ago by its cookie; the store has it", span(apart)),
        (false, Some(_)) => format!(
            "{date}, {} ago by its cookie, which Node.js leaves stale; the store has it",
            span(apart)
        ),
    }
}

pub(crate) async fn touch(args: &Touch) -> Result<End, Failure> {
    let sessions = existing(&args.store.store)?;
    refuse_as_id(&args.id)?;
    let sid = argument(&args.id)?;
    let Some(session) = sessions.get(&sid).await? else {
        note("cloakroom: no session has this id");
        return Ok(End::Differs);
    };
    match sessions.touch(&sid, &session).await? {
        Touched::Extended => say("extended")?,
        Touched::NotDue => say("not due: the store extends a session once per touchAfter")?,
        Touched::NotOffered => return Err(Failure::usage("the store does not offer touch")),
        _ => {
            note("cloakroom: no session has this id");
            return Ok(End::Differs);
        }
    }
    Ok(End::Well)
}
