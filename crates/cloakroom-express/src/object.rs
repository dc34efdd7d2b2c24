//! A member that is a JSON object, changed without reading its values.
//!
//! Values stay the text that Node.js wrote: what nobody sets is written back as it was.

use std::collections::{HashMap, hash_map::Entry};

use cloakroom_core::{Error, SessionData, json};
use serde::Serialize;
use serde_json::value::RawValue;

/// The names and JSON texts of an object.
#[derive(Default)]
pub(crate) struct Object(Vec<(String, String)>);

impl Object {
    /// Reads an object. Anything else has no members that JavaScript would find.
    pub(crate) fn read(json: Option<&str>) -> Self {
        let mut members: Vec<(String, String)> = Vec::new();
        // A map, because searching the list for each name would take quadratic time on an object with many members.
        let mut places: HashMap<_, usize> = HashMap::new();
        for (name, value) in json.and_then(json::members).into_iter().flatten() {
            match places.entry(name) {
                // Of two equal names the last counts, as in JavaScript.
                Entry::Occupied(place) => value.clone_into(&mut members[*place.get()].1),
                Entry::Vacant(place) => {
                    members.push((place.key().as_ref().to_owned(), value.to_owned()));
                    place.insert(members.len() - 1);
                }
            }
        }
        Self(members)
    }

    /// Makes an object of members with different names.
    pub(crate) fn of(members: Vec<(String, String)>) -> Self {
        Self(members)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Sets a member. A new one goes last.
    pub(crate) fn set(&mut self, name: &str, json: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = json,
            None => self.0.push((name.to_owned(), json)),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Takes all members, in order.
    pub(crate) fn into_members(self) -> Vec<(String, String)> {
        self.0
    }

    pub(crate) fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (name, value) in &self.0 {
            if text.len() > 1 {
                text.push(',');
            }
            json::quote(name, &mut text);
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        text
    }
}

/// Returns a JSON text as a value of a member. Each text here is made of values that were JSON before, so it is `null`
/// for none of them.
pub(crate) fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Returns the text that `JSON.stringify` makes of a value.
///
/// # Errors
///
/// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if Node.js could not keep the value.
pub(crate) fn stringify<T: Serialize>(name: &str, value: T) -> Result<String, Error> {
    let mut record = SessionData::new();
    record.insert(name, value)?;
    Ok(record.get_json(name).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sets_stays_as_it_was_written() {
        let text = r#"{"a":1.0,"\u0062":"\ud800","big":12345678901234567890,"a":2.0}"#;
        let mut object = Object::read(Some(text));
        object.set("c", "3".to_owned());
        assert_eq!(object.to_json(), r#"{"a":2.0,"b":"\ud800","big":12345678901234567890,"c":3}"#);
        assert_eq!(object.remove("b").as_deref(), Some(r#""\ud800""#));
        assert_eq!((object.get("a"), object.get("b")), (Some("2.0"), None));
        assert_eq!(raw(object.to_json()).get(), object.to_json());
        let many = |names: std::ops::Range<u32>| {
            let members: Vec<String> = names.map(|name| format!("\"{name}\":[]")).collect();
            format!("{{{}}}", members.join(","))
        };
        // Quadratic time would be minutes.
        assert_eq!(Object::read(Some(&many(0..200_000))).to_json(), many(0..200_000));
        for other in [None, Some("null"), Some("[1]"), Some("\"x\""), Some("{")] {
            assert_eq!(Object::read(other).to_json(), "{}");
        }
    }
}
