//! The session inside a cookie or a record.

use std::{borrow::Cow, fmt};

use cloakroom_core::{Error, ErrorKind, json};
use serde::{Deserialize, Serialize};

/// A session as its JSON text, an object as a rule.
///
/// What nobody changes keeps its bytes: unknown members, their order, and numbers as they are written. What is set is
/// written as `JSON.stringify` would. `Debug` shows nothing of it.
///
/// ```
/// use cloakroom_authjs::sealed::Content;
///
/// let mut content = Content::from_json(r#"{"user":{"id":7},"rate":1.0}"#)?;
/// content.set("views", 1)?;
/// content.remove("user");
/// assert_eq!(content.as_json(), r#"{"rate":1.0,"views":1}"#);
/// assert_eq!(content.get::<u32>("views")?, Some(1));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Content(String);

impl Default for Content {
    fn default() -> Self {
        Self::new()
    }
}

impl Content {
    /// Creates an empty object.
    #[must_use]
    pub fn new() -> Self {
        Self("{}".to_owned())
    }

    /// Takes a JSON text as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if it is not JSON.
    pub fn from_json(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        if !is_json(&text) {
            return Err(invalid("from_json", "the text is not JSON"));
        }
        Ok(Self(text))
    }

    /// Writes a value as `JSON.stringify` would.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) for an integer beyond 2^53, and for a value that JSON cannot express.
    pub fn of<T: Serialize>(value: T) -> Result<Self, Error> {
        json::stringify(value).map(Self)
    }

    /// Returns the JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Reads the whole as a type of the application.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if it does not fit `T`. The message names `T` and nothing of the content.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        parse("read", &self.0)
    }

    /// Returns the JSON text of a member, or `None` if there is no such member or the whole is not an object. Of a
    /// repeated name it is the last value, as in JavaScript.
    #[must_use]
    pub fn get_json(&self, name: &str) -> Option<&str> {
        json::members(&self.0)?.rfind(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Reads a member as a type of the application, or returns `None` if there is no such member.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn get<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, Error> {
        self.get_json(name).map(|json| parse("get", json)).transpose()
    }

    /// Sets a member. A new one goes last.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) as for [`of`](Self::of), and if the whole is not an object.
    pub fn set<T: Serialize>(&mut self, name: &str, value: T) -> Result<(), Error> {
        let value = json::stringify(value)?;
        let members =
            self.members().ok_or_else(|| invalid("set", "the session is not an object"))?;
        let last = members.iter().rposition(|member| member.name == name);
        let mut texts: Vec<Cow<'_, str>> = Vec::with_capacity(members.len() + 1);
        for (at, member) in members.iter().enumerate() {
            texts.push(if Some(at) == last {
                let before = &member.text[..member.text.len() - member.value.len()];
                Cow::Owned(format!("{before}{value}"))
            } else {
                Cow::Borrowed(member.text)
            });
        }
        if last.is_none() {
            let mut text = String::new();
            json::quote(name, &mut text);
            texts.push(Cow::Owned(format!("{text}:{value}")));
        }
        self.0 = format!("{{{}}}", texts.join(","));
        Ok(())
    }

    /// Removes a member. Returns true if there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.retain(|known| known != name)
    }

    /// Keeps the members whose name passes. Returns true if any did not.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) -> bool {
        let Some(members) = self.members() else { return false };
        let kept: Vec<&str> =
            members.iter().filter(|member| keep(&member.name)).map(|member| member.text).collect();
        if kept.len() == members.len() {
            return false;
        }
        self.0 = format!("{{{}}}", kept.join(","));
        true
    }

    /// Returns the names of the members, as they are meant, in order. Empty if the whole is not an object.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        json::members(&self.0).into_iter().flatten().map(|(name, _)| name)
    }

    /// Returns true if the whole is a JSON object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        json::members(&self.0).is_some()
    }

    fn members(&self) -> Option<Vec<Member<'_>>> {
        let mut end = 0;
        let members = json::members(&self.0)?;
        let members = members.map(|(name, value)| {
            // A value is a part of the text; between two of them stand a comma, the name and a colon.
            let stop = value.as_ptr().addr() - self.0.as_ptr().addr() + value.len();
            let text = self.0[end..stop].trim_start_matches([' ', '\t', '\n', '\r', ',', '{']);
            end = stop;
            Member { name, value, text }
        });
        Some(members.collect())
    }
}

/// A member, and where it stands in the text.
struct Member<'a> {
    name: Cow<'a, str>,
    value: &'a str,
    /// From the name's opening quote to the end of the value.
    text: &'a str,
}

/// Returns true if the text is one JSON value.
pub(crate) fn is_json(text: &str) -> bool {
    // An array of one value has one item that is the value.
    json::items(&format!("[{text}]")).is_some_and(|items| items.len() == 1)
}

fn parse<'a, T: Deserialize<'a>>(operation: &'static str, json: &'a str) -> Result<T, Error> {
    // The message of serde_json quotes the value, so it does not become the source.
    serde_json::from_str(json).map_err(|_| {
        let message = format!("the content is not a valid {}", std::any::type_name::<T>());
        Error::new(ErrorKind::InvalidData, "content", operation, message)
    })
}

fn invalid(operation: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::InvalidData, "content", operation, message.to_owned())
}

/// Shows nothing, because it is session data.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_changes_keeps_its_bytes() {
        let text =
            "{ \"\\u0061\" : 1.0 , \"b\":12345678901234567890 ,\"\\ud800\":[1 , 2],\"b\": -0 }";
        let mut content = Content::from_json(text).unwrap();
        assert_eq!(content.get_json("a"), Some("1.0"));
        assert_eq!(content.get_json("b"), Some("-0"));
        content.set("new", "é").unwrap();
        content.set("b", 2).unwrap();
        assert_eq!(
            content.as_json(),
            "{\"\\u0061\" : 1.0,\"b\":12345678901234567890,\"\\ud800\":[1 , 2],\"b\": 2,\"new\":\"é\"}"
        );
        assert!(content.remove("b") && !content.remove("b"));
        assert!(content.remove("a") && content.remove("new"));
        assert_eq!(content.as_json(), "{\"\\ud800\":[1 , 2]}");
        assert_eq!(format!("{content:?}"), "Content { .. }");
    }

    #[test]
    fn only_json_is_content_and_only_objects_have_members() {
        for text in ["", "{", "1,2", "[1]]", "[],[", "tru", "\u{feff}{}"] {
            assert!(Content::from_json(text).is_err(), "{text}");
        }
        let mut list = Content::from_json(" [1] ").unwrap();
        assert!(!list.is_object() && list.get_json("a").is_none() && !list.remove("a"));
        assert_eq!(list.set("a", 1).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(list.read::<Vec<u8>>().unwrap(), [1]);
        let error = list.read::<Vec<String>>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains('1'), "{error}");
    }
}
