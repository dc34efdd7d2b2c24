//! Strings: resolves escapes, and compares the names of members after that: `"a"` and `"\u0061"` are the same name.
//!
//! A raw name or text is what stands between the quotes of a JSON string that the scanner has accepted.

use std::{borrow::Cow, fmt::Write, iter, str::Chars};

/// Returns true if the raw name means `name`.
pub(crate) fn is_name(raw: &str, name: &str) -> bool {
    // An escape is longer than the character it stands for, so two names of the same length are equal only without
    // escapes.
    if raw.len() == name.len() {
        return raw == name && !is_escaped(raw);
    }
    raw.len() > name.len() && is_escaped(raw) && units(raw).eq(name.encode_utf16())
}

/// Returns the raw name as `JSON.stringify` writes it. Two names are the same if and only if these texts are equal.
pub(crate) fn canonical(raw: &str) -> Cow<'_, str> {
    if is_escaped(raw) { Cow::Owned(printed(units(raw), push_escaped)) } else { Cow::Borrowed(raw) }
}

/// Escapes a name as `JSON.stringify` does.
pub(crate) fn escaped(name: &str) -> Cow<'_, str> {
    if name.bytes().any(is_special) {
        let mut out = String::with_capacity(name.len() + 8);
        push_text(name, &mut out);
        Cow::Owned(out)
    } else {
        Cow::Borrowed(name)
    }
}

/// Appends a text as `JSON.stringify` writes it between the quotes.
pub(super) fn push_text(text: &str, out: &mut String) {
    let mut rest = text;
    // What needs an escape is ASCII, so the text is cut between characters.
    while let Some(place) = rest.bytes().position(is_special) {
        out.push_str(&rest[..place]);
        push_escaped(char::from(rest.as_bytes()[place]), out);
        rest = &rest[place + 1..];
    }
    out.push_str(rest);
}

/// Returns the raw text with its escapes resolved, and with U+FFFD for each half of a surrogate pair.
pub(super) fn meaning(raw: &str) -> Cow<'_, str> {
    if !is_escaped(raw) {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, _)) = rest.split_once('\\') {
        text.push_str(plain);
        // Escapes that stand side by side can be the two halves of one character.
        let mut units = units(&rest[plain.len()..]);
        let escapes =
            iter::from_fn(
                || if units.rest.as_str().starts_with('\\') { units.next() } else { None },
            );
        let chars = char::decode_utf16(escapes);
        text.extend(chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)));
        rest = units.rest.as_str();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Returns the raw name with its escapes resolved, except half a surrogate pair, which a Rust string cannot hold.
pub(crate) fn shown(raw: &str) -> Cow<'_, str> {
    if is_escaped(raw) {
        Cow::Owned(printed(units(raw), |char, out| out.push(char)))
    } else {
        Cow::Borrowed(raw)
    }
}

pub(crate) fn is_escaped(raw: &str) -> bool {
    memchr::memchr(b'\\', raw.as_bytes()).is_some()
}

fn printed(units: impl Iterator<Item = u16>, push: impl Fn(char, &mut String)) -> String {
    let mut out = String::new();
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(char) => push(char, &mut out),
            Err(half) => push_unit(half.unpaired_surrogate(), &mut out),
        }
    }
    out
}

fn push_escaped(char: char, out: &mut String) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        control @ '\0'..' ' => push_unit(control as u16, out),
        other => out.push(other),
    }
}

fn push_unit(unit: u16, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\\u{unit:04x}");
}

/// Returns the UTF-16 code units of a raw name, which is how JavaScript compares strings.
fn units(raw: &str) -> Units<'_> {
    Units { rest: raw.chars(), second: None }
}

struct Units<'a> {
    rest: Chars<'a>,
    /// The second unit of a character that has two.
    second: Option<u16>,
}

impl Iterator for Units<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if let Some(second) = self.second.take() {
            return Some(second);
        }
        let char = match self.rest.next()? {
            '\\' => match self.rest.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let (digits, rest) = self.rest.as_str().split_at_checked(4)?;
                    self.rest = rest.chars();
                    return u16::from_str_radix(digits, 16).ok();
                }
                itself => itself,
            },
            plain => plain,
        };
        let mut buffer = [0; 2];
        let encoded = char.encode_utf16(&mut buffer);
        self.second = encoded.get(1).copied();
        encoded.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_its_escapes_mean() {
        for (raw, name) in [
            ("", ""),
            ("plain é", "plain é"),
            (r"\\", "\\"),
            (r"\\\\", r"\\"),
            (r#"\""#, "\""),
            (r"\/", "/"),
            (r"\b\f\n\r\t", "\u{8}\u{c}\n\r\t"),
            (r"\u0063ookie", "cookie"),
            (r"\u00E9", "é"),
            (r"\uD83d\uDe00", "😀"),
            ("😀\\u0000", "😀\0"),
            (r"\\ud800", r"\ud800"),
        ] {
            assert!(is_name(raw, name), "{raw}");
            assert_eq!(shown(raw), name);
            assert_eq!(canonical(raw), escaped(name));
            assert!(!is_name(raw, &format!("{name}x")) && !is_name(&format!("{raw}x"), name));
        }
        for (raw, name) in
            [(r"\\", r"\\"), (r"\n", r"\n"), (r"\u0061", r"\u0061"), ("a", r"\u0061")]
        {
            assert!(!is_name(raw, name), "{raw}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text_and_has_one_form() {
        for (raw, form) in [
            (r"\uD800", r"\ud800"),
            (r"a\/\uDFFF\u0022", r#"a/\udfff\""#),
            (r"\ud83d\ud83d\ude00", r"\ud83d😀"),
        ] {
            assert_eq!(canonical(raw), form);
            for name in [raw, form, "\u{fffd}"] {
                assert!(!is_name(raw, name), "{raw}");
            }
        }
        assert_eq!(shown(r"\uD800\\\n"), "\\ud800\\\n");
    }
}
