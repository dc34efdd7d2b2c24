//! Members of members, by a path of names.

use std::borrow::Cow;

use super::SessionData;

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
