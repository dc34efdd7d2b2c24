//! Scans a JSON text in one pass: checks the grammar (RFC 8259) and finds each member or item.
//!
//! Every text that becomes part of a record passes through here. The scanner allocates only the list of what it finds. It
//! does not recurse, because a record with deep nesting must not overflow the stack.

use super::{
    open::Open,
    skip::{Scan, expect, plain, string},
};

pub(crate) use super::skip::Malformed;

/// The position of a member in the text, in bytes. The caller rejects texts whose offsets do not fit 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first byte of the name, after the opening quote.
    pub(crate) name_start: u32,
    /// The closing quote of the name.
    pub(crate) name_end: u32,
    pub(crate) value_start: u32,
    pub(crate) value_end: u32,
}

impl Span {
    pub(crate) fn name<'a>(&self, text: &'a str) -> &'a str {
        &text[self.name_start as usize..self.name_end as usize]
    }

    pub(crate) fn value<'a>(&self, text: &'a str) -> &'a str {
        &text[self.value_start as usize..self.value_end as usize]
    }
}

/// The number of members kept on the stack. Most sessions have fewer, and then the list is allocated once, in its final
/// size.
const FIRST: usize = 16;

/// The members of an object.
pub(crate) struct Members {
    pub(crate) spans: Vec<Span>,
    /// A name contains an escape, so it must be resolved before it is compared.
    pub(crate) has_escaped_names: bool,
}

/// Returns the members of an object, or where `text` stops being one. Its offsets must fit 32 bits.
pub(crate) fn members(text: &str) -> Scan<Members> {
    let mut spans = Vec::new();
    let mut first = [Span { name_start: 0, name_end: 0, value_start: 0, value_end: 0 }; FIRST];
    let mut count = 0;
    let mut has_escaped_names = false;
    each_member(text, |span, is_escaped| {
        has_escaped_names |= is_escaped;
        if count < FIRST {
            first[count] = span;
        } else {
            if count == FIRST {
                // Commas are an upper bound for the members that follow, so one allocation is enough for any size.
                let rest = &text.as_bytes()[span.name_start as usize..];
                spans.reserve_exact(FIRST + memchr::memchr_iter(b',', rest).count() + 1);
                spans.extend_from_slice(&first);
            }
            spans.push(span);
        }
        count += 1;
    })?;
    if count <= FIRST {
        spans = first[..count].to_vec();
    } else {
        spans.shrink_to_fit();
    }
    Ok(Members { spans, has_escaped_names })
}

/// Calls `found` with each member of an object, and with true if its name contains an escape. Returns where `text` stops
/// being an object; `found` may have been called by then. The offsets of `text` must fit 32 bits.
pub(crate) fn each_member(text: &str, mut found: impl FnMut(Span, bool)) -> Scan<()> {
    let bytes = text.as_bytes();
    let mut at = expect(bytes, space(bytes, 0), b'{')?;
    at = space(bytes, at);
    if bytes.get(at) == Some(&b'}') {
        at += 1;
    } else {
        loop {
            let name_end = string(bytes, at)?;
            let is_escaped = plain(bytes, at + 1).0 + 1 != name_end;
            let value_start = space(bytes, expect(bytes, space(bytes, name_end), b':')?);
            let value_end = value(bytes, value_start)?;
            let span = Span {
                name_start: at as u32 + 1,
                name_end: name_end as u32 - 1,
                value_start: value_start as u32,
                value_end: value_end as u32,
            };
            found(span, is_escaped);
            at = space(bytes, value_end);
            match bytes.get(at) {
                Some(b',') => at = space(bytes, at + 1),
                Some(b'}') => break at += 1,
                _ => return Err(Malformed(at)),
            }
        }
    }
    let end = space(bytes, at);
    if end == bytes.len() { Ok(()) } else { Err(Malformed(end)) }
}

/// Returns the texts of an array's items, or where `text` stops being an array.
pub(super) fn items(text: &str) -> Scan<Vec<&str>> {
    let bytes = text.as_bytes();
    let mut at = space(bytes, expect(bytes, space(bytes, 0), b'[')?);
    let mut items = Vec::new();
    if bytes.get(at) == Some(&b']') {
        at += 1;
    } else {
        loop {
            let end = value(bytes, at)?;
            items.push(&text[at..end]);
            at = space(bytes, end);
            match bytes.get(at) {
                Some(b',') => at = space(bytes, at + 1),
                Some(b']') => break at += 1,
                _ => return Err(Malformed(at)),
            }
        }
    }
    let end = space(bytes, at);
    if end == bytes.len() { Ok(items) } else { Err(Malformed(end)) }
}

/// Returns what stands between the quotes of a string, escapes and all. `None` if `text` is anything else.
pub(super) fn between_quotes(text: &str) -> Option<&str> {
    let end = string(text.as_bytes(), 0).ok()?;
    (end == text.len()).then(|| &text[1..end - 1])
}

/// Checks that `text` is one JSON value, with only white space around it.
pub(crate) fn check_value(text: &str) -> Scan<()> {
    let bytes = text.as_bytes();
    let end = space(bytes, value(bytes, space(bytes, 0))?);
    if end == bytes.len() { Ok(()) } else { Err(Malformed(end)) }
}

