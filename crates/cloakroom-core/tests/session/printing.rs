//! The text of a record is printed once, scanned once, and never one that is out of date.

use cloakroom_core::{Cookie, Revision, SessionData};

use crate::load;

const NOW: i64 = 1_700_000_000_000;
const RECORD: &str = r#"{"cookie":{"originalMaxAge":60000,"expires":"2020-01-01T00:00:00.000Z","path":"/"},"a":1,"b":2}"#;

fn edited() -> SessionData {
    let mut session = load(RECORD).with_revision(Revision::of_text());
    session.insert("a", 7).unwrap();
    session
}

#[test]
fn a_text_that_was_printed_is_the_one_of_each_later_state() {
    let mut other = edited();
    other.insert("c", 3).unwrap();
    other.cookie_mut().set_path(Some("/shop"));
    let changes: Vec<(&str, Box<dyn Fn(&mut SessionData)>)> = vec![
        ("insert", Box::new(|session| session.insert("b", 3).unwrap())),
        ("insert_json", Box::new(|session| session.insert_json("c", "3").unwrap())),
        ("undo", Box::new(|session| session.insert("a", 1).unwrap())),
        ("remove", Box::new(|session| assert!(session.remove("b")))),
        ("clear", Box::new(SessionData::clear)),
        ("cookie_mut", Box::new(|session| session.cookie_mut().set_http_only(true))),
        ("touch", Box::new(|session| session.touch(NOW))),
        ("touch_as_express", Box::new(|session| session.touch_as_express(NOW).unwrap())),
        ("load_as_express", Box::new(|session| session.load_as_express().unwrap())),
        ("set_max_age", Box::new(|session| session.set_max_age(None, NOW).unwrap())),
        ("set_ends_at_ms", Box::new(|session| session.set_ends_at_ms(Some(NOW)).unwrap())),
        ("extended", Box::new(|session| *session = session.extended(NOW).into_owned())),
        ("rollback", Box::new(SessionData::rollback)),
        ("merge", Box::new(move |session| session.merge(&other))),
        ("with_cookie", Box::new(|session| *session = SessionData::with_cookie(Cookie::new()))),
    ];
    for (name, change) in changes {
        let (mut printed, mut fresh) = (edited(), edited());
        let before = printed.to_json().into_owned();
        change(&mut printed);
        change(&mut fresh);
        assert_ne!(printed.to_json(), before, "{name} changes something");
        assert_eq!(printed.to_json(), fresh.to_json(), "{name}");
        printed.mark_stored(Revision::of_text());
        assert_eq!(printed.loaded_json(), fresh.to_json(), "{name}");
    }
}

#[test]
fn a_change_after_printing_is_part_of_what_was_stored() {
    let mut session = edited();
    let clone = session.clone();
    assert!(session.to_json().contains(r#""a":7"#));
    session.insert("a", 8).unwrap();
    session.mark_stored(Revision::of_text());
    assert!(session.loaded_json().contains(r#""a":8"#), "{}", session.loaded_json());
    assert!(clone.to_json().contains(r#""a":7"#), "clones go their own ways");
}

/// A record of 100 KB: whatever is allocated beyond that is a copy of it, or the places of its members.
#[test]
fn an_update_copies_the_new_text_once_and_reading_copies_nothing() {
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
    let again = bytes(&mut || assert!(session.to_json().contains(r#""a":2"#)));
    assert!(again < small, "{again}");
    let storing = bytes(&mut || session.mark_stored(Revision::of_text()));
    assert!(storing < small, "{storing}");
    assert_eq!(session.loaded_json(), text.replace(r#""a":1"#, r#""a":2"#));
}
