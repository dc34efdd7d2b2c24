//! The list of changes, which is searched by name.

use std::collections::{BTreeMap, HashMap};

/// Up to this many, looking at each change is faster than a hash.
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

/// Changes in the order in which they were made, by the numbers that `Edits::made` counts.
///
/// A handler makes a few, which a list keeps in less room and time than a map. It may also make thousands and take them
/// back: for each of those a list would be searched, and all behind it moved.
#[derive(Clone, Default)]
pub(super) struct Changes {
    /// Empty if there are many.
    few: Vec<(u64, Change)>,
    many: Option<Box<Many>>,
}

#[derive(Clone, Default)]
struct Many {
    by_number: BTreeMap<u64, Change>,
    /// The number of each change.
    numbers: HashMap<String, u64>,
}

impl Many {
    fn insert(&mut self, number: u64, change: Change) {
        self.numbers.insert(change.name.clone(), number);
        self.by_number.insert(number, change);
    }
}

impl Changes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Change> {
        let many = self.many.iter().flat_map(|many| many.by_number.values());
        self.few.iter().map(|(_, change)| change).chain(many)
    }

    pub(super) fn len(&self) -> usize {
        self.many.as_ref().map_or(self.few.len(), |many| many.by_number.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of the change of this name.
    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        match &self.many {
            Some(many) => many.numbers.get(name).copied(),
            None => self.place_of(name).map(|place| self.few[place].0),
        }
    }

    /// Returns where the change of this name is among the few.
    fn place_of(&self, name: &str) -> Option<usize> {
        self.few.iter().position(|(_, change)| change.name == name)
    }

    /// Returns the change of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Change> {
        match &self.many {
            Some(many) => many.by_number.get(many.numbers.get(name)?),
            None => self.place_of(name).map(|place| &self.few[place].1),
        }
    }

    /// Adds the change of a name that has none. A number above all others puts it last.
    pub(super) fn insert(&mut self, number: u64, change: Change) {
        if let Some(many) = &mut self.many {
            return many.insert(number, change);
        }
        let place = self.few.partition_point(|(known, _)| *known < number);
        self.few.insert(place, (number, change));
        if self.few.len() > FEW {
            let many = self.many.insert(Box::default());
            self.few.drain(..).for_each(|(number, change)| many.insert(number, change));
            self.few = Vec::new();
        }
    }

    /// Removes the change of this name, and returns it and its number.
    pub(super) fn take(&mut self, name: &str) -> Option<(u64, Change)> {
        match &mut self.many {
            Some(many) => {
                let number = many.numbers.remove(name)?;
                Some((number, many.by_number.remove(&number)?))
            }
            None => Some(self.few.remove(self.place_of(name)?)),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
