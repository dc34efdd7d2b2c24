//! Named JSON values in order: the claims of a token, or the members of a user.

use std::{borrow::Cow, collections::HashMap, fmt};

use cloakroom_core::{Error, ErrorKind, SessionData, json};
use serde::{Serialize, de::DeserializeOwned};

/// The claims of a token, or the members of a user in a database: names and JSON values, in order.
///
/// The JSON text of a value is kept as it is, so a claim that nobody sets is written back byte for byte.
/// `Debug` prints the number of claims and nothing else.
///
/// ```
/// use cloakroom_authjs::Claims;
///
/// let mut claims = Claims::from_json(r#"{"name":"Ada","sub":"42","roles":["admin"]}"#)?;
/// assert_eq!(claims.sub().as_deref(), Some("42"));
/// assert_eq!(claims.get::<Vec<String>>("roles")?, Some(vec!["admin".to_owned()]));
/// assert_eq!(claims.get::<String>("email")?, None);
///
/// claims.insert("seen", 1)?;
/// assert_eq!(claims.to_json(), r#"{"name":"Ada","sub":"42","roles":["admin"],"seen":1}"#);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Claims {
    members: Vec<(String, String)>,
}

impl Claims {
    /// Creates an empty list of claims.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the text of a JSON object. Of two claims with the same name the last counts, as in JavaScript.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) if the text is not a JSON object. The message does not quote it.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let members = json::members(text).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "authjs", "read", "the text is not a JSON object")
        })?;
        let mut claims = Self::new();
        let mut places = HashMap::new();
        for (name, value) in members {
            let place = *places.entry(name.clone()).or_insert(claims.members.len());
            match claims.members.get_mut(place) {
                Some((_, old)) => value.clone_into(old),
                None => claims.members.push((name.into_owned(), value.to_owned())),
            }
        }
        Ok(claims)
    }

    /// Returns the claims as the text of a JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (number, (name, value)) in self.members.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            json::quote(name, &mut text);
            text.extend([":", value]);
        }
        text.push('}');
        text
    }

    /// Returns the JSON text of a claim, or `None` if there is no claim of this name.
    #[must_use]
    pub fn get_json(&self, name: &str) -> Option<&str> {
        let mut members = self.members.iter();
        members.find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Returns the value of a claim, or `None` if there is no claim of this name.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the value cannot be read as a `T`. The message names the claim and
    /// does not quote the value.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let value = self.get_json(name).map(serde_json::from_str).transpose();
        // serde_json's own messages quote the value.
        value.map_err(|_| invalid("get", format!("claim {name:?} has another type")))
    }

    /// Returns all claims as one value of the application.
    ///
    /// ```
    /// use cloakroom_authjs::Claims;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Login { sub: String, role: Option<String> }
    ///
    /// let login: Login = Claims::from_json(r#"{"sub":"42","exp":1769817600}"#)?.read()?;
    /// assert_eq!((&*login.sub, login.role), ("42", None));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the claims cannot be read as a `T`. The message quotes none of them.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.to_json())
            .map_err(|_| invalid("read", "the claims cannot be read as this type".to_owned()))
    }

    /// Sets a claim. The value is written as `JSON.stringify` would write it. A new claim goes last.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData), with the claim's name, if the value cannot be serialized as JSON or
    /// contains an integer beyond 2^53, which JavaScript would round.
    pub fn insert<T: Serialize>(&mut self, name: &str, value: T) -> Result<(), Error> {
        // A record writes a value as JavaScript does. It refuses some names, which are fine in a token.
        const ANY: &str = "claim";
        let mut record = SessionData::new();
        let refused = |_| invalid("insert", format!("claim {name:?} cannot be written as JSON"));
        record.insert(ANY, value).map_err(refused)?;
        self.set(name, record.get_json(ANY).unwrap_or("null").to_owned());
        Ok(())
    }

    /// Sets a claim to a text that is JSON.
    pub(crate) fn set(&mut self, name: &str, json: String) {
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = json,
            None => self.members.push((name.to_owned(), json)),
        }
    }

    /// Removes a claim. Returns true if it existed.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.members.len();
        self.members.retain(|(known, _)| known != name);
        self.members.len() < before
    }

    /// Returns the names and the JSON texts of all claims, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns the number of claims.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns true if there are no claims.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns a claim that is a string, or `None` if it is missing or something else.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        json::unquote(self.get_json(name)?)
    }

    /// Returns `sub`, the id of the user.
    #[must_use]
    pub fn sub(&self) -> Option<Cow<'_, str>> {
        self.text("sub")
    }

    /// Returns `name`.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'_, str>> {
        self.text("name")
    }

    /// Returns `email`.
    #[must_use]
    pub fn email(&self) -> Option<Cow<'_, str>> {
        self.text("email")
    }

    /// Returns `picture`, the address of the user's picture.
    #[must_use]
    pub fn picture(&self) -> Option<Cow<'_, str>> {
        self.text("picture")
    }

    /// Returns a claim that is a number, such as `exp` in seconds since 1970. Returns `None` if it is missing or
    /// something else.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        let json = self.get_json(name)?;
        // Of JSON's values, only numbers begin so, and Rust reads them as JavaScript does: `1e400` is infinite.
        let is_number = json.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        json.parse().ok().filter(|_| is_number)
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("count", &self.members.len()).finish_non_exhaustive()
    }
}

fn invalid(operation: &'static str, message: String) -> Error {
    Error::new(ErrorKind::InvalidData, "authjs", operation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_keep_their_order_and_their_text() {
        let text = r#"{"b":1.0,"a":1e+21,"n":null,"\u0062":2,"x":{"y":[ 1 ]},"":""}"#;
        let mut claims = Claims::from_json(text).unwrap();
        assert_eq!(claims.to_json(), r#"{"b":2,"a":1e+21,"n":null,"x":{"y":[ 1 ]},"":""}"#);
        claims.insert("a", "é\"").unwrap();
        claims.insert("id", 7).unwrap();
        assert!(claims.remove("x") && !claims.remove("x"));
        assert_eq!(claims.to_json(), r#"{"b":2,"a":"é\"","n":null,"":"","id":7}"#);
        assert_eq!((claims.len(), claims.is_empty()), (5, false));
        assert_eq!(claims.iter().next(), Some(("b", "2")));
    }

    #[test]
    fn typed_claims_are_read_and_errors_show_no_value() {
        let claims = Claims::from_json(r#"{"sub":42,"name":"Zo\u00eb","exp":1e400,"nbf":"5"}"#);
        let mut claims = claims.unwrap();
        assert_eq!((claims.sub(), claims.name().as_deref()), (None, Some("Zoë")));
        assert_eq!((claims.number("exp"), claims.number("nbf")), (Some(f64::INFINITY), None));
        let error = claims.get::<u8>("name").unwrap_err();
        assert_eq!(error.to_string(), "authjs: get: claim \"name\" has another type");
        assert!(claims.insert("big", u64::MAX).is_err());
        let shown = format!("{claims:?} {:?}", claims.read::<u8>());
        assert!(!shown.contains("Zo") && !shown.contains("42"), "{shown}");
        for text in ["", "[]", "null", "{", "{\"a\":}", "{} x"] {
            assert!(Claims::from_json(text).is_err(), "{text}");
        }
    }
}
