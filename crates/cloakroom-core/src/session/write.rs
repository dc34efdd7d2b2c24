//! Writes the text of a session: the loaded text with the changes applied.
//!
//! The text is copied in pieces around the changed values, so what nobody changed keeps its bytes, its white space
//! included.

use std::borrow::Cow;

use super::{
    COOKIE, SessionData,
    loaded::{Loaded, Text},
};
use crate::json::{
    self,
    scan::{Malformed, Span},
};

/// The new text of the member at a place, or `None` for a member that was removed.
type Edit<'a> = (usize, Option<&'a str>);

impl SessionData {
    /// Returns the current record, which is what a store writes. Borrowed if nothing was changed.
    ///
    /// A record without a usable cookie gets the default one: Express would answer each request of that session with
    /// status 500.
    #[must_use]
    pub fn to_json(&self) -> Cow<'_, str> {
        if self.is_changed() || self.prints_cookie() {
            Cow::Owned(self.print(false).0)
        } else {
            Cow::Borrowed(&self.loaded.text)
        }
    }

    /// Returns the record that [`to_json`](Self::to_json) returns, to go on with, or `None` if it is the loaded one. The
    /// text is not scanned, unless a member was removed.
    pub(super) fn reloaded(&self) -> Option<Result<Loaded, (Text, Malformed)>> {
        if !self.is_changed() && !self.prints_cookie() {
            return None;
        }
        let (text, places) = self.print(true);
        // Spans count in 32 bits.
        u32::try_from(text.len()).ok()?;
        Some(match places {
            Some(places) => Ok(Loaded::with_places(Text::Own(text), places)),
            None => Loaded::scan(Text::Own(text)),
        })
    }

    /// Prints the record. With `wants_places` it also returns where its members are, unless one was removed.
    fn print(&self, wants_places: bool) -> (String, Option<Vec<Span>>) {
        let (text, spans) = (&*self.loaded.text, &*self.loaded.spans);
        let mut edits: Vec<Edit<'_>> = Vec::new();
        let mut news = Vec::new();
        let mut removes = false;
        let cookie = self.prints_cookie().then(|| self.cookie().to_json());
        if let Some(json) = &cookie {
            match self.loaded.place_of(COOKIE) {
                Some(place) => edits.push((place, Some(json))),
                None => news.push((COOKIE, &**json)),
            }
        }
        for change in self.edits.changes.iter() {
            match (change.place, &change.value) {
                (Some(place), value) => {
                    let stays = value.as_deref().filter(|_| !change.is_moved);
                    removes |= stays.is_none() || !change.doubles.is_empty();
                    edits.push((place, stays));
                    if let (Some(value), None) = (value, stays) {
                        news.push((&*change.name, value));
                    }
                    edits.extend(change.doubles.iter().map(|double| (*double, None)));
                }
                (None, Some(value)) => news.push((&*change.name, value)),
                (None, None) => {}
            }
        }
        // Changes are in the order in which they were made; the text is copied in the order of places.
        edits.sort_unstable_by_key(|(place, _)| *place);

        let added: usize =
            edits.iter().filter_map(|(_, value)| Some(value.as_ref()?.len())).sum::<usize>()
                + news.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>();
        let mut out = String::with_capacity(text.len() + added);
        let mut places = (wants_places && !removes).then(|| moved(spans, &edits));
        let (members, tail) = self.parts();
        let any = if removes {
            self.write_members(&edits, &mut out)
        } else {
            let mut from = 0;
            for (place, value) in &edits {
                let span = spans[*place];
                out.push_str(&text[from..span.value_start as usize]);
                out.push_str(value.unwrap_or_default());
                from = span.value_end as usize;
            }
            out.push_str(&text[from..members]);
            !spans.is_empty()
        };
        let mut comma = any;
        for (name, value) in news {
            if comma {
                out.push(',');
            }
            comma = true;
            let name_start = out.len() as u32 + 1;
            json::quote(name, &mut out);
            let name_end = out.len() as u32 - 1;
            out.push(':');
            if let Some(places) = &mut places {
                let value_start = out.len() as u32;
                let value_end = value_start.wrapping_add(value.len() as u32);
                places.push(Span { name_start, name_end, value_start, value_end });
            }
            out.push_str(value);
        }
        out.push_str(tail);
        (out, places)
    }

    /// Returns the offset behind the last member and the text from there on: white space and the closing brace.
    fn parts(&self) -> (usize, &str) {
        let Loaded { text, spans, .. } = &*self.loaded;
        let end = match spans.last() {
            Some(last) => last.value_end as usize,
            None => text.rfind('}').unwrap_or_default(),
        };
        (end, &text[end..])
    }

    /// Writes member by member. Removed members take their commas with them. Returns true if any member is left.
    fn write_members(&self, edits: &[Edit<'_>], out: &mut String) -> bool {
        let (text, spans) = (&*self.loaded.text, &*self.loaded.spans);
        let mut edits = edits.iter().peekable();
        let mut any = false;
        let mut behind = 0;
        for (place, span) in spans.iter().enumerate() {
            let name = span.name_start as usize - 1;
            let edit = edits.next_if(|(at, _)| *at == place).map(|(_, value)| value);
            if edit != Some(&None) {
                // The text between two members contains their comma, and the first member that is left needs none.
                let from = if place == 0 || any { behind } else { name };
                if place > 0 && !any {
                    out.push_str(&text[..spans[0].name_start as usize - 1]);
                }
                out.push_str(&text[from..span.value_start as usize]);
                match edit {
                    Some(Some(value)) => out.push_str(value),
                    _ => out.push_str(span.value(text)),
                }
                any = true;
            }
            behind = span.value_end as usize;
        }
        if !any {
            out.push_str(
                &text[..spans.first().map_or(behind, |first| first.name_start as usize - 1)],
            );
        }
        any
    }

    /// Returns true if the loaded text does not contain the right cookie.
    fn prints_cookie(&self) -> bool {
        // Express reads members of the cookie, so only an object is usable.
        let usable = self
            .loaded
            .place_of(COOKIE)
            .is_some_and(|place| self.loaded.value(place).starts_with('{'));
        !usable || self.edits.prints_cookie || self.is_cookie_changed()
    }
}

/// Returns the places of the members in a text in which these values replace others. No member is removed.
fn moved(spans: &[Span], edits: &[Edit<'_>]) -> Vec<Span> {
    let mut edits = edits.iter().peekable();
    // Modulo 2^32, so that a text can become shorter, too.
    let mut shift = 0_u32;
    let mut places = Vec::with_capacity(spans.len() + 1);
    for (place, span) in spans.iter().enumerate() {
        let [name_start, name_end, start, end] =
            [span.name_start, span.name_end, span.value_start, span.value_end]
                .map(|offset| offset.wrapping_add(shift));
        let edit = edits.next_if(|(at, _)| *at == place).and_then(|(_, value)| *value);
        let (value_start, value_end) = match edit {
            Some(value) => {
                shift = shift.wrapping_add(value.len() as u32).wrapping_sub(end - start);
                (start, start.wrapping_add(value.len() as u32))
            }
            None => (start, end),
        };
        places.push(Span { name_start, name_end, value_start, value_end });
    }
    places
}
