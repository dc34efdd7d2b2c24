//! The list of changes, which is searched by name.

use std::collections::{BTreeMap, HashMap};

/// Up to this many changes, looking at each is faster than a hash.
const FEW: usize = 16;

/// A member that was set or removed since the session was loaded.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) name: String,
    /// The index of the member's span, or `None` for a new member. Of a repeated name it is the first, because
    /// JavaScript keeps the first place.
    pub(super) place: Option<usize>,
    /// Further members of the same name. `JSON.stringify` never repeats a name, but other languages may.
    pub(super) doubles: Vec<usize>,
    /// The member was removed and then set again, so it goes last, as in JavaScript.
    pub(super) is_moved: bool,
    /// The JSON text, or `None` if the member was removed.
    pub(super) value: Option<String>,
}

/// Changes in the order in which they were made.
#[derive(Clone, Default)]
pub(super) struct Changes {
    /// By the numbers that `Edits::made` counts. A map, because a handler may change thousands of members and change them
    /// back, and taking one out of a list would move all behind it.
    by_number: BTreeMap<u64, Change>,
    /// The number of each change. Empty until there are more than a few.
    numbers: HashMap<String, u64>,
}

impl Changes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Change> {
        self.by_number.values()
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Returns the number of the change of this name.
    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        if self.numbers.is_empty() {
            let found = self.by_number.iter().find(|(_, change)| change.name == name);
            found.map(|(number, _)| *number)
        } else {
            self.numbers.get(name).copied()
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<&Change> {
        self.by_number.get(&number)
    }

    /// Adds the change of a name that has none. A number above all others puts it last.
    pub(super) fn insert(&mut self, number: u64, change: Change) {
        if !self.numbers.is_empty() {
            self.numbers.insert(change.name.clone(), number);
        }
        self.by_number.insert(number, change);
        if self.numbers.is_empty() && self.by_number.len() > FEW {
            let named = |(number, change): (&u64, &Change)| (change.name.clone(), *number);
            self.numbers = self.by_number.iter().map(named).collect();
        }
    }

    /// Removes the change of this name, and returns it and its number.
    pub(super) fn take(&mut self, name: &str) -> Option<(u64, Change)> {
        let number = self.number_of(name)?;
        self.numbers.remove(name);
        Some((number, self.by_number.remove(&number)?))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
