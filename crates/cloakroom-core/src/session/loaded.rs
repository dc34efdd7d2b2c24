//! The record as it was loaded, which clones of a session share.

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    iter, mem,
    ops::Deref,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use hashbrown::{HashTable, hash_table::Entry};

use super::COOKIE;
use crate::{
    Cookie,
    json::{
        scan::{self, Malformed, Members, Span},
        string::{canonical, escaped, is_escaped, is_name},
    },
};

/// A text as its reader has it, so that a large record is not copied.
pub(super) enum Text {
    Own(String),
    Shared(Arc<str>),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Own(text) => text,
            Self::Shared(text) => text,
        }
    }
}

pub(super) struct Loaded {
    pub(super) text: Text,
    pub(super) spans: Vec<Span>,
    has_escaped_names: bool,
    cookie: OnceLock<Cookie>,
    searches: AtomicUsize,
    index: OnceLock<Box<Index>>,
}

/// From this many members on, names are looked up in an index.
const MANY: usize = 64;

/// The number of searches after which the index is made. It takes the time of some.
const SEARCHES: usize = 16;

impl Loaded {
    fn new(
        text: Text,
        spans: Vec<Span>,
        has_escaped_names: bool,
        cookie: OnceLock<Cookie>,
    ) -> Self {
        let (searches, index) = (AtomicUsize::new(0), OnceLock::new());
        Self { text, spans, has_escaped_names, cookie, searches, index }
    }

    /// Scans a text whose offsets fit 32 bits.
    pub(super) fn scan(text: Text) -> Result<Self, (Text, Malformed)> {
        match scan::members(&text) {
            Ok(Members { spans, has_escaped_names }) => {
                Ok(Self::new(text, spans, has_escaped_names, OnceLock::new()))
            }
            Err(at) => Err((text, at)),
        }
    }

    /// Makes the record of a text whose members are at these places.
    pub(super) fn with_places(text: Text, spans: Vec<Span>) -> Self {
        let has_escaped_names = spans.iter().any(|span| is_escaped(span.name(&text)));
        Self::new(text, spans, has_escaped_names, OnceLock::new())
    }

    /// Makes the record that has this cookie and no other member.
    pub(super) fn of_cookie(cookie: Cookie) -> Self {
        let mut text = String::with_capacity(128);
        text.push_str("{\"cookie\":");
        cookie.push_json(&mut text);
        let span =
            Span { name_start: 2, name_end: 8, value_start: 10, value_end: text.len() as u32 };
        text.push('}');
        Self::new(Text::Own(text), vec![span], false, cookie.into())
    }

    /// Returns the last member with this name, because `JSON.parse` keeps the last value of a repeated name.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        match self.index() {
            Some(index) => index.last_of(self, name),
            None => self.spans.iter().rposition(|span| self.is_named(span, name)),
        }
    }

    /// Returns the first member with this name, and further ones in order.
    pub(super) fn places_of(&self, name: &str) -> (Option<usize>, Vec<usize>) {
        if let Some(index) = self.index() {
            let mut places: Vec<usize> =
                iter::successors(index.last_of(self, name), |place| index.before(*place)).collect();
            let first = places.pop();
            places.reverse();
            return (first, places);
        }
        let named = self.spans.iter().enumerate().filter(|(_, span)| self.is_named(span, name));
        let mut places = named.map(|(place, _)| place);
        (places.next(), places.collect())
    }

    /// Returns the index of the names, once enough of them were looked up in a long list to pay for it.
    fn index(&self) -> Option<&Index> {
        if self.spans.len() < MANY {
            return None;
        }
        if let Some(index) = self.index.get() {
            return Some(index);
        }
        // It only has to be about right, so `Relaxed` is enough.
        if self.searches.fetch_add(1, Ordering::Relaxed) < SEARCHES {
            return None;
        }
        Some(self.index.get_or_init(|| Index::of(self)))
    }

    /// Returns the name of a member as `JSON.stringify` writes it.
    fn canonical_name(&self, place: u32) -> Cow<'_, str> {
        let raw = self.spans[place as usize].name(&self.text);
        if self.has_escaped_names { canonical(raw) } else { Cow::Borrowed(raw) }
    }

    fn is_named(&self, span: &Span, name: &str) -> bool {
        if self.has_escaped_names {
            return is_name(span.name(&self.text), name);
        }
        // Most names differ in length, which needs no look at the text.
        (span.name_end - span.name_start) as usize == name.len() && span.name(&self.text) == name
    }

    /// Returns the JSON text of the member at this place.
    pub(super) fn value(&self, place: usize) -> &str {
        self.spans[place].value(&self.text)
    }

    /// Returns the cookie of the text. It is parsed on first use, because not every request looks at it.
    pub(super) fn cookie(&self) -> &Cookie {
        self.cookie.get_or_init(|| {
            let stored = self.place_of(COOKIE).map(|place| self.value(place));
            stored.and_then(Cookie::from_json).unwrap_or_default()
        })
    }
}

/// The places of the names. Without it, a handler that changes each of many members would take quadratic time.
struct Index {
    hasher: RandomState,
    /// The last place of each name.
    last: HashTable<u32>,
    /// For each place the one before it that has the same name, or [`NONE`].
    before: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Index {
    fn of(loaded: &Loaded) -> Box<Self> {
        let hasher = RandomState::new();
        let hash = |place: &u32| hasher.hash_one(&*loaded.canonical_name(*place));
        let mut last = HashTable::new();
        let mut before = Vec::with_capacity(loaded.spans.len());
        for place in 0..loaded.spans.len() as u32 {
            let name = loaded.canonical_name(place);
            let has_name = |other: &u32| loaded.canonical_name(*other) == name;
            match last.entry(hash(&place), has_name, hash) {
                Entry::Occupied(mut known) => before.push(mem::replace(known.get_mut(), place)),
                Entry::Vacant(free) => {
                    free.insert(place);
                    before.push(NONE);
                }
            }
        }
        Box::new(Self { hasher, last, before })
    }

    fn last_of(&self, loaded: &Loaded, name: &str) -> Option<usize> {
        let name = escaped(name);
        let has_name = |place: &u32| loaded.canonical_name(*place) == name;
        self.last.find(self.hasher.hash_one(&*name), has_name).map(|place| *place as usize)
    }

    fn before(&self, place: usize) -> Option<usize> {
        Some(self.before[place]).filter(|before| *before != NONE).map(|before| before as usize)
    }
}
