//! What was set and removed since a session was loaded, and how that is laid over another one.

use super::Session;
use crate::json::string::is_name;

/// A member that was set or removed since the session was loaded.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) name: String,
    /// Which of the session's changes it is. Another value in the same place is the same change.
    number: u64,
    /// The member's place in the text, or `None` for a new one. JavaScript keeps the first place of a doubled name.
    pub(super) place: Option<usize>,
    /// Further members of the same name, which another language may have written.
    pub(super) doubles: Vec<usize>,
    /// It was removed and then set again, so it comes last, as in JavaScript.
    pub(super) is_moved: bool,
    /// JSON text, or `None` when the member is removed.
    pub(super) value: Option<String>,
}

impl Session {
    /// The names of the members that were set or removed since loading and are different now.
    pub fn changed_keys(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().map(|change| &*change.name)
    }

    /// Whether any member besides the cookie is different from what was loaded. As in Express, a value that was
    /// changed and changed back is not, and one that was removed and set again is: it has moved to the end.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Sets and removes here what was set and removed in `theirs` since that was loaded, member by member; the cookie
    /// too if it was changed. This is how two requests that met keep both their changes.
    ///
    /// A member that was removed there and set again comes last here too, as in JavaScript.
    ///
    /// ```
    /// use cloakroom_core::Session;
    ///
    /// let loaded = Session::from_json(r#"{"cookie":{},"a":1,"b":1}"#)?;
    /// let (mut first, mut second) = (loaded.clone(), loaded);
    /// first.insert("a", 2)?;
    /// second.insert("b", 2)?;
    /// first.merge(&second);
    /// assert_eq!(first.to_json(), r#"{"cookie":{},"a":2,"b":2}"#);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn merge(&mut self, theirs: &Self) {
        for change in &theirs.changes {
            self.lay(&change.name, change.value.as_deref(), change.is_moved);
        }
        if let Some(cookie) = theirs.changed_cookie() {
            self.cookie = Some(cookie);
            self.is_extended = false;
        }
    }

    /// As [`merge`](Self::merge), but with what was changed in `theirs` after `earlier`, a clone of it, was taken.
    ///
    /// ```
    /// use cloakroom_core::Session;
    ///
    /// let mut session = Session::from_json(r#"{"cookie":{},"a":1}"#)?;
    /// session.insert("a", 2)?;
    /// let earlier = session.clone();
    /// session.insert("b", 1)?;
    ///
    /// let mut other = Session::from_json(r#"{"cookie":{},"a":7}"#)?;
    /// other.merge_since(&session, &earlier);
    /// assert_eq!(other.to_json(), r#"{"cookie":{},"a":7,"b":1}"#);
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn merge_since(&mut self, theirs: &Self, earlier: &Self) {
        for undone in earlier.changes.iter().filter(|known| theirs.change_of(&known.name).is_none())
        {
            self.lay(&undone.name, theirs.get_json(&undone.name), false);
        }
        for change in &theirs.changes {
            let is_moved = match earlier.change_of(&change.name) {
                None => change.is_moved,
                Some(known) if known.number == change.number || known.value.is_none() => false,
                // Another change of a new member: it was removed in between.
                Some(_) => change.is_moved || change.place.is_none(),
            };
            if is_moved || change.value.as_deref() != earlier.get_json(&change.name) {
                self.lay(&change.name, change.value.as_deref(), is_moved);
            }
        }
        if theirs.cookie() != earlier.cookie() && !theirs.is_extended {
            self.cookie = Some(Box::new(theirs.cookie().clone()));
        }
    }

    /// Makes a change that was made elsewhere.
    fn lay(&mut self, name: &str, value: Option<&str>, is_moved: bool) {
        if is_moved || value.is_none() {
            self.remove(name);
        }
        if let Some(value) = value {
            self.change(name, Some(value.to_owned()));
        }
    }

    pub(super) fn change_of(&self, name: &str) -> Option<&Change> {
        self.changes.iter().find(|change| change.name == name)
    }

    pub(super) fn change(&mut self, name: &str, value: Option<String>) {
        let index = match self.changes.iter().position(|change| change.name == name) {
            Some(index) if value.is_some() && self.changes[index].value.is_none() => {
                let removed = self.changes.remove(index);
                self.made += 1;
                self.changes.push(Change { is_moved: true, number: self.made, ..removed });
                self.changes.len() - 1
            }
            Some(index) => index,
            None => {
                let mut places = (0..self.spans.len())
                    .filter(|place| is_name(self.spans[*place].name(&self.text), name));
                let (place, doubles) = (places.next(), places.collect());
                let name = name.to_owned();
                self.made += 1;
                self.changes.push(Change {
                    name,
                    number: self.made,
                    place,
                    doubles,
                    is_moved: false,
                    value: None,
                });
                self.changes.len() - 1
            }
        };
        let change = &mut self.changes[index];
        let loaded = change.doubles.last().copied().or(change.place);
        // As in Express, a member that has its loaded value again is unchanged, unless it has moved to the end.
        if !change.is_moved
            && loaded.map(|place| self.spans[place].value(&self.text)) == value.as_deref()
        {
            self.changes.remove(index);
        } else {
            change.is_moved &= value.is_some();
            change.value = value;
        }
    }
}
