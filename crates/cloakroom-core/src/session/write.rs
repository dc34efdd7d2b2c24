//! Writes the text of a session: the loaded text with the changes applied.
//!
//! The text is copied in pieces around the changed values, so what nobody changed keeps its bytes, its white space
//! included.

use std::borrow::Cow;

use super::{COOKIE, SessionData};

impl SessionData {
    /// Returns the current record, which is what a store writes. Borrowed if nothing was changed.
    ///
    /// A record without a usable cookie gets the default one: Express would answer each request of that session with
    /// status 500.
    #[must_use]
    pub fn to_json(&self) -> Cow<'_, str> {
        let mut edits: Vec<(usize, Option<Cow<'_, str>>)> = Vec::new();
        let mut news = Vec::new();
        let mut removes = false;
        let cookie = self.cookie_edit();
        let cookie_place = self.place_of(COOKIE);
        if let Some(json) = &cookie {
            match cookie_place {
                Some(place) => edits.push((place, Some(Cow::Borrowed(json)))),
                None => news.push((COOKIE, &**json)),
            }
        }
        for change in &self.changes {
            match (change.place, &change.value) {
                (Some(place), value) => {
                    let stays = value.as_deref().filter(|_| !change.is_moved);
                    removes |= stays.is_none() || !change.doubles.is_empty();
                    edits.push((place, stays.map(Cow::Borrowed)));
                    if let (Some(value), None) = (value, stays) {
                        news.push((&*change.name, value));
                    }
                    edits.extend(change.doubles.iter().map(|double| (*double, None)));
                }
                (None, Some(value)) => news.push((&*change.name, value)),
                (None, None) => {}
            }
        }
        if edits.is_empty() && news.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        // Changes are in the order in which they were made; the text is copied in the order of places.
        edits.sort_unstable_by_key(|(place, _)| *place);

        let added: usize =
            edits.iter().filter_map(|(_, value)| Some(value.as_ref()?.len())).sum::<usize>()
                + news.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>();
        let mut out = String::with_capacity(self.text.len() + added);
        let (members, tail) = self.parts();
        let any = if removes {
            self.write_members(&edits, &mut out)
        } else {
            let mut from = 0;
            for (place, value) in &edits {
                let span = self.spans[*place];
                out.push_str(&self.text[from..span.value_start as usize]);
                out.push_str(value.as_deref().unwrap_or_default());
                from = span.value_end as usize;
            }
            out.push_str(&self.text[from..members]);
            !self.spans.is_empty()
        };
        let mut comma = any;
        for (name, value) in news {
            if comma {
                out.push(',');
            }
            comma = true;
            out.push_str(&quote(name));
            out.push(':');
            out.push_str(value);
        }
        out.push_str(tail);
        Cow::Owned(out)
    }

    /// Returns the offset behind the last member and the text from there on: white space and the closing brace.
    fn parts(&self) -> (usize, &str) {
        let end = match self.spans.last() {
            Some(last) => last.value_end as usize,
            None => self.text.rfind('}').unwrap_or_default(),
        };
        (end, &self.text[end..])
    }

    /// Writes member by member. Removed members take their commas with them. Returns true if any member is left.
    fn write_members(&self, edits: &[(usize, Option<Cow<'_, str>>)], out: &mut String) -> bool {
        let mut edits = edits.iter().peekable();
        let mut any = false;
        let mut behind = 0;
        for (place, span) in self.spans.iter().enumerate() {
            let name = span.name_start as usize - 1;
            let edit = edits.next_if(|(at, _)| *at == place).map(|(_, value)| value);
            if edit != Some(&None) {
                // The text between two members contains their comma, and the first member that is left needs none.
                let from = if place == 0 || any { behind } else { name };
                if place > 0 && !any {
                    out.push_str(&self.text[..self.spans[0].name_start as usize - 1]);
                }
                out.push_str(&self.text[from..span.value_start as usize]);
                match edit {
                    Some(Some(value)) => out.push_str(value),
                    _ => out.push_str(span.value(&self.text)),
                }
                any = true;
            }
            behind = span.value_end as usize;
        }
        if !any {
            out.push_str(
                &self.text
                    [..self.spans.first().map_or(behind, |first| first.name_start as usize - 1)],
            );
        }
        any
    }

    /// Returns the cookie's new text, or `None` if the text already contains the right one.
    fn cookie_edit(&self) -> Option<String> {
        // Express reads members of the cookie, so only an object is usable.
        let usable = self
            .place_of(COOKIE)
            .is_some_and(|place| self.spans[place].value(&self.text).starts_with('{'));
        let same = self.cookie.as_deref().is_none_or(|cookie| cookie == self.loaded_cookie());
        (!usable || !same || self.prints_cookie).then(|| self.cookie().to_json())
    }
}

fn quote(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}
