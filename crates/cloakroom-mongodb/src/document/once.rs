//! The members of an object, with each name once, as an object in JavaScript has them.

use std::{borrow::Cow, collections::HashMap};

use cloakroom_core::json::members;

/// Returns the members of an object with each name once. `None` if the text is anything else.
pub(super) fn members_once(json: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    members(json).map(once_each)
}

/// Merges doubled names as JavaScript does: the first position stays, the last value wins.
pub(super) fn once_each<'a>(
    members: impl IntoIterator<Item = (Cow<'a, str>, &'a str)>,
) -> Vec<(Cow<'a, str>, &'a str)> {
    let members = members.into_iter();
    let most = members.size_hint().0;
    let mut places = HashMap::with_capacity(most);
    let mut once: Vec<(Cow<'_, str>, &str)> = Vec::with_capacity(most);
    for (name, value) in members {
        match places.get(&name) {
            Some(place) => once[*place] = (name, value),
            None => {
                places.insert(name.clone(), once.len());
                once.push((name, value));
            }
        }
    }
    once
}
