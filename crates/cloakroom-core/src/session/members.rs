//! Iteration over the members of a session.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use serde::Deserialize;

use super::{COOKIE, SessionData};
use crate::{
    Error, ErrorKind,
    json::string::{canonical, escaped, shown},
    quote::quoted,
};

/// One member of a session, returned by [`SessionData::iter`].
#[derive(Clone)]
pub struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    value: &'a str,
}

impl<'a> Member<'a> {
    /// Returns the name with its escapes resolved.
    ///
    /// Half a surrogate pair, which a Rust string cannot hold, is shown as its escape, such as `\ud83d`. Such a member is
    /// listed and written back, but [`get`](SessionData::get) cannot find it: given the shown name, it looks for a member
    /// whose name is a backslash and five letters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the JSON text of the value.
    #[must_use]
    pub fn json(&self) -> &'a str {
        self.value
    }

    /// Returns the parsed value.
    ///
    /// # Errors
    ///
    /// As for [`SessionData::get`], but the message does not contain the name: here it is session data, not your own text.
    pub fn value<T: Deserialize<'a>>(&self) -> Result<T, Error> {
        parse_as(|| "the member".to_owned(), self.value)
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").finish_non_exhaustive()
    }
}

impl SessionData {
    /// Returns the members in order, without the cookie. A name that occurs twice in the text is returned once, at its
    /// first place and with its last value, as JavaScript reads it.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let mut members: Vec<Member<'_>> = Vec::with_capacity(self.loaded.spans.len());
        // A map, because a record may repeat thousands of names.
        let mut places: HashMap<Cow<'_, str>, usize> =
            HashMap::with_capacity(self.loaded.spans.len());
        for span in &self.loaded.spans {
            let (raw, value) = (span.name(&self.loaded.text), span.value(&self.loaded.text));
            match places.entry(canonical(raw)) {
                Entry::Occupied(place) => members[*place.get()].value = value,
                Entry::Vacant(place) => {
                    place.insert(members.len());
                    members.push(Member { name: shown(raw), value });
                }
            }
        }
        let mut removed = vec![false; members.len()];
        for change in self.edits.changes.iter() {
            match (places.get(&*escaped(&change.name)), &change.value) {
                (Some(place), Some(value)) if !change.is_moved => members[*place].value = value,
                (place, value) => {
                    if let Some(place) = place {
                        removed[*place] = true;
                    }
                    if let Some(value) = value {
                        members.push(Member { name: Cow::Borrowed(&change.name), value });
                    }
                }
            }
        }
        members.into_iter().enumerate().filter_map(move |(place, member)| {
            let gone = removed.get(place).copied().unwrap_or_default() || member.name == COOKIE;
            (!gone).then_some(member)
        })
    }

    /// Returns the number of members, without the cookie.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Returns true if the cookie is the only member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

pub(super) fn parse<'a, T: Deserialize<'a>>(name: &str, json: &'a str) -> Result<T, Error> {
    parse_as(|| format!("member {}", quoted(name)), json)
}

fn parse_as<'a, T: Deserialize<'a>>(what: impl Fn() -> String, json: &'a str) -> Result<T, Error> {
    // serde_json's message quotes the value, which is session data, so it must not become the source.
    serde_json::from_str(json).map_err(|_| {
        let message = format!("{} is not a valid {}", what(), std::any::type_name::<T>());
        Error::new(ErrorKind::InvalidData, "session", "get", message)
    })
}
