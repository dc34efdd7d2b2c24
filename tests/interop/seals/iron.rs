//! iron-session 8.

use cloakroom_authjs::{
    iron_session::{IronSession, IronSessionOptions, Passwords},
    sealed::{Content, Refusal},
};
use cloakroom_core::json;
use serde_json::json;

use super::{NOW_MS, Npm, damaged, header, json_of, random_session, seed};

const FIRST: &str = "the first password, of 32 characters or more";
const SECOND: &str = "the second password, of 32 characters or more €";

#[test]
#[ignore = "needs the npm packages"]
fn iron_session_reads_what_we_seal_and_we_read_what_it_seals() {
    let (mut npm, mut dice) = (Npm::start(&[]), seed());
    for round in 0..40 {
        let (passwords, theirs) = match round % 3 {
            0 => (Passwords::new(FIRST), json!(FIRST)),
            1 => (
                Passwords::with_ids([(2, FIRST), (10, SECOND)]),
                json!({ "2": FIRST, "10": SECOND }),
            ),
            // A site can take the time of the password for its id.
            _ => (
                Passwords::with_ids([(7, FIRST), (1_700_000_000_000, SECOND)]),
                json!({ "7": FIRST, "1700000000000": SECOND }),
            ),
        };
        let ttl = dice.pick(&[0, 61, 3_600, 1_209_600]);
        let options = IronSessionOptions::default().with_ttl(ttl);
        let ours = IronSession::with_options("sid", passwords.unwrap(), options).unwrap();
        let session = random_session(&mut dice);
        let line = |cookie: &str, set| {
            let options = json!({ "cookieName": "sid", "password": theirs, "ttl": ttl });
            let mut line = json!({ "package": "iron-session", "now_ms": NOW_MS, "options": options, "cookie": cookie });
            if let Some(set) = set {
                line["set"] = set;
            }
            line
        };

        let content = Content::from_json(json::stringify(&session).unwrap()).unwrap();
        let saved = ours.save(&content, NOW_MS).unwrap();
        let answer = npm.ask(&line(&header([&*saved]), Some(json!({ "more": 1 }))));
        assert_eq!(json_of(answer.session().unwrap()), session);

        let mut more = session.clone();
        more["more"] = json!(1);
        let read = ours.read(answer.cookie().as_bytes(), NOW_MS).unwrap();
        assert_eq!(json_of(read.as_json()), more);
        let attributes = |cookie: &str| cookie.split_once(';').unwrap().1.to_owned();
        assert_eq!(attributes(&saved), attributes(answer.set_cookie()[0]));

        let answer = npm.ask(&line(&header([&*saved]), Some(json!(null))));
        assert_eq!(answer.set_cookie(), [ours.destroy().unwrap()]);
    }
}

