//! A whole session as a type of the application.

use std::{borrow::Cow, fmt, vec};

use serde::{
    Deserialize,
    de::{
        self, DeserializeSeed, Deserializer, MapAccess, Visitor,
        value::{BorrowedStrDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{Member, SessionData};
use crate::{Error, ErrorKind, quote::quoted};

impl SessionData {
    /// Reads all members into a type, as if they were one JSON object. The cookie and
    /// [`ENDS_AT`](Self::ENDS_AT) are left out.
    ///
    /// Members that `T` has no field for are skipped, unless it denies them.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) when a field of `T` is missing, or a member's value does not fit its
    /// field. The message names the field and the type, and nothing of the value. Where `T` is a map, or flattens one,
    /// the names of members are stored data, and are not told.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Shop {
    ///     user: Option<String>,
    ///     #[serde(default)]
    ///     cart: Vec<String>,
    /// }
    ///
    /// let session = SessionData::from_json(r#"{"cookie":{},"user":"ann","cart":["tea"],"views":7}"#)?;
    /// let shop: Shop = session.read()?;
    /// assert_eq!((shop.user.as_deref(), &*shop.cart[0]), (Some("ann"), "tea"));
    ///
    /// let session = SessionData::from_json(r#"{"cookie":{},"cart":"tea"}"#)?;
    /// let error = session.read::<Shop>().err().unwrap().to_string();
    /// assert!(error.contains("member \"cart\" does not fit"), "{error}");
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        let members: Vec<_> = self.iter().filter(|member| member.name() != Self::ENDS_AT).collect();
        T::deserialize(Members { members: members.into_iter(), fields: &[] }).map_err(|why| {
            let name = std::any::type_name::<T>();
            let message = match why {
                Misfit::Value(Some(field)) => {
                    format!("member {} does not fit {name}", quoted(field))
                }
                Misfit::Missing(field) => {
                    format!("member {} is missing in a {name}", quoted(field))
                }
                Misfit::Value(None) => format!("the members do not fit {name}"),
            };
            Error::new(ErrorKind::InvalidData, "session", "read", message)
        })
    }
}

/// Why members do not fit a type. What serde says besides is left out: it quotes the value.
#[derive(Debug)]
enum Misfit {
    /// The value of this field, or nothing that can be named.
    Value(Option<&'static str>),
    Missing(&'static str),
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Value(None)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Value(Some(field))
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the members do not fit")
    }
}

impl std::error::Error for Misfit {}

/// The members as a deserializer of one map.
struct Members<'de> {
    members: vec::IntoIter<Member<'de>>,
    /// The fields of the struct that is read: the names that an error may tell.
    fields: &'static [&'static str],
}

impl<'de> Deserializer<'de> for Members<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(Entries { members: self.members, fields: self.fields, next: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.fields = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

struct Entries<'de> {
    members: vec::IntoIter<Member<'de>>,
    fields: &'static [&'static str],
    next: Option<Member<'de>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        self.next = self.members.next();
        let Some(member) = &self.next else { return Ok(None) };
        match member.name {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            Cow::Owned(ref name) => seed.deserialize(StrDeserializer::new(name)),
        }
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some(member) = self.next.take() else { return Err(Misfit::Value(None)) };
        let mut json = serde_json::Deserializer::from_str(member.json());
        let field = || self.fields.iter().find(|field| **field == member.name()).copied();
        seed.deserialize(&mut json).map_err(|_| Misfit::Value(field()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use serde_json::value::RawValue;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Shop<'a> {
        user: &'a str,
        views: u32,
        #[serde(default, rename = "cart items")]
        cart: Vec<String>,
        note: Option<String>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[allow(dead_code, reason = "read, not used")]
        user: String,
    }

    fn session(members: &str) -> SessionData {
        SessionData::from_json(format!("{{\"cookie\":{{}}{members}}}")).unwrap()
    }

    #[test]
    fn members_are_read_as_they_are_now_without_the_cookie() {
        let mut session =
            session(r#","user":"bob","views":1,"views":2,"other":[{}],"cart items":["tea"]"#);
        session.insert("user", "ann").unwrap();
        session.set_ends_at_ms(Some(1)).unwrap();
        let expected = Shop { user: "ann", views: 2, cart: vec!["tea".to_owned()], note: None };
        assert_eq!(session.read::<Shop<'_>>().unwrap(), expected);
        assert_eq!(session.read::<Option<Shop<'_>>>().unwrap(), Some(expected));
        session.remove("other");
        session.remove("cart items");
        session.remove("views");
        assert!(session.read::<Strict>().is_ok());
        let map: BTreeMap<String, String> = session.read().unwrap();
        assert_eq!(map.into_iter().collect::<Vec<_>>(), [("user".to_owned(), "ann".to_owned())]);
        assert!(SessionData::new().read::<HashMap<String, u8>>().unwrap().is_empty());
        session.insert("n", 1).unwrap();
        let borrowed: BTreeMap<&str, &RawValue> = session.read().unwrap();
        assert!(borrowed.keys().eq(&["n", "user"]), "{borrowed:?}");
    }

    #[test]
    fn an_error_names_the_field_and_nothing_that_is_stored() {
        let rows = [
            (r#","user":"ann","views":"SECRET""#, "member \"views\" does not fit "),
            (r#","user":"ann","views":-5"#, "member \"views\" does not fit "),
            (r#","user":"ann""#, "member \"views\" is missing in a "),
            (r#","user":{"SECRET":1},"views":1"#, "member \"user\" does not fit "),
            (
                r#","user":"ann","views":1,"cart items":["SECRET",7]"#,
                "member \"cart items\" does not fit ",
            ),
        ];
        for (members, message) in rows {
            let session = session(members);
            let error = session.read::<Shop<'_>>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            let text = format!("{error} {error:?}");
            assert!(text.contains(message), "{text}");
            assert!(!text.contains("SECRET") && !text.contains("-5"), "{text}");
        }
        let stored = session(r#","user":"ann","SECRET":1"#);
        for error in [
            stored.read::<Strict>().map(drop).unwrap_err(),
            stored.read::<HashMap<String, bool>>().map(drop).unwrap_err(),
            stored.read::<u8>().map(drop).unwrap_err(),
        ] {
            let text = format!("{error} {error:?}");
            assert!(text.contains("the members do not fit "), "{text}");
            assert!(!text.contains("SECRET"), "{text}");
        }
    }
}
