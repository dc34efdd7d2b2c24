//! The members that were set and removed since a session was loaded, and how they are merged into another session.

use super::{Edits, SessionData, change_list::Change};

impl SessionData {
    /// Returns the names of the members that were set or removed since loading, and still differ from what was loaded.
    /// The cookie is not among them.
    pub fn changed_keys(&self) -> impl Iterator<Item = &str> {
        self.edits.changes.iter().map(|change| &*change.name)
    }

    /// Returns true if any member other than the cookie differs from what was loaded.
    ///
    /// As in Express, a member that was changed and changed back does not differ. A member that was removed and set
    /// again does, because it has moved to the end of the text.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.edits.changes.is_empty()
    }

    /// Removes all members. The cookie and the session's [end](Self::ends_at_ms) stay; so does a member whose name no
    /// Rust string can hold, with half a surrogate pair in it.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    ///
    /// let mut session = SessionData::from_json(r#"{"cookie":{"path":"/"},"user":"ann","views":1}"#)?;
    /// session.clear();
    /// assert_eq!(session.to_json(), r#"{"cookie":{"path":"/"}}"#);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn clear(&mut self) {
        let names: Vec<String> = self.iter().map(|member| member.name().to_owned()).collect();
        // Clearing the data must not prolong the session's life.
        for name in names.iter().filter(|name| *name != Self::ENDS_AT) {
            self.remove(name);
        }
    }

    /// Forgets what was changed since the session was loaded or [marked as stored](Self::mark_stored), the cookie
    /// included.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    ///
    /// let mut session = SessionData::from_json(r#"{"cookie":{"path":"/"},"views":1}"#)?;
    /// session.insert("views", 2)?;
    /// session.cookie_mut().set_path(Some("/shop"));
    /// session.rollback();
    /// assert_eq!(session.to_json(), r#"{"cookie":{"path":"/"},"views":1}"#);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn rollback(&mut self) {
        let edits = &mut self.edits;
        edits.changes.clear();
        edits.made += 1;
        edits.cookie = None;
        edits.prints_cookie = false;
        edits.is_extended = false;
    }

    /// Repeats the changes that `theirs` made since it was loaded: each member that it set or removed, and the cookie
    /// if it changed that. This is how two requests that write at the same time keep both their changes.
    ///
    /// A member that `theirs` removed and set again goes last, as in JavaScript.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    ///
    /// let loaded = SessionData::from_json(r#"{"cookie":{},"a":1,"b":1}"#)?;
    /// let (mut first, mut second) = (loaded.clone(), loaded);
    /// first.insert("a", 2)?;
    /// second.insert("b", 2)?;
    /// first.merge(&second);
    /// assert_eq!(first.to_json(), r#"{"cookie":{},"a":2,"b":2}"#);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn merge(&mut self, theirs: &Self) {
        for change in theirs.edits.changes.iter() {
            self.lay(&change.name, change.value.as_deref(), change.is_moved);
        }
        if let Some(cookie) = theirs.changed_cookie() {
            *self.cookie_mut() = *cookie;
        }
    }

    /// Like [`merge`](Self::merge), but repeats only the changes that `theirs` made after `earlier` was cloned from it.
    ///
    /// ```
    /// use cloakroom_core::SessionData;
    ///
    /// let mut session = SessionData::from_json(r#"{"cookie":{},"a":1}"#)?;
    /// session.insert("a", 2)?;
    /// let earlier = session.clone();
    /// session.insert("b", 1)?;
    ///
    /// let mut other = SessionData::from_json(r#"{"cookie":{},"a":7}"#)?;
    /// other.merge_since(&session, &earlier);
    /// assert_eq!(other.to_json(), r#"{"cookie":{},"a":7,"b":1}"#);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn merge_since(&mut self, theirs: &Self, earlier: &Self) {
        for undone in
            earlier.edits.changes.iter().filter(|known| theirs.change_of(&known.name).is_none())
        {
            self.lay(&undone.name, theirs.get_json(&undone.name), false);
        }
        let number_of = |session: &Self, name: &str| session.edits.changes.number_of(name);
        for change in theirs.edits.changes.iter() {
            let is_same = || number_of(theirs, &change.name) == number_of(earlier, &change.name);
            let is_moved = match earlier.change_of(&change.name) {
                None => change.is_moved,
                Some(known) if is_same() || known.value.is_none() => false,
                // The number differs, so the member was removed and set again in between.
                Some(_) => change.is_moved || change.place.is_none(),
            };
            if is_moved || change.value.as_deref() != earlier.get_json(&change.name) {
                self.lay(&change.name, change.value.as_deref(), is_moved);
            }
        }
        // A cookie that was only extended on its way to a store is not a change that somebody made.
        if theirs.cookie() != earlier.cookie() && !theirs.edits.is_extended {
            *self.cookie_mut() = theirs.cookie().clone();
        }
    }

    /// Repeats a change of another session.
    fn lay(&mut self, name: &str, value: Option<&str>, is_moved: bool) {
        if is_moved || value.is_none() {
            self.remove(name);
        }
        if let Some(value) = value {
            self.change(name, Some(value.to_owned()));
        }
    }

    pub(super) fn change_of(&self, name: &str) -> Option<&Change> {
        self.edits.changes.get(name)
    }

    pub(super) fn change(&mut self, name: &str, value: Option<String>) {
        let Self { loaded, edits: Edits { changes, made, .. }, .. } = self;
        let known = changes.take(name);
        let is_known = known.is_some();
        let (mut number, mut change) = known.unwrap_or_else(|| {
            let (place, doubles) = loaded.places_of(name);
            let name = name.to_owned();
            (*made, Change { name, place, doubles, is_moved: false, value: None })
        });
        let is_set_again = is_known && change.value.is_none() && value.is_some();
        if is_set_again || !is_known {
            *made += 1;
            number = *made;
        }
        change.is_moved = (change.is_moved || is_set_again) && value.is_some();
        let place = change.doubles.last().copied().or(change.place);
        // Express compares a hash of the text without the cookie, so a member with its loaded value in its old place is
        // unchanged.
        if change.is_moved || place.map(|place| loaded.value(place)) != value.as_deref() {
            change.value = value;
            changes.insert(number, change);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Revision, TimeToLive};

    const RECORD: &str = r#"{"cookie":{"path":"/"},"a":1,"b":1,"b":2,"cloakroomEndsAt":9}"#;

    fn load() -> SessionData {
        SessionData::from_json(RECORD).unwrap().with_revision(Revision::of_text())
    }

    #[test]
    fn clear_removes_the_members_and_keeps_the_cookie_the_end_and_the_revision() {
        let mut session = load();
        session.insert("new", 1).unwrap();
        session.clear();
        assert_eq!(session.to_json(), r#"{"cookie":{"path":"/"},"cloakroomEndsAt":9}"#);
        assert!(session.is_changed() && session.revision().is_some());

        // What another request has added in the meantime is not among the members that were cleared.
        let mut theirs = load();
        theirs.insert("theirs", 1).unwrap();
        theirs.merge(&session);
        assert_eq!(theirs.to_json(), r#"{"cookie":{"path":"/"},"cloakroomEndsAt":9,"theirs":1}"#);
    }

    #[test]
    fn rollback_is_back_to_what_was_loaded_or_stored() {
        let mut session = load();
        session.insert("a", 2).unwrap();
        session.remove("b");
        session.cookie_mut().set_path(Some("/x"));
        session.rollback();
        assert_eq!(session.to_json(), RECORD);
        assert!(!session.is_changed() && !session.is_cookie_changed());

        session.insert("a", 2).unwrap();
        session.mark_stored(Revision::of_text());
        session.insert("a", 3).unwrap();
        session.rollback();
        assert_eq!(session.get::<u8>("a").unwrap(), Some(2));
    }

    #[test]
    fn a_cookie_that_is_merged_says_when_the_session_ends() {
        const NOW: i64 = 1_700_000_000_000;
        let mut theirs = load();
        theirs.remove(SessionData::ENDS_AT);
        theirs.set_max_age(Duration::from_secs(60), NOW).unwrap();
        let copy = || load().with_store_expiry_ms(NOW + 10_000);
        let extended = || {
            let text = RECORD.replace("\"path\"", "\"originalMaxAge\":90000,\"path\"");
            let read = SessionData::from_json(text).unwrap().with_revision(Revision::of_text());
            read.extended(NOW).into_owned()
        };
        for mut session in [copy(), extended()] {
            let mut since = session.clone();
            session.merge(&theirs);
            assert_eq!(session.time_to_live(NOW), TimeToLive::Seconds(60));
            since.merge_since(&theirs, &load());
            assert_eq!(since.time_to_live(NOW), TimeToLive::Seconds(60));
        }
    }

    #[test]
    fn rollback_takes_back_what_express_does_to_a_cookie() {
        let text = r#"{"cookie":{"path":"/","originalMaxAge":null,"x":1},"a":1}"#;
        let mut session = SessionData::from_json(text).unwrap();
        for touches in [false, true] {
            session.load_as_express().unwrap();
            if touches {
                session.touch_as_express(1_700_000_000_000).unwrap();
            }
            session.rollback();
            assert_eq!(session.to_json(), text);
        }
    }
}
