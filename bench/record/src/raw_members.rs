//! `serde_json`, with the members as text that is borrowed and not parsed: the least that keeps what it does not know.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::Subject;

pub(crate) const SUBJECT: Subject = Subject { name: "serde_json, RawValue members", read, update };

/// The members in order.
struct Members<'a>(Vec<(Name<'a>, &'a RawValue)>);

/// A name, borrowed unless it has an escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Text)
    }
}

fn read(text: Vec<u8>) -> i64 {
    let members: Members<'_> = serde_json::from_slice(&text).expect("it is JSON");
    let (_, views) = members.0.iter().find(|(name, _)| name.0 == "views").expect("it is there");
    views.get().parse().expect("it is a number")
}

fn update(text: Vec<u8>) -> Vec<u8> {
    let members: Members<'_> = serde_json::from_slice(&text).expect("it is JSON");
    let mut out = Vec::with_capacity(text.len() + 16);
    for (name, value) in &members.0 {
        out.push(if out.is_empty() { b'{' } else { b',' });
        serde_json::to_writer(&mut out, &*name.0).expect("a name is JSON");
        out.push(b':');
        if name.0 == "views" {
            let views: i64 = value.get().parse().expect("it is a number");
            serde_json::to_writer(&mut out, &(views + 1)).expect("a number is JSON");
        } else {
            out.extend_from_slice(value.get().as_bytes());
        }
    }
    out.push(b'}');
    out
}
