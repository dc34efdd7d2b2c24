//! The record: nothing that was not set changes, whatever happens around it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod changes;

use std::collections::HashMap;

use cloakroom_core::{Clock, Cookie, ErrorKind, Revision, SessionData, TimeToLive};

const COOKIE: &str =
    r#""cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#;
const NOW: i64 = 1_700_000_000_000;

fn load(text: &str) -> SessionData {
    SessionData::from_json(text).unwrap()
}

#[test]
fn an_untouched_record_comes_back_byte_for_byte() {
    for text in [
        format!("{{{COOKIE}}}"),
        format!(
            " {{ \"a\" : 1.0 ,\n{COOKIE}, \"b\":12345678901234567890, \"c\":\"\\ud83d\", \"\\ud800\":1e400 }}\t"
        ),
        format!("{{{COOKIE},\"a\":1,\"a\":2,\"__proto__\":{{}},\"save\":1,\"\":null}}"),
    ] {
        let session = load(&text);
        assert_eq!(session.to_json(), text);
        assert_eq!(session.loaded_json(), text);
        assert!(!session.is_changed() && !session.is_cookie_changed());
    }
}

#[test]
fn one_change_leaves_every_other_byte() {
    let text = format!("{{ \"n\" : 1.0 ,\"x\":\t[ 1 ] , {COOKIE} }}");
    type Change = fn(&mut SessionData);
    let rows: [(Change, String); 6] = [
        (|s| s.insert("n", 2).unwrap(), format!("{{ \"n\" : 2 ,\"x\":\t[ 1 ] , {COOKIE} }}")),
        (|s| s.insert("x", "y").unwrap(), format!("{{ \"n\" : 1.0 ,\"x\":\t\"y\" , {COOKIE} }}")),
        (
            |s| s.insert("new \"", 0).unwrap(),
            format!("{{ \"n\" : 1.0 ,\"x\":\t[ 1 ] , {COOKIE},\"new \\\"\":0 }}"),
        ),
        (|s| assert!(s.remove("n")), format!("{{ \"x\":\t[ 1 ] , {COOKIE} }}")),
        (|s| assert!(s.remove("x")), format!("{{ \"n\" : 1.0 , {COOKIE} }}")),
        (
            |s| s.cookie_mut().set_path(Some("/a")),
            text.replace("\"path\":\"/\"", "\"path\":\"/a\""),
        ),
    ];
    for (change, expected) in rows {
        let mut session = load(&text);
        change(&mut session);
        assert_eq!(session.to_json(), expected);
    }
}

#[test]
fn a_doubled_name_is_read_and_set_as_javascript_does_it() {
    let mut session = load(&format!("{{\"a\":1,{COOKIE},\"\\u0061\":2,\"b\":3,\"a\":4}}"));
    assert_eq!(session.get::<u32>("a").unwrap(), Some(4));
    assert_eq!(
        session.iter().map(|m| (m.name().to_owned(), m.json())).collect::<Vec<_>>(),
        [("a".to_owned(), "4"), ("b".to_owned(), "3")]
    );
    session.insert("a", 5).unwrap();
    assert_eq!(session.to_json(), format!("{{\"a\":5,{COOKIE},\"b\":3}}"));
    session.insert("a", 4).unwrap();
    assert!(!session.is_changed());
    session.remove("a");
    assert_eq!(session.to_json(), format!("{{{COOKIE},\"b\":3}}"));
}

#[test]
fn back_to_the_loaded_value_is_no_change() {
    let mut session = load(&format!("{{{COOKIE},\"a\":1,\"b\":1.0}}"));
    session.insert("a", 2).unwrap();
    session.insert("c", 2).unwrap();
    session.insert("b", 3).unwrap();
    assert_eq!(session.changed_keys().collect::<Vec<_>>(), ["a", "c", "b"]);
    session.insert("a", 1).unwrap();
    session.remove("c");
    session.insert_json("b", "1.0").unwrap();
    assert!(!session.is_changed());
    session.cookie_mut().set_http_only(false);
    assert!(session.is_cookie_changed());
    session.cookie_mut().set_http_only(true);
    assert!(!session.is_cookie_changed());
    assert_eq!(session.to_json(), session.loaded_json());
}

