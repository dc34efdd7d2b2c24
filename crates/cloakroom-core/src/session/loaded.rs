//! The record as it was loaded, which clones of a session share.

use std::{ops::Deref, sync::Arc, sync::OnceLock};

use super::COOKIE;
use crate::{
    Cookie,
    json::{
        scan::{self, Malformed, Members, Span},
        string::{is_escaped, is_name},
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
}

impl Loaded {
    /// Scans a text whose offsets fit 32 bits.
    pub(super) fn scan(text: Text) -> Result<Self, (Text, Malformed)> {
        match scan::members(&text) {
            Ok(Members { spans, has_escaped_names }) => {
                Ok(Self { text, spans, has_escaped_names, cookie: OnceLock::new() })
            }
            Err(at) => Err((text, at)),
        }
    }

    /// Makes the record of a text whose members are at these places.
    pub(super) fn with_places(text: Text, spans: Vec<Span>) -> Self {
        let has_escaped_names = spans.iter().any(|span| is_escaped(span.name(&text)));
        Self { text, spans, has_escaped_names, cookie: OnceLock::new() }
    }

    /// Makes the record that has this cookie and no other member.
    pub(super) fn of_cookie(cookie: Cookie) -> Self {
        let mut text = String::with_capacity(128);
        text.push_str("{\"cookie\":");
        cookie.push_json(&mut text);
        let span =
            Span { name_start: 2, name_end: 8, value_start: 10, value_end: text.len() as u32 };
        text.push('}');
        let (text, spans) = (Text::Own(text), vec![span]);
        Self { text, spans, has_escaped_names: false, cookie: cookie.into() }
    }

    /// Returns the last member with this name, because `JSON.parse` keeps the last value of a repeated name.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.spans.iter().rposition(|span| self.is_named(span, name))
    }

    /// Returns the places of all members with this name, in order.
    pub(super) fn places_of(&self, name: &str) -> impl Iterator<Item = usize> {
        let named =
            self.spans.iter().enumerate().filter(move |(_, span)| self.is_named(span, name));
        named.map(|(place, _)| place)
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
