//! Writes the text of a session: the loaded text with the changes applied.
//!
//! The text is copied in pieces around the changed values, so what nobody changed keeps its bytes, its white space
//! included.

use std::borrow::Cow;

use super::{COOKIE, SessionData, loaded::Loaded};
use crate::json;

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
            Cow::Owned(self.print())
        } else {
            Cow::Borrowed(&self.loaded.text)
        }
    }

    fn print(&self) -> String {
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
        for change in &self.edits.changes {
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
            json::quote(name, &mut out);
            out.push(':');
            out.push_str(value);
        }
        out.push_str(tail);
        out
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
