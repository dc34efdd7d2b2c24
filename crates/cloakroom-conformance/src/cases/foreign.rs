//! Records that another program writes and reads, mostly Node.js with the npm package that the store is a counterpart
//! of.

use std::time::Duration;

use cloakroom_core::{Error, ErrorKind, SessionData, TimeToLive, Updated};
use futures::StreamExt;

use crate::{
    StoreUnderTest,
    calls::{call, told},
    failure::{Failure, Verdict, broken, check},
    probe::{HOUR_MS, shown},
};

/// A record as express-session writes it, with details that other languages tend to lose.
const RECORD: &str = r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"n":1.0,"half":"\ud83d","long":12345678901234567890,"passport":{"user":"ann"}}"#;
/// Records that are not sessions. Each contains a word that no error may quote.
const CORRUPT: [&str; 5] =
    [r#"{"cookie":{},"who":"squirrel"#, "squirrel", r#"["squirrel"]"#, r#""squirrel""#, "4267"];
const SECRETS: [&str; 2] = ["squirrel", "4267"];

/// The tolerance for a time to live: one side rounds up, the other down, and a backend has its own ticks.
const APART: Duration = Duration::from_secs(2);

async fn record(subject: &StoreUnderTest, sid: &str) -> Result<String, Failure> {
    let record = subject.raw()?.record(sid).await?;
    record.ok_or_else(|| broken(format_args!("the backend has no record under {}", shown(sid))))
}

/// Checks that the backend has this record under the id.
async fn is_stored(subject: &StoreUnderTest, sid: &str, wanted: &str) -> Verdict {
    let stored = record(subject, sid).await?;
    check(
        stored == wanted,
        format_args!("the record is {} instead of {}", shown(&stored), shown(wanted)),
    )
}

/// Checks that the call failed as `Corrupt`. Any other kind would make the layer treat the record as an outage.
fn is_corrupt(operation: &str, planted: &str, outcome: Result<(), Error>) -> Verdict {
    let got = match outcome {
        Ok(()) => "success".to_owned(),
        Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(()),
        Err(error) => error.to_string(),
    };
    Err(broken(format_args!("{operation} of {} is {got}, not `Corrupt`", shown(planted))))
}

/// Node.js wrote the record; its user must be logged in here too, with every byte of it.
pub(crate) async fn a_foreign_record_is_read(subject: &StoreUnderTest) -> Verdict {
    subject.raw()?.put("id", RECORD).await?;
    let read = subject.read("id").await?;
    let text = read.loaded_json();
    check(text == RECORD, format_args!("{} was read as {}", shown(RECORD), shown(text)))
}

/// Node.js reads the record with `JSON.parse`. A wrapper around it, or another encoding, would log the user out there.
pub(crate) async fn a_session_is_stored_as_its_text(subject: &StoreUnderTest) -> Verdict {
    subject.raw()?;
    let session = SessionData::from_json(RECORD)?;
    subject.store().set("id", &session).await?;
    is_stored(subject, "id", RECORD).await
}

/// Rust changes one member, and all that Node.js or its middlewares keep in the others stays.
pub(crate) async fn a_foreign_record_keeps_what_nobody_changes(
    subject: &StoreUnderTest,
) -> Verdict {
    subject.raw()?.put("id", RECORD).await?;
    let mut session = subject.read("id").await?;
    session.insert("n", 2)?;
    subject.store().set("id", &session).await?;
    is_stored(subject, "id", &RECORD.replace("1.0", "2")).await
}

/// Express leaves such records behind when it only touches. Their users are logged in there.
pub(crate) async fn a_foreign_record_with_a_stale_cookie_is_alive(
    subject: &StoreUnderTest,
) -> Verdict {
    let record =
        r#"{"cookie":{"originalMaxAge":5000,"expires":"2001-01-01T00:00:00.000Z"},"who":"ann"}"#;
    subject.raw()?.put("id", record).await?;
    subject.is_there("id").await
}

/// express-session starts a new session for a stored value that is falsy. An error here would lock out a user whom
/// Node.js serves.
pub(crate) async fn what_express_takes_for_no_session_is_none(subject: &StoreUnderTest) -> Verdict {
    for record in ["null", "false", "0", "\"\"", "", " null\n"] {
        subject.raw()?.put("id", record).await?;
        if subject.store().get("id").await?.is_some() {
            return Err(broken(format_args!("{record:?} was read as a session")));
        }
    }
    Ok(())
}

/// The same record must mean the same to both ways of reading.
pub(crate) async fn get_and_touch_of_no_session_is_none(subject: &StoreUnderTest) -> Verdict {
    let atomic = subject.atomic()?;
    for record in ["null", "\"\""] {
        subject.raw()?.put("id", record).await?;
        if atomic.get_and_touch("id", None).await?.is_some() {
            return Err(broken(format_args!("{record:?} was read as a session")));
        }
    }
    Ok(())
}

/// cloakroom-tower's safe preset answers `Corrupt` with a new session. Taken for a broken backend, the record would
/// lock its user out until the cookie expires.
pub(crate) async fn what_is_not_a_session_is_corrupt(subject: &StoreUnderTest) -> Verdict {
    for planted in CORRUPT {
        subject.raw()?.put("id", planted).await?;
        is_corrupt("get", planted, subject.store().get("id").await.map(drop))?;
    }
    Ok(())
}

/// `Gone` or a conflict without a record would make the caller drop a change, or repeat it for ever.
pub(crate) async fn conditional_calls_on_what_is_not_a_session_are_corrupt(
    subject: &StoreUnderTest,
) -> Verdict {
    let (raw, atomic) = (subject.raw()?, subject.atomic()?);
    for planted in CORRUPT {
        subject.store().set("id", &subject.lasting("ann")?).await?;
        let mut session = subject.read("id").await?;
        session.insert("who", "bob")?;
        raw.put("id", planted).await?;
        is_corrupt("update", planted, atomic.update("id", &session).await.map(drop))?;
        is_corrupt("get_and_touch", planted, atomic.get_and_touch("id", None).await.map(drop))?;
    }
    Ok(())
}

/// Errors go to logs, which more people read than the sessions. Parsers' messages often quote their input.
pub(crate) async fn a_corrupt_record_is_not_quoted(subject: &StoreUnderTest) -> Verdict {
    for planted in CORRUPT {
        subject.store().set("the-secret-id", &subject.lasting("ann")?).await?;
        let session = subject.read("the-secret-id").await?;
        // The session has a revision, so `update` gets as far as comparing it with what is stored now.
        subject.raw()?.put("the-secret-id", planted).await?;
        for operation in ["get", "update", "get_and_touch", "all"] {
            let outcome = call(subject.store(), operation, "the-secret-id", &session).await;
            let Some(Err(error)) = outcome else { continue };
            let text = told(&error);
            let quoted =
                SECRETS.iter().chain(&["the-secret-id"]).find(|word| text.contains(**word));
            check(quoted.is_none(), format_args!("{operation} quotes {quoted:?} in {text}"))?;
        }
    }
    Ok(())
}

/// Otherwise one broken record would lock its user out for as long as it lives.
pub(crate) async fn a_corrupt_record_can_be_replaced(subject: &StoreUnderTest) -> Verdict {
    let session = subject.lasting("ann")?;
    for planted in CORRUPT {
        subject.raw()?.put("id", planted).await?;
        subject.store().set("id", &session).await?;
        subject.holds("id", &session).await?;
    }
    Ok(())
}

/// A logout must work even if the record cannot be read.
pub(crate) async fn a_corrupt_record_can_be_destroyed(subject: &StoreUnderTest) -> Verdict {
    for planted in CORRUPT {
        subject.raw()?.put("id", planted).await?;
        subject.store().destroy("id").await?;
        let left = subject.raw()?.record("id").await?.is_some();
        check(!left, format_args!("{} still exists", shown(planted)))?;
    }
    Ok(())
}

/// One broken record must not hide the sessions of everybody else.
pub(crate) async fn all_goes_on_after_a_corrupt_record(subject: &StoreUnderTest) -> Verdict {
    const LIVE: usize = 30;
    let raw = subject.raw()?;
    // Reports the parts that the store lacks.
    subject.all().await?;
    for number in 0..LIVE {
        subject.store().set(&format!("id-{number}"), &subject.lasting("ann")?).await?;
    }
    // A stored `null` means "no session" in Express. A listing may leave it out or report it as corrupt.
    for (sid, planted) in [("corrupt", CORRUPT[0]), ("text", CORRUPT[1]), ("none", "null")] {
        raw.put(sid, planted).await?;
    }
    let listed: Vec<_> = subject.enumerate()?.all().collect().await;
    let (sessions, errors): (Vec<_>, Vec<_>) = listed.into_iter().partition(Result::is_ok);
    for error in errors.iter().filter_map(|error| error.as_ref().err()) {
        check(
            error.kind() == ErrorKind::Corrupt,
            format_args!("a record that cannot be read is listed as: {error}"),
        )?;
    }
    check(
        sessions.len() >= LIVE && errors.len() >= 2,
        format_args!(
            "{LIVE} sessions and 2 corrupt records are listed as {} sessions and {} errors",
            sessions.len(),
            errors.len()
        ),
    )
}

/// The other record has the same length and no version of ours: only a comparison of the content notices it.
pub(crate) async fn update_notices_a_foreign_write(subject: &StoreUnderTest) -> Verdict {
    let (raw, atomic) = (subject.raw()?, subject.atomic()?);
    raw.put("id", RECORD).await?;
    let mut ours = subject.read("id").await?;
    ours.insert("theme", "dark")?;
    // This record has the same length as the one that was read.
    let theirs = RECORD.replace("ann", "bob");
    raw.put("id", &theirs).await?;
    let Updated::Conflict(mut current) = atomic.update("id", &ours).await? else {
        return Err(broken("update did not notice the write of another program"));
    };
    let text = current.loaded_json();
    check(text == theirs, format_args!("the conflict contains {}", shown(text)))?;
    is_stored(subject, "id", &theirs).await?;
    // What a caller does after a conflict. Both changes must be in the record then.
    current.merge(&ours);
    if !matches!(atomic.update("id", &current).await?, Updated::Stored(_)) {
        return Err(broken("nobody has written since, but the second try was not stored"));
    }
    is_stored(subject, "id", &current.to_json()).await
}

/// Whoever stored `null` ended the session. An update must not bring it back.
pub(crate) async fn update_of_a_foreign_none_is_gone(subject: &StoreUnderTest) -> Verdict {
    let (raw, atomic) = (subject.raw()?, subject.atomic()?);
    subject.store().set("id", &subject.lasting("ann")?).await?;
    let mut session = subject.read("id").await?;
    session.insert("who", "bob")?;
    raw.put("id", "null").await?;
    match atomic.update("id", &session).await? {
        Updated::Gone => is_stored(subject, "id", "null").await,
        updated => Err(broken(format_args!("update over a stored `null` returned {updated:?}"))),
    }
}

/// A touch with an older copy must not undo what Node.js has written since.
pub(crate) async fn touch_leaves_the_stored_record_as_it_is(subject: &StoreUnderTest) -> Verdict {
    subject.raw()?.put("id", RECORD).await?;
    let mut session = subject.read("id").await?;
    session.insert("who", "bob")?;
    // Another member, and another expiry: a store that wrote either into the record would show it.
    session.cookie_mut().set_max_age_ms(Some(HOUR_MS / 2), subject.now_ms())?;
    subject.touch("id", &session).await?;
    is_stored(subject, "id", RECORD).await
}

/// Data that a user was told is gone must not wait in the backend for a clean-up.
pub(crate) async fn a_passed_expiry_leaves_no_record(subject: &StoreUnderTest) -> Verdict {
    let raw = subject.raw()?;
    // Rounded up to seconds, the first two are zero, not a negative number.
    for passed_ms in [1, 999, 60_000] {
        subject.store().set("id", &subject.lasting("ann")?).await?;
        subject.is_there("id").await?;
        let expired = subject.session("ann", Some(-passed_ms))?;
        subject.store().set("id", &expired).await?;
        let left = raw.record("id").await?;
        check(
            left.is_none(),
            format_args!("the backend keeps what expired {passed_ms} ms ago: {left:?}"),
        )?;
    }
    Ok(())
}

/// The backend has to end the session even if no process of ours runs any more.
pub(crate) async fn the_backend_counts_the_sessions_time(subject: &StoreUnderTest) -> Verdict {
    let raw = subject.raw()?;
    for ms in [3_600_000, 600_500, 1_500_000_000] {
        let session = subject.session("ann", Some(ms))?;
        let sid = format!("{ms}-ms");
        subject.store().set(&sid, &session).await?;
        let before = session.time_to_live(subject.now_ms());
        let left = raw.time_left(&sid).await?;
        let after = session.time_to_live(subject.now_ms());
        let (TimeToLive::Seconds(most), TimeToLive::Seconds(least)) = (before, after) else {
            return Err(Failure::TooSlow("a session of ten minutes has ended".into()));
        };
        let [most, least] = [most, least].map(Duration::from_secs);
        check(
            left.is_some_and(|left| left <= most + APART && left + APART >= least),
            format_args!(
                "a session that should live for {least:?} to {most:?} lives for {left:?} in the backend"
            ),
        )?;
    }
    Ok(())
}
