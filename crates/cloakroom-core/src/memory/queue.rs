//! The order in which the sessions under one lock are due.

/// A binary heap over entries that are numbered from 0, without gaps, as in a `Vec`.
///
/// It knows where each entry is, so that one that is not the first can be moved or removed.
#[derive(Default)]
pub(super) struct Queue {
    /// No entry is due before its parent, which is at half of its place.
    heap: Vec<Due>,
    /// The place in the heap of each entry, by its number.
    places: Vec<u32>,
}

struct Due {
    at_ms: i64,
    entry: u32,
}

impl Queue {
    /// Returns the entry that is due first, and when.
    pub(super) fn first(&self) -> Option<(usize, i64)> {
        self.heap.first().map(|due| (due.entry as usize, due.at_ms))
    }

    pub(super) fn at_ms(&self, entry: usize) -> i64 {
        self.heap[self.places[entry] as usize].at_ms
    }

    /// Adds an entry under the next number.
    pub(super) fn push(&mut self, at_ms: i64) {
        let last = self.heap.len();
        self.heap.push(Due { at_ms, entry: last as u32 });
        self.places.push(last as u32);
        self.settle(last);
    }

    pub(super) fn set(&mut self, entry: usize, at_ms: i64) {
        let place = self.places[entry] as usize;
        self.heap[place].at_ms = at_ms;
        self.settle(place);
    }

    /// Removes an entry. The last one gets its number, as in [`Vec::swap_remove`].
    pub(super) fn swap_remove(&mut self, entry: usize) {
        let place = self.places.swap_remove(entry) as usize;
        if let Some(renamed) = self.places.get(entry) {
            self.heap[*renamed as usize].entry = entry as u32;
        }
        self.heap.swap_remove(place);
        if let Some(moved) = self.heap.get(place) {
            self.places[moved.entry as usize] = place as u32;
            self.settle(place);
        }
    }

    pub(super) fn reserve_exact(&mut self, additional: usize) {
        self.heap.reserve_exact(additional);
        self.places.reserve_exact(additional);
    }

    pub(super) fn shrink_to(&mut self, capacity: usize) {
        self.heap.shrink_to(capacity);
        self.places.shrink_to(capacity);
    }

    /// Moves what is at `place` up or down, to where it belongs.
    fn settle(&mut self, mut place: usize) {
        while let Some(parent) = place.checked_sub(1).map(|above| above / 2)
            && self.heap[place].at_ms < self.heap[parent].at_ms
        {
            place = self.swap(place, parent);
        }
        while let Some(child) = self.first_child(place)
            && self.heap[child].at_ms < self.heap[place].at_ms
        {
            place = self.swap(place, child);
        }
    }

    /// Returns the child that is due first.
    fn first_child(&self, place: usize) -> Option<usize> {
        let (left, right) = (2 * place + 1, 2 * place + 2);
        match (self.heap.get(left), self.heap.get(right)) {
            (Some(one), Some(other)) if other.at_ms < one.at_ms => Some(right),
            (one, _) => one.map(|_| left),
        }
    }

    fn swap(&mut self, from: usize, to: usize) -> usize {
        self.heap.swap(from, to);
        for place in [from, to] {
            self.places[self.heap[place].entry as usize] = place as u32;
        }
        to
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(i64),
        Set(usize, i64),
        Remove(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        // Few times, so that many entries are due at once.
        let step = prop_oneof![
            3 => (0_i64..20).prop_map(Step::Push),
            2 => (any::<usize>(), 0_i64..20).prop_map(|(entry, at_ms)| Step::Set(entry, at_ms)),
            2 => any::<usize>().prop_map(Step::Remove),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn the_first_is_due_first_whatever_was_moved_or_removed(steps in steps()) {
            let mut queue = Queue::default();
            let mut times: Vec<i64> = Vec::new();
            for step in steps {
                match step {
                    Step::Push(at_ms) => {
                        queue.push(at_ms);
                        times.push(at_ms);
                    }
                    Step::Set(entry, at_ms) if !times.is_empty() => {
                        let entry = entry % times.len();
                        queue.set(entry, at_ms);
                        times[entry] = at_ms;
                    }
                    Step::Remove(entry) if !times.is_empty() => {
                        let entry = entry % times.len();
                        queue.swap_remove(entry);
                        times.swap_remove(entry);
                    }
                    Step::Set(..) | Step::Remove(_) => {}
                }
                prop_assert_eq!(queue.first().map(|first| first.1), times.iter().min().copied());
                for (entry, at_ms) in times.iter().enumerate() {
                    prop_assert_eq!(queue.at_ms(entry), *at_ms);
                }
            }
        }
    }
}