#[inline]
pub(super) fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Skips the value at `at` and returns the offset behind it.
fn value(bytes: &[u8], mut at: usize) -> Scan<usize> {
    let mut open = Open::default();
    loop {
        // A value starts here.
        match bytes.get(at) {
            Some(b'"') => at = string(bytes, at)?,
            Some(b'{') => {
                at = space(bytes, at + 1);
                if bytes.get(at) == Some(&b'}') {
                    at += 1;
                } else {
                    open.push(true);
                    at = name(bytes, at)?;
                    continue;
                }
            }
            Some(b'[') => {
                at = space(bytes, at + 1);
                if bytes.get(at) == Some(&b']') {
                    at += 1;
                } else {
                    open.push(false);
                    continue;
                }
            }
            Some(b't') => at = literal(bytes, at, b"true")?,
            Some(b'f') => at = literal(bytes, at, b"false")?,
            Some(b'n') => at = literal(bytes, at, b"null")?,
            _ => at = number(bytes, at)?,
        }
        // A value has ended here: close what ends with it, or step to the next one.
        loop {
            let Some(object) = open.top() else { return Ok(at) };
            at = space(bytes, at);
            match bytes.get(at) {
                Some(b',') => {
                    at = space(bytes, at + 1);
                    if object {
                        at = name(bytes, at)?;
                    }
                    break;
                }
                Some(b'}') if object => at += 1,
                Some(b']') if !object => at += 1,
                _ => return Err(Malformed(at)),
            }
            open.pop();
        }
    }
}

/// Skips `"name" :` and the white space behind it.
#[inline]
fn name(bytes: &[u8], at: usize) -> Scan<usize> {
    Ok(space(bytes, expect(bytes, space(bytes, string(bytes, at)?), b':')?))
}

fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Scan<usize> {
    if bytes[at..].starts_with(word) { Ok(at + word.len()) } else { Err(Malformed(at)) }
}

#[inline]
pub(super) fn number(bytes: &[u8], mut at: usize) -> Scan<usize> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        _ => digits(bytes, at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Ok(at)
}

#[inline]
fn digits(bytes: &[u8], at: usize) -> Scan<usize> {
    let mut end = at;
    while let Some(b'0'..=b'9') = bytes.get(end) {
        end += 1;
    }
    if end > at { Ok(end) } else { Err(Malformed(at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<(&str, &str)> {
        members(text)
            .unwrap()
            .spans
            .iter()
            .map(|span| (span.name(text), span.value(text)))
            .collect()
    }

    #[test]
    fn members_are_found_with_their_exact_text() {
        assert_eq!(listed("{}"), []);
        assert_eq!(listed(" { } "), []);
        assert_eq!(
            listed(r#" { "a" : 1.0 ,"b\u0062":{"c":[1,{"d":"}"}]}, "e":"\ud800\"," } "#),
            [("a", "1.0"), (r"b\u0062", r#"{"c":[1,{"d":"}"}]}"#), ("e", r#""\ud800\",""#)]
        );
    }

    #[test]
    fn any_number_of_members_is_listed() {
        for count in [1, FIRST - 1, FIRST, FIRST + 1, 40, 1_000] {
            let text = format!(
                "{{{}}}",
                (0..count).map(|i| format!(r#""k{i}":[{i},{i}]"#)).collect::<Vec<_>>().join(",")
            );
            let spans = members(&text).unwrap().spans;
            assert_eq!(spans.len(), count);
            assert_eq!(spans[count - 1].name(&text), format!("k{}", count - 1));
        }
    }

    #[test]
    fn depth_costs_no_stack_and_brackets_must_match() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 200_000] {
            let open: String =
                (0..depth).map(|i| if i % 3 == 0 { "[" } else { r#"{"":"# }).collect();
            let close: String =
                (0..depth).rev().map(|i| if i % 3 == 0 { "]" } else { "}" }).collect();
            assert_eq!(check_value(&format!("{open}0{close}")), Ok(()), "{depth}");
            assert!(check_value(&format!("{open}0{}", &close[1..])).is_err(), "{depth}");
            assert!(check_value(&format!("{open}0{close}]")).is_err(), "{depth}");
            let wrong = if depth % 3 == 1 { "}" } else { "]" };
            assert!(check_value(&format!("{open}0{wrong}{}", &close[1..])).is_err(), "{depth}");
        }
    }

    #[test]
    fn it_agrees_with_serde_json_on_what_is_json() {
        // serde_json refuses lone surrogates only where it decodes; `IgnoredAny` skips strings as we do.
        let short = [
            r#"0 -0 - 01 1. .5 1.5e 1e+5 1E-05 -1.25 +1 1e5.5 tru true nul null "" "\u12" "\u12aF""#,
            r#""\x" "\" [ [] [,] [1,] { {} {,} {"a"} {"a":} {"a":1,} {a:1} {"a":1}} [1]] [} {]"#,
            r#"[1,2,[3,{"a":[]}]] NaN 'a' --1 "1234567\\""#,
        ];
        let texts = [
            "false ",
            "\"a\nb\"",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "",
            " ",
            "\u{a0}1",
            "\"\u{7f}\"",
            "\"\u{1f}\"",
            "\"tab\there\"",
            "\"\u{e9}\u{1f600} long enough for a whole step or two\"",
            "1 /* */",
            "\"unterminated and longer than eight",
            "[\"12345678\u{0}\"]",
        ];
        for text in short.iter().flat_map(|line| line.split(' ')).chain(texts) {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            assert_eq!(check_value(text).is_ok(), theirs, "{text:?}");
            let record = format!("{{\"a\":{text}}}");
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&record).is_ok();
            assert_eq!(members(&record).is_ok(), theirs, "{record:?}");
            let list = format!("[{text}]");
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&list).is_ok();
            assert_eq!(items(&list).is_ok(), theirs, "{list:?}");
        }
    }
}