/// Before and after it is stored, which takes the white space away.
#[test]
fn white_space_around_a_json_text_means_nothing() {
    let mut session = load(&format!("{{{COOKIE},\"a\":1}}"));
    session.set_max_age(std::time::Duration::from_secs(60), NOW).unwrap();
    session.insert_json("user", "\r\n 7\t").unwrap();
    session.insert_json("list", " [1, 2]\n").unwrap();
    session.insert_json("a", "1\n").unwrap();
    assert_eq!(session.changed_keys().collect::<Vec<_>>(), ["user", "list"]);
    session.insert_json(SessionData::ENDS_AT, format!(" {}\n", NOW + 30_000)).unwrap();
    for _ in 0..2 {
        assert_eq!(session.get_json("user"), Some("7"));
        assert_eq!(session.get_json("list"), Some("[1, 2]"));
        assert!(session.has_value("user", "7"));
        assert_eq!(session.ends_at_ms(), Some(NOW + 30_000));
        assert_eq!(session.extended(NOW).time_to_live(NOW), TimeToLive::Seconds(30));
        session.mark_stored(Revision::of_text());
    }
}

/// `delete` and then an assignment, in Node.js: the member is last, and Express finds the session modified.
#[test]
fn removed_and_set_again_comes_last() {
    let mut session = load(&format!("{{{COOKIE},\"a\":1,\"b\":2,\"a\":3}}"));
    session.remove("a");
    session.insert("c", 4).unwrap();
    session.insert("a", 3).unwrap();
    assert_eq!(session.to_json(), format!("{{{COOKIE},\"b\":2,\"c\":4,\"a\":3}}"));
    assert_eq!(session.changed_keys().collect::<Vec<_>>(), ["c", "a"]);
    session.remove("a");
    assert_eq!(session.to_json(), format!("{{{COOKIE},\"b\":2,\"c\":4}}"));
}

/// What express-session 1.19.0 stores of them when the handler calls `req.session.save()`.
#[test]
fn a_record_is_loaded_as_express_loads_it() {
    for (stored, loaded) in [
        (
            "{\"cookie\":[],\"n\":1}",
            "{\"cookie\":{\"expires\":null,\"httpOnly\":true,\"path\":\"/\"},\"n\":1}",
        ),
        (
            "{\"n\":1,\"cookie\":{\"path\":\"/\",\"originalMaxAge\":null,\"expires\":null,\"a\":1}}",
            "{\"n\":1,\"cookie\":{\"originalMaxAge\":null,\"expires\":null,\"httpOnly\":true,\"path\":\"/\"}}",
        ),
    ] {
        let mut session = load(stored);
        session.load_as_express().unwrap();
        assert_eq!(session.to_json(), loaded);
        assert!(!session.is_changed());
    }
}

#[test]
fn a_record_without_a_usable_cookie_is_read_and_completed() {
    for (stored, written) in [
        ("{}", format!("{{{COOKIE}}}")),
        ("{ }", format!("{{ {COOKIE}}}")),
        ("{\"n\":1}", format!("{{\"n\":1,{COOKIE}}}")),
        ("{\"cookie\":null,\"n\":1}", format!("{{{COOKIE},\"n\":1}}")),
        ("{\"n\":1,\"cookie\":\"x\"}", format!("{{\"n\":1,{COOKIE}}}")),
        ("{\"cookie\":[]}", format!("{{{COOKIE}}}")),
    ] {
        let mut session = load(stored);
        assert_eq!(session.cookie(), &Cookie::new());
        assert_eq!(session.to_json(), written, "{stored}");
        assert_eq!(session.remove("n"), stored.contains('n') && stored.contains("\"n\":1"));
        assert_eq!(load(&session.to_json()).len(), 0);
    }
}

