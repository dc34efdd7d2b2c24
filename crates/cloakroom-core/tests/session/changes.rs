//! Any changes to any record, beside a model.

use std::collections::HashMap;

use cloakroom_core::{Revision, SessionData};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::value::RawValue;

fn load(text: &str) -> SessionData {
    SessionData::from_json(text).unwrap()
}

/// JSON values as `JSON.stringify` and other languages write them.
fn json() -> impl Strategy<Value = String> {
    let text = "\\PC{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap());
    let leaf = prop_oneof![
        select(vec![
            "null",
            "true",
            "1.0",
            "-0",
            "1e400",
            "12345678901234567890",
            r#""\ud83d""#,
            r#""\/""#,
            "[]",
            "{}"
        ])
        .prop_map(str::to_owned),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        text,
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[ {}]", items.join(" ,"))),
            vec(("\\PC{0,5}", inner), 0..4).prop_map(|items| {
                let members = items.iter().map(|(name, value)| {
                    format!("{}: {value}", serde_json::to_string(name).unwrap())
                });
                format!("{{{}\n}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

#[derive(Clone, Debug)]
enum Change {
    Insert(String, String),
    Remove(String),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A list of pairs does the same by hand, and serde_json reads the text back.
    #[test]
    fn any_changes_to_any_record_do_what_a_list_of_pairs_does(
        start in vec((select(vec!["a", "b", "c", "ключ", "q\"", ""]), json(), " {0,2}"), 0..8),
        changes in vec(
            (select(vec!["a", "b", "c", "d", "ключ", "q\"", ""]), proptest::option::of(json()))
                .prop_map(|(name, value)| match value {
                    Some(value) => Change::Insert(name.to_owned(), value),
                    None => Change::Remove(name.to_owned()),
                }),
            0..8,
        ),
    ) {
        let members: Vec<_> =
            start.iter().map(|(name, value, space)| format!("{space}{}{space}:{space}{value}{space}", serde_json::to_string(name).unwrap())).collect();
        let text = format!("{{\"cookie\":{{}}{}{}}}", if members.is_empty() { "" } else { "," }, members.join(","));
        let mut session = load(&text);
        prop_assert_eq!(&*session.to_json(), &*text);

        let mut model: Vec<(String, String)> = Vec::new();
        let set = |model: &mut Vec<(String, String)>, name: &str, value: &str| {
            match model.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = value.to_owned(),
                None => model.push((name.to_owned(), value.to_owned())),
            }
        };
        for (name, value, _) in &start {
            set(&mut model, name, value);
        }
        let loaded = model.clone();
        let mut away = std::collections::BTreeSet::new();
        for change in &changes {
            match change {
                Change::Insert(name, value) => {
                    session.insert_json(name, value.as_str()).unwrap();
                    // As in JavaScript, one that is there keeps its place, and one that is not comes last.
                    set(&mut model, name, value);
                }
                Change::Remove(name) => {
                    let there = model.iter().position(|(known, _)| known == name);
                    prop_assert_eq!(session.remove(name), there.is_some());
                    there.map(|place| model.remove(place));
                    away.insert(name.as_str());
                }
            }
        }

        let listed: Vec<_> = session.iter().map(|member| (member.name().to_owned(), member.json().to_owned())).collect();
        prop_assert_eq!(&listed, &model);

        let written = session.to_json().into_owned();
        let theirs: HashMap<String, Box<RawValue>> = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(theirs.len(), model.len() + 1);
        for (name, value) in &model {
            prop_assert_eq!(theirs[name].get(), value.trim());
            prop_assert_eq!(session.get_json(name), Some(value.as_str()));
        }
        let again = load(&written);
        prop_assert_eq!(again.iter().map(|m| m.name().to_owned()).collect::<Vec<_>>(), listed.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
        prop_assert_eq!(again.to_json().into_owned(), written);

        let changed = session.changed_keys().count();
        let differs = |name: &str| {
            let find = |list: &[(String, String)]| list.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            // One that was away is in another place now.
            find(&loaded) != find(&model) || (away.contains(name) && find(&loaded).is_some())
        };
        let names: std::collections::BTreeSet<_> = loaded.iter().chain(&model).map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(changed, names.into_iter().filter(|name| differs(name)).count());
    }

    /// The places of its members are computed, and a scan of its text finds the same.
    #[test]
    fn a_stored_record_is_the_one_that_its_text_gives(
        start in vec((select(vec!["a", "b", "c", "ключ", "q\"", ""]), json(), " {0,2}"), 0..8),
        changes in vec(
            (select(vec!["a", "b", "d", "ключ", "q\"", "\n"]), prop_oneof![4 => json().prop_map(Some), 1 => Just(None)], " {0,2}"),
            0..8,
        ),
        moves_cookie: bool,
    ) {
        let quoted = |name: &str| serde_json::to_string(name).unwrap();
        let members: String = start.iter().map(|(name, value, space)| format!(",{space}{}:{space}{value}{space}", quoted(name))).collect();
        let mut session = load(&format!("{{\"cookie\":{{}}{members}}}"));
        for (name, value, space) in &changes {
            match value {
                Some(value) => session.insert_json(name, format!("{space}{value}\n{space}")).unwrap(),
                None => drop(session.remove(name)),
            }
        }
        if moves_cookie {
            session.cookie_mut().set_path(Some("/a/longer/path"));
        }
        let text = session.to_json().into_owned();
        session.mark_stored(Revision::from_number(1));
        prop_assert_eq!(session.loaded_json(), &*text);
        prop_assert!(!session.is_changed() && !session.is_cookie_changed());
        let mut read = load(&text);
        for session in [&mut session, &mut read] {
            session.insert("b", "new").unwrap();
            session.remove("q\"");
        }
        let listed = |session: &SessionData| -> Vec<_> {
            session.iter().map(|member| (member.name().to_owned(), member.json().to_owned())).collect()
        };
        prop_assert_eq!(listed(&session), listed(&read));
        prop_assert_eq!(session.to_json(), read.to_json());
    }

    /// From some members and changes on, names are looked up in other ways.
    #[test]
    fn many_changes_to_many_members_do_what_a_list_of_pairs_does(
        start in vec((0..120_usize, any::<bool>()), 50..150),
        steps in vec((0..150_usize, 0..4_u32, any::<bool>()), 0..300),
    ) {
        let mut model: Vec<(String, u32)> = Vec::new();
        let set = |model: &mut Vec<(String, u32)>, name: &str, value: u32| {
            match model.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = value,
                None => model.push((name.to_owned(), value)),
            }
        };
        let mut text = String::from("{\"cookie\":{}");
        for (number, is_escaped) in start {
            text += &format!(",\"{}{number}\":9", if is_escaped { "\\u006d" } else { "m" });
            set(&mut model, &format!("m{number}"), 9);
        }
        let mut session = load(&(text + "}"));
        let mut other = session.clone();
        for (number, value, removes) in steps {
            let name = format!("m{number}");
            if removes {
                let place = model.iter().position(|(known, _)| *known == name);
                prop_assert_eq!(session.remove(&name), place.is_some());
                place.map(|place| model.remove(place));
            } else {
                session.insert(&name, value).unwrap();
                set(&mut model, &name, value);
            }
        }
        other.merge(&session);
        session.mark_stored(Revision::of_text());
        for session in [session, other] {
            let listed = session.iter().map(|member| (member.name().to_owned(), member.value().unwrap()));
            prop_assert_eq!(&listed.collect::<Vec<(String, u32)>>(), &model);
            for number in 0..150 {
                let name = format!("m{number}");
                let value = model.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
                prop_assert_eq!(session.get::<u32>(&name).unwrap(), value);
            }
        }
    }
}

/// Minutes, if each change looked at all members or all changes.
#[test]
fn a_record_with_many_members_is_changed_in_no_quadratic_time() {
    const MANY: usize = 50_000;
    let members: String = (0..MANY).map(|number| format!(",\"m{number}\":{number}")).collect();
    let loaded = load(&format!("{{\"cookie\":{{}}{members}}}"));
    let began = std::time::Instant::now();

    let mut cleared = loaded.clone();
    cleared.clear();
    let mut filled = cleared.clone();
    for number in 0..MANY {
        filled.insert(&format!("m{number}"), number).unwrap();
    }
    let mut merged = loaded;
    merged.merge(&filled);
    assert_eq!(merged.changed_keys().count(), MANY);
    merged.merge_since(&cleared, &filled);
    assert_eq!((merged.len(), cleared.len()), (0, 0));
    assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", began.elapsed());
}
