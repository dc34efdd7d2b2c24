//! Names count by what they mean, however they are escaped: against a model that parses as `JSON.parse` does.

use cloakroom_core::{Cookie, CookieMember, JsValue, SessionData};
use cloakroom_tests::json::{Json, Text};
use proptest::{collection::vec, option, prelude::*, sample::select};

/// The members that JavaScript has, in its order.
type Members = Vec<(Text, Json)>;

#[derive(Clone, Debug)]
enum Change {
    Set(&'static str, u8),
    Remove(&'static str),
}

/// Names that are easily taken for one another, and the cookie's.
const NAMES: [&str; 14] = [
    "cookie", "a", "b", "\\", "\\\\", "\"", "\n", "\\n", "/", "\\/", "é", "\\u00e9", "\u{fffd}",
    "\\ud800",
];

/// Names that no Rust string holds.
const HALVES: [&[u16]; 3] = [&[0xd800], &[0xdc00, 0xd800], &[0x61, 0xdfff]];

/// A name as some program might write it: each code unit as it is, or escaped.
fn written() -> impl Strategy<Value = String> {
    let names = NAMES.iter().map(|name| name.encode_utf16().collect());
    let names: Vec<Vec<u16>> = names.chain(HALVES.iter().map(|half| half.to_vec())).collect();
    (select(names), vec(0..4_u8, 6)).prop_map(|(units, ways)| {
        let units = units.iter().zip(ways.iter().cycle());
        units.map(|(unit, way)| written_unit(*unit, *way)).collect()
    })
}

fn written_unit(unit: u16, way: u8) -> String {
    match (way, char::from_u32(unit.into())) {
        (0, _) => format!("\\u{unit:04x}"),
        (1, _) => format!("\\u{unit:04X}"),
        (2, Some('/')) => "\\/".to_owned(),
        (_, Some('\n')) => "\\n".to_owned(),
        (_, Some(char @ ('"' | '\\'))) => format!("\\{char}"),
        (_, Some(char)) => char.to_string(),
        (_, None) => format!("\\u{unit:04x}"),
    }
}

fn record() -> impl Strategy<Value = String> {
    vec((written(), 0..3_u8), 0..6).prop_map(|members| {
        let members: Vec<String> = members
            .iter()
            // A cookie is an object; the value tells which.
            .map(|(name, value)| match Json::parse(&format!("\"{name}\"")).unwrap().text() {
                Some(text) if text == "cookie" => format!("\"{name}\":{{\"path\":\"/{value}\"}}"),
                _ => format!("\"{name}\":{value}"),
            })
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (select(&NAMES[1..]), option::of(0..3_u8)).prop_map(|(name, value)| match value {
        Some(value) => Change::Set(name, value),
        None => Change::Remove(name),
    });
    vec(change, 0..6)
}

/// The members but the cookie, as JavaScript reads them.
fn members(text: &str) -> Members {
    let parsed = Json::parse(text).unwrap();
    parsed.members().iter().filter(|(name, _)| name != "cookie").cloned().collect()
}

fn make(session: &mut SessionData, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Set(name, value) => session.insert(name, value).unwrap(),
            Change::Remove(name) => drop(session.remove(name)),
        }
    }
}

/// Makes the changes as JavaScript does; returns the names that were taken away and set again.
fn make_in_model(members: &mut Members, changes: &[Change]) -> Vec<Text> {
    let mut away: Vec<Text> = Vec::new();
    for change in changes {
        let (Change::Set(name, _) | Change::Remove(name)) = change;
        let place = members.iter().position(|(known, _)| known == *name);
        match (change, place) {
            (Change::Set(_, value), Some(place)) => members[place].1 = number(*value),
            (Change::Set(name, value), None) => members.push((Text::from(*name), number(*value))),
            (Change::Remove(name), Some(place)) => {
                members.remove(place);
                away.push(Text::from(*name));
            }
            (Change::Remove(_), None) => {}
        }
    }
    away.retain(|name| value_of(members, name).is_some());
    away
}

fn number(value: u8) -> Json {
    Json::Number(value.into())
}

fn value_of<'a>(members: &'a Members, name: &Text) -> Option<&'a Json> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// A name as `iter` shows it: what it means, with the escape of what no Rust string holds.
fn shown(name: &Text) -> String {
    name.to_str().unwrap_or_else(|| format!("{name:?}").trim_matches('"').to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_has_the_members_that_javascript_has(text in record(), changes in changes()) {
        let mut session = SessionData::from_json(&*text).unwrap();
        let mut model = members(&text);
        let loaded = model.clone();
        make(&mut session, &changes);
        let away = make_in_model(&mut model, &changes);
        prop_assert_eq!(members(&session.to_json()), model.clone());
        let listed: Vec<_> = session.iter().map(|member| (member.name().to_owned(), Json::parse(member.json()).unwrap())).collect();
        let named: Vec<_> = model.iter().map(|(name, value)| (shown(name), value.clone())).collect();
        prop_assert_eq!(listed, named);
        for name in &NAMES[1..] {
            let value = value_of(&model, &Text::from(*name));
            let got = session.get_json(name).map(|json| Json::parse(json).unwrap());
            prop_assert_eq!(got.as_ref(), value, "{}", name);
            let is_changed = value_of(&loaded, &Text::from(*name)) != value
                || value_of(&loaded, &Text::from(*name)).is_some() && away.contains(&Text::from(*name));
            prop_assert_eq!(session.changed_keys().any(|key| key == *name), is_changed, "{}", name);
        }
    }

    /// What one request has changed is laid over what another has stored.
    #[test]
    fn merging_takes_what_is_different_and_puts_last_what_was_set_again(
        text in record(), stored in record(), before in changes(), after in changes(),
    ) {
        let mut theirs = SessionData::from_json(&*text).unwrap();
        make(&mut theirs, &before);
        let earlier = theirs.clone();
        make(&mut theirs, &after);

        let mut model = members(&text);
        for (start, changes, since) in [(SessionData::from_json(&*text).unwrap(), [&*before, &*after].concat(), None), (earlier.clone(), after, Some(&earlier))] {
            let loaded = members(&start.to_json());
            model.clone_from(&loaded);
            let away = make_in_model(&mut model, &changes);
            let mut merged = SessionData::from_json(&*stored).unwrap();
            match since {
                Some(earlier) => merged.merge_since(&theirs, earlier),
                None => merged.merge(&theirs),
            }
            let stored = members(&stored);
            let merged = members(&merged.to_json());
            let has_moved = |name: &Text| away.contains(name) && value_of(&loaded, name).is_some();
            let is_theirs = |name: &Text| has_moved(name) || value_of(&loaded, name) != value_of(&model, name);
            for (name, _) in loaded.iter().chain(&model).chain(&stored).chain(&merged) {
                let wanted = if is_theirs(name) { value_of(&model, name) } else { value_of(&stored, name) };
                prop_assert_eq!(value_of(&merged, name), wanted, "{:?}", name);
            }
            // What was set again stands last, in their order, and all else where it was.
            let moved: Vec<&Text> = model.iter().map(|(name, _)| name).filter(|name| has_moved(name)).collect();
            let of = |names: &dyn Fn(&Text) -> bool, members: &Members| -> Vec<Text> {
                members.iter().map(|(name, _)| name).filter(|name| names(name)).cloned().collect()
            };
            let merged_moved = of(&|name| moved.contains(&name), &merged);
            prop_assert_eq!(merged_moved.iter().collect::<Vec<_>>(), moved.clone());
            let stays = |name: &Text| !moved.contains(&name) && value_of(&stored, name).is_some();
            let last_that_stays = merged.iter().rposition(|(name, _)| stays(name));
            let first_moved = merged.iter().position(|(name, _)| moved.contains(&name));
            prop_assert!(first_moved.is_none_or(|first| last_that_stays.is_none_or(|last| last < first)));
            let kept = |name: &Text| stays(name) && value_of(&merged, name).is_some();
            prop_assert_eq!(of(&kept, &merged), of(&kept, &stored));
        }
    }

    /// The cookie's members, too.
    #[test]
    fn a_cookie_has_the_members_that_javascript_has(
        given in vec((select(vec!["path", "expires", "maxAge", "tag", "\\", "pa\\u0074h"]), vec(0..4_u8, 8), 0..3_u8), 0..6),
    ) {
        let given: Vec<String> = given
            .iter()
            .map(|(name, ways, value)| {
                let units: Vec<u16> = name.encode_utf16().collect();
                let units = units.iter().zip(ways.iter().cycle());
                let name: String = units.map(|(unit, way)| written_unit(*unit, *way)).collect();
                format!("\"{name}\":{value}")
            })
            .collect();
        let text = format!("{{{}}}", given.join(","));
        let cookie = Cookie::from_json(&text).unwrap();
        let sorted = |text: &str| {
            let mut members = members(text);
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            members
        };
        prop_assert_eq!(sorted(&cookie.to_json()), sorted(&text));
        let path = Json::parse(&text).unwrap().get("path").map(|path| path.number().unwrap());
        let expected = path.map_or(JsValue::Undefined, JsValue::Number);
        prop_assert_eq!(cookie.raw(CookieMember::Path), &expected);
    }
}

/// A session's cookie is found whatever its name's escapes, and is the last of several.
#[test]
fn an_escaped_cookie_is_the_cookie() {
    let text = r#"{"cookie":{"path":"/a"},"n":1,"\u0063ook\u0069e":{"p\u0061th":"/b"}}"#;
    let mut session = SessionData::from_json(text).unwrap();
    assert_eq!(session.cookie().path(), Some("/b"));
    session.cookie_mut().set_path(Some("/c"));
    let written = session.to_json().into_owned();
    let parsed = Json::parse(&written).unwrap();
    assert_eq!(parsed.get("cookie").unwrap().get("path").unwrap().text().unwrap(), "/c");
    assert_eq!(SessionData::from_json(written).unwrap().cookie().path(), Some("/c"));
    assert!(!session.remove("cookie") && session.insert("cookie", 1).is_err());
}

#[test]
fn no_text_names_half_a_surrogate_pair() {
    let text = r#"{"cookie":{},"\ud800":1,"\uD800":2,"\\ud800":3}"#;
    let mut session = SessionData::from_json(text).unwrap();
    let listed: Vec<_> =
        session.iter().map(|member| (member.name().to_owned(), member.json())).collect();
    assert_eq!(listed, [("\\ud800".to_owned(), "2"), ("\\ud800".to_owned(), "3")]);
    for name in ["\\uD800", "\u{fffd}", "\\\\ud800"] {
        assert_eq!(session.get_json(name), None, "{name}");
        assert!(!session.remove(name), "{name}");
    }
    session.insert("\\ud800", 4).unwrap();
    assert_eq!(session.to_json(), r#"{"cookie":{},"\ud800":1,"\uD800":2,"\\ud800":4}"#);
    assert!(session.remove("\\ud800"));
    assert_eq!(session.to_json(), r#"{"cookie":{},"\ud800":1,"\uD800":2}"#);
}