#[test]
fn what_express_takes_for_no_session_is_none_and_what_breaks_it_is_corrupt() {
    for nothing in ["", "null", "false", "0", "-0", "0.0", "0e5", "1e-400", "\"\"", " null\n"] {
        assert_eq!(SessionData::from_record(nothing.into()).unwrap(), None, "{nothing:?}");
    }
    for broken in [
        "42",
        "true",
        "\"str\"",
        "[1,2]",
        "{",
        "{\"a\":1,}",
        "TOMBSTONE",
        "{\"a\":01}",
        "0.",
        "-",
        "0 1",
        "{\"secret\":ann}",
    ] {
        let error = SessionData::from_record(broken.into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{broken}");
        assert!(!format!("{error} {error:?}").contains("ann"));
    }
    // Kruptein's form. A session of an application, which has a cookie, may have such members.
    let sealed = r#"{"hmac":"eA==","ct":"eA==","iv":"eA==","salt":"eA=="}"#;
    let error = SessionData::from_record(sealed.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("the record is encrypted"), "{error}");
    let open = r#"{"cookie":{},"hmac":"eA==","ct":"eA==","iv":"eA=="}"#;
    assert!(SessionData::from_record(open.into()).unwrap().is_some());
    assert_eq!(
        SessionData::from_record(b"{\"a\":\"\xff\"}".to_vec()).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

#[test]
fn reading_one_member_as_the_wrong_type_tells_nothing_of_it() {
    let session = load(r#"{"cookie":{},"user":"ann","half":"\ud83d","none":null}"#);
    for name in ["user", "half"] {
        let error = session.get::<Vec<u32>>(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains(name) && !format!("{error} {error:?}").contains("ann"));
    }
    assert_eq!(session.get::<Option<u32>>("none").unwrap(), Some(None));
    assert_eq!(session.get_json("half"), Some(r#""\ud83d""#));
    assert_eq!(session.get::<&str>("user").unwrap(), Some("ann"), "borrowed from the record");
}

#[test]
fn what_node_would_lose_is_refused_with_its_name() {
    let mut session = SessionData::new();
    // Read off a session object of express-session 1.19.0: its own names and those of `Object.prototype`.
    for name in [
        "cookie",
        "id",
        "req",
        "save",
        "reload",
        "regenerate",
        "destroy",
        "touch",
        "resetMaxAge",
        "constructor",
        "toString",
        "toLocaleString",
        "valueOf",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "__proto__",
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
    ] {
        for error in
            [session.insert(name, 1).unwrap_err(), session.insert_json(name, "1").unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
        }
    }
    let error = session.insert("count", 1_u64 << 60).unwrap_err().to_string();
    assert!(
        error.contains("\"count\"")
            && error.contains("2^53")
            && !error.contains("1152921504606846976"),
        "{error}"
    );
    assert!(session.insert("map", HashMap::from([((1, 2), 3)])).is_err());
    assert!(session.insert_json("json", "{\"a\":}").is_err());
    assert!(session.is_empty() && !session.is_changed());
}

#[test]
fn the_time_to_live_is_counted_up_to_the_next_second() {
    for (max_age_ms, expected) in [
        (Some(1), TimeToLive::Seconds(1)),
        (Some(999), TimeToLive::Seconds(1)),
        (Some(1_000), TimeToLive::Seconds(1)),
        (Some(1_001), TimeToLive::Seconds(2)),
        (Some(0), TimeToLive::Expired),
        (Some(-1), TimeToLive::Expired),
        (
            Some(8_640_000_000_000_000 - NOW),
            TimeToLive::Seconds((8_640_000_000_000_000 - NOW as u64).div_ceil(1_000)),
        ),
        (None, TimeToLive::Browser),
    ] {
        let mut session = SessionData::new();
        session.cookie_mut().set_max_age_ms(max_age_ms, NOW).unwrap();
        assert_eq!(session.time_to_live(NOW), expected, "{max_age_ms:?}");
    }
    assert_eq!(load(r#"{"cookie":{"expires":"garbage"}}"#).time_to_live(NOW), TimeToLive::Browser);
}

#[test]
fn touch_moves_the_cookie_and_nothing_else() {
    let clock = Clock::fixed(NOW);
    let mut session =
        load(r#"{"cookie":{"originalMaxAge":60000,"expires":"2020-01-01T00:00:00.000Z"},"a":1.0}"#);
    session.touch(clock.now_ms());
    assert_eq!(
        session.to_json(),
        r#"{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z"},"a":1.0}"#
    );
    assert!(session.is_cookie_changed() && !session.is_changed());
}

#[test]
fn a_stored_session_is_the_loaded_one_of_the_next_change() {
    let mut session = load(&format!("{{{COOKIE},\"a\":1}}"));
    session.insert("a", 2).unwrap();
    session.cookie_mut().set_path(None);
    let written = session.to_json().into_owned();
    session.mark_stored(Revision::from_number(7));
    assert_eq!(session.loaded_json(), written);
    assert_eq!(session.revision().unwrap().as_number(), Some(7));
    assert!(!session.is_changed() && !session.is_cookie_changed());
    session.insert("a", 1).unwrap();
    assert_eq!(session.changed_keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn merging_keeps_both_sides_and_theirs_wins_where_both_changed() {
    let loaded = load(&format!("{{{COOKIE},\"a\":1,\"b\":1,\"c\":1}}"));
    let (mut ours, mut theirs) = (loaded.clone(), loaded);
    ours.insert("a", "ours").unwrap();
    ours.insert("b", "ours").unwrap();
    theirs.insert("b", "theirs").unwrap();
    theirs.remove("c");
    theirs.insert("d", 1).unwrap();
    theirs.cookie_mut().set_path(Some("/theirs"));
    ours.merge(&theirs);
    assert_eq!(
        ours.to_json(),
        format!(
            "{{{},\"a\":\"ours\",\"b\":\"theirs\",\"d\":1}}",
            COOKIE.replace("\"/\"", "\"/theirs\"")
        )
    );
}

#[test]
fn debug_tells_no_name_and_no_value() {
    let mut session = load(r#"{"cookie":{},"password":"hunter2"}"#);
    session.insert("token", "t0ken").unwrap();
    let members: Vec<_> = session.iter().collect();
    let text = format!("{session:?} {members:?}");
    for secret in ["password", "hunter2", "token", "t0ken"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn reading_takes_two_allocations_whatever_the_size() {
    for members in [1, 10, 17, 100, 5_000] {
        let text = format!(
            "{{{}}}",
            (0..members)
                .map(|i| format!("\"k{i}\":{{\"v\":[{i},{i}]}}"))
                .collect::<Vec<_>>()
                .join(",")
        );
        // As clients hand it over; memory for much more than the text would be given back.
        let mut bytes = text.into_boxed_str().into_string().into_bytes();
        let counted = allocation_counter::measure(|| {
            assert!(SessionData::from_record(std::mem::take(&mut bytes)).is_ok());
        });
        // The list of many members is cut to its length.
        assert!(counted.count_total <= 3, "{members} members: {}", counted.count_total);
    }
}

/// A record of 100 KB: whatever is allocated beyond that is a copy of it, or the places of its members.
#[test]
fn reading_copies_no_text_and_whatever_prints_one_copies_it_once() {
    let text = format!(r#"{{"cookie":{{}},"a":1,"long":"{}"}}"#, "x".repeat(100_000));
    let small = 2_000;
    let bytes = |code: &mut dyn FnMut()| allocation_counter::measure(code).bytes_total;

    let (mut bytes_read, mut session) = (Some(text.clone().into_bytes()), None);
    let reading = bytes(&mut || {
        session = SessionData::from_record(bytes_read.take().unwrap()).unwrap();
    });
    assert!(reading < small, "{reading}");

    let mut session = session.unwrap();
    session.insert("a", 2).unwrap();
    let printing = bytes(&mut || assert_eq!(session.to_json().len(), text.len()));
    assert!(printing < text.len() as u64 + small, "{printing}");
    let storing = bytes(&mut || session.mark_stored(Revision::of_text()));
    assert!(storing < text.len() as u64 + small, "{storing}");
    assert_eq!(session.loaded_json(), text.replace(r#""a":1"#, r#""a":2"#));
}
