//! Members of members, by a path of names.

use std::borrow::Cow;

use super::SessionData;
use crate::json;

impl SessionData {
    /// Returns the JSON text at a path of names with dots between them, such as `passport.user`, or `None` if a name on
    /// the path leads nowhere. Paths lead through objects and not through lists.
    ///
    /// A member whose name is the whole path wins, because a name in a session can contain dots. Names are compared as in
    /// JavaScript: of two equal names, escaped or not, the last counts.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    ///
    /// let session = SessionData::from_json(r#"{"cookie":{},"passport":{"user":"ann"}}"#)?;
    /// assert_eq!(session.get_json_at("passport.user").as_deref(), Some("\"ann\""));
    /// assert_eq!(session.get_json_at("passport.name"), None);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_json_at(&self, path: &str) -> Option<Cow<'_, str>> {
        if let Some(json) = self.get_json(path) {
            return Some(Cow::Borrowed(json));
        }
        self.get_nested_json(path)
    }

    /// Returns true if the session has this value at a path of names with dots between them, such as `passport.user`.
    /// `value` is a JSON text, and is compared as [`json::is_same`] does.
    ///
    /// Each name leads to a member of the object before, and never into a list. Unlike
    /// [`get_json_at`](Self::get_json_at), it finds no member whose own name contains a dot: no index of a database
    /// does.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    ///
    /// let session = SessionData::from_json(r#"{"cookie":{},"passport":{"user":7.0}}"#)?;
    /// assert!(session.has_value("passport.user", "7"));
    /// assert!(!session.has_value("passport.user", "\"7\""));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn has_value(&self, path: &str, value: &str) -> bool {
        self.get_nested_json(path).is_some_and(|json| json::is_same(&json, value))
    }

    /// Returns the JSON text that [`has_value`](Self::has_value) compares, or `None` if a name on the path leads nowhere.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    ///
    /// let session = SessionData::from_json(r#"{"cookie":{},"passport":{"user":7.0}}"#)?;
    /// assert_eq!(session.get_nested_json("passport.user").as_deref(), Some("7.0"));
    /// assert_eq!(session.get_nested_json("user"), None);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_nested_json(&self, path: &str) -> Option<Cow<'_, str>> {
        let mut names = path.split('.');
        let mut json = Cow::Borrowed(self.get_json(names.next()?)?);
        for name in names {
            // A record is any JSON object, read as JavaScript does.
            let object = Self::from_json(&*json).ok()?;
            json = Cow::Owned(object.get_json(name)?.to_owned());
        }
        Some(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_objects_and_to_no_name_with_a_dot() {
        for (members, has) in [
            (r#""passport":{"user":7}"#, true),
            (r#""passport":{"user":8,"user":70e-1}"#, true),
            (r#""passport":{"user":8},"p\u0061ssport":{"us\u0065r":7}"#, true),
            (r#""passport":{"user":7},"passport":{"user":8}"#, false),
            (r#""passport":{"user":7},"passport":8"#, false),
            (r#""passport":{"user":"7"}"#, false),
            (r#""passport":[{"user":7}]"#, false),
            (r#""passport":{}"#, false),
            (r#""passport":null"#, false),
            (r#""passport.user":7"#, false),
            (r#""user":7"#, false),
        ] {
            let session = SessionData::from_json(format!("{{{members}}}")).unwrap();
            assert_eq!(session.has_value("passport.user", "7"), has, "{members}");
            assert!(!session.has_value("", "7") && !session.has_value(".", "7"));
        }
    }
}
