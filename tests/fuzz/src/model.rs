//! A naive model of JSON objects: serde_json finds the members, and a list keeps them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The members of an object, as a program in JavaScript sees them: a repeated name keeps its first position and its last
/// value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Members(pub(crate) Vec<(Vec<u16>, String)>);

impl Members {
    /// Returns the members of a text, or `None` if serde_json finds anything but an object in it.
    pub(crate) fn of(text: &str) -> Option<Self> {
        // The raw names are only checked by being read once more.
        serde_json::from_str::<Pairs>(text).ok().map(|Pairs(pairs)| {
            let mut members = Self::default();
            for (name, value) in pairs {
                members.set(units(&name), value);
            }
            members
        })
    }

    pub(crate) fn set(&mut self, name: Vec<u16>, value: String) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    pub(crate) fn remove(&mut self, name: &[u16]) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _)| known != name);
        self.0.len() < before
    }
}

/// The UTF-16 text of a JSON string, with its quotes, as JavaScript reads it.
fn units(json: &str) -> Vec<u16> {
    let mut units = Vec::new();
    let mut rest = json[1..json.len() - 1].chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            units.extend(character.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        units.push(match rest.next() {
            Some('b') => 8,
            Some('f') => 12,
            Some('n') => 10,
            Some('r') => 13,
            Some('t') => 9,
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                u16::from_str_radix(&digits, 16).expect("serde_json has checked the digits")
            }
            Some(other) => other as u16,
            None => unreachable!("serde_json has checked the escape"),
        });
    }
    units
}

struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<&RawValue>()? {
                    let value = map.next_value::<&RawValue>()?;
                    // Raw values are not validated in depth before they are read.
                    serde_json::from_str::<IgnoredAny>(value.get())
                        .map_err(serde::de::Error::custom)?;
                    pairs.push((name.get().to_owned(), value.get().to_owned()));
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