/// A seal that is refused here is an empty session there, or an error.
#[test]
#[ignore = "needs the npm packages"]
fn iron_session_refuses_what_we_refuse() {
    let (mut npm, mut dice) = (Npm::start(&[]), seed());
    let sessions = |passwords: Passwords| IronSession::new("sid", passwords).unwrap();
    let both = sessions(Passwords::with_ids([(1, FIRST), (2, SECOND)]).unwrap());
    let mut content = Content::new();
    content.set("user", "hushed").unwrap();
    let good = header([&*both.save(&content, NOW_MS).unwrap()]);

    let mut ask = |cookie: &str, now_ms: i64| {
        let options = json!({ "cookieName": "sid", "password": { "1": FIRST, "2": SECOND } });
        let line = json!({ "package": "iron-session", "now_ms": now_ms, "options": options, "cookie": cookie });
        npm.ask(&line).session().unwrap_or("thrown").to_owned()
    };
    assert_eq!(ask(&good, NOW_MS), r#"{"user":"hushed"}"#);

    // To the millisecond, at both ends of the tolerance.
    let end = NOW_MS + 1_209_600_000;
    for (now_ms, expected) in [(end + 59_999, Ok(())), (end + 60_000, Err(Refusal::Expired))] {
        let theirs = ask(&good, now_ms);
        assert_eq!(both.read(good.as_bytes(), now_ms).map(drop), expected);
        assert_eq!(theirs == "{}", expected.is_err(), "{theirs}");
    }

    let removed = sessions(Passwords::with_ids([(2, SECOND), (3, FIRST)]).unwrap());
    let replaced = sessions(Passwords::with_ids([(1, SECOND), (2, FIRST)]).unwrap());
    for (other, refusal) in [(removed, Refusal::UnknownKey), (replaced, Refusal::NotVerified)] {
        let cookie = header([&*other.save(&content, NOW_MS).unwrap()]);
        assert_eq!(both.read(cookie.as_bytes(), NOW_MS).unwrap_err(), refusal);
        assert_eq!(ask(&cookie, NOW_MS), "{}");
    }

    // Anybody can make iron-session throw with these; here they are refused as everything else is.
    let salt = "0".repeat(64);
    for (seal, refusal) in [
        ("a*b*c*d*e*f*g*h".to_owned(), Refusal::OtherVersion),
        (format!("Fe26.2*toString*{salt}*b*c**{salt}*e~2"), Refusal::UnknownKey),
        (format!("Fe26.2*1*{salt}*b*c*x*{salt}*e~2"), Refusal::Malformed),
    ] {
        let cookie = format!("sid={seal}");
        assert_eq!(both.read(cookie.as_bytes(), NOW_MS).unwrap_err(), refusal);
        assert_eq!(ask(&cookie, NOW_MS), "thrown", "{cookie}");
    }

    for _ in 0..150 {
        let cookie = damaged(&mut dice, &good, "sid=".len());
        let ours = both.read(cookie.as_bytes(), NOW_MS);
        let theirs = ask(&cookie, NOW_MS);
        match ours {
            Ok(ours) => assert_eq!(ours.as_json(), theirs, "{cookie}"),
            Err(refusal) => {
                assert!(["{}", "thrown"].contains(&&*theirs), "{cookie} {refusal} {theirs}");
                assert!(!format!("{refusal} {refusal:?}").contains("hushed"));
            }
        }
    }
}

/// What iron-session would lose, and what makes it throw, can be sealed and not saved.
#[test]
#[ignore = "needs the npm packages"]
fn what_iron_session_would_lose_is_not_saved() {
    let mut npm = Npm::start(&[]);
    let ours = IronSession::new("sid", Passwords::new(FIRST).unwrap()).unwrap();
    for (session, is_saved, offender) in [
        (r#"{"user":"hushed"}"#, true, ""),
        (r#"{"user":"hushed","__proto__":{"a":1},"constructor":1,"toJSON":1,"then":1}"#, true, ""),
        ("null", true, ""),
        (r#"{"user":"hushed","save":1}"#, false, "\"save\""),
        (r#"{"user":"hushed","destroy":{}}"#, false, "\"destroy\""),
        (r#"{"user":"hushed","updateConfig":null}"#, false, "\"updateConfig\""),
        ("\"hushed\"", false, "JSON object"),
        ("1", false, "JSON object"),
        ("true", false, "JSON object"),
        // A list is read, but what is set in it is lost.
        ("[1]", false, "JSON object"),
    ] {
        let content = Content::from_json(session).unwrap();
        let cookie = format!("sid={}", ours.seal(&content, NOW_MS).unwrap());
        let options = json!({ "cookieName": "sid", "password": FIRST });
        let mut line = json!({ "package": "iron-session", "now_ms": NOW_MS, "options": options, "cookie": cookie });
        line["set"] = json!({ "added": 1 });
        let first = npm.ask(&line);
        line["cookie"] = json!(first.cookie());
        line["set"] = json!({});
        let again = npm.ask(&line);
        let is_kept = first.session() == Ok(if session == "null" { "{}" } else { session })
            && again.session().is_ok_and(|again| again.contains("added"));
        assert_eq!(is_kept, is_saved, "{session} {first:?} {again:?}");
        match ours.save(&content, NOW_MS) {
            Ok(_) => assert!(is_saved, "{session}"),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    !is_saved && error.contains(offender) && !error.contains("hushed"),
                    "{error}"
                );
            }
        }
    }
}
