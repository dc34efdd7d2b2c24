//! The record: what is read, changed and printed, beside a model.

use cloakroom_core::SessionData;

use crate::{model::Members, session};

/// Names that a change may have besides those of the record.
const NAMES: [&str; 6] = ["a", "b", "user", "é", "q\"", ""];
/// Values that a change may have.
const VALUES: [&str; 8] =
    ["null", "1.0", "\"x\"", "[1,{\"a\":2}]", "{}", "\"\\ud83d\"", "1e400", "12345678901234567890"];

/// The first byte says how many of the last bytes are changes; the rest is the text of a record.
pub(crate) fn changes(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let count = usize::from(count % 16).min(rest.len());
    let (text, changes) = rest.split_at(rest.len() - count);
    from_bytes(text);
    let Ok(text) = std::str::from_utf8(text) else { return };

    let model = Members::of(text);
    let session = SessionData::from_json(text);
    assert_eq!(session.is_ok(), model.is_some(), "serde_json and the record disagree on {text:?}");
    let (Ok(mut session), Some(mut model)) = (session, model) else { return };
    if session.contains("cookie") && session.get_json("cookie").is_some_and(|c| c.starts_with('{'))
    {
        assert_eq!(session.to_json(), text, "a record that nobody changed keeps its bytes");
    }

    for change in changes {
        let (which, name) = (change % 8, usize::from(change / 8));
        let names: Vec<String> = NAMES
            .map(str::to_owned)
            .into_iter()
            .chain(session.iter().map(|member| member.name().to_owned()))
            .collect();
        let name = &names[name % names.len()];
        let units: Vec<u16> = name.encode_utf16().collect();
        if which == 0 {
            let there = model.0.iter().any(|(known, _)| *known == units);
            // A name with half a surrogate pair cannot be asked for, and U+FFFD may stand for it.
            if !name.contains('\u{fffd}') {
                assert_eq!(session.remove(name), there, "{name:?} in {text:?}");
                model.remove(&units);
            }
        } else if !name.contains('\u{fffd}') {
            let value = VALUES[usize::from(which)];
            if session.insert_json(name, value).is_ok() {
                model.set(units, value.to_owned());
            }
        }
    }

    let written = session.to_json().into_owned();
    let mut read = Members::of(&written).expect("what is written is an object for serde_json");
    let cookie: Vec<u16> = "cookie".encode_utf16().collect();
    // A cookie that Express could not use is replaced by the default one.
    for members in [&mut read, &mut model] {
        members.remove(&cookie);
    }
    assert_eq!(read, model, "{text:?} became {written:?}");
    session::check(&session);
}

/// Any bytes are a session, no session, or corrupt.
fn from_bytes(bytes: &[u8]) {
    match SessionData::from_record(bytes.to_vec()) {
        Ok(Some(session)) => assert_eq!(session.loaded_json().as_bytes(), bytes),
        Ok(None) => {}
        Err(error) => session::check_error(&error, bytes),
    }
}
