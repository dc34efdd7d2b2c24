//! JSON text that is known to be JSON, piece by piece.

use std::{fmt::Write, iter};

/// The members of an object: each with its name unescaped, and the text of its value.
pub(super) fn members(text: &str) -> Option<Vec<(String, &str)>> {
    let mut rest = Rest::inside(text, '{')?;
    iter::from_fn(|| {
        rest.skip([' ', '\t', '\n', '\r', ',']);
        (!rest.0.starts_with('}')).then(|| {
            let name = unquote(rest.value()?);
            rest.skip([' ', '\t', '\n', '\r', ':']);
            Some((name, rest.value()?))
        })
    })
    .collect()
}

/// The texts of the items of an array.
pub(super) fn items(text: &str) -> Option<Vec<&str>> {
    let mut rest = Rest::inside(text, '[')?;
    iter::from_fn(|| {
        rest.skip([' ', '\t', '\n', '\r', ',']);
        (!rest.0.starts_with(']')).then(|| rest.value())
    })
    .collect()
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn inside(text: &'a str, open: char) -> Option<Self> {
        text.trim_matches([' ', '\t', '\n', '\r']).strip_prefix(open).map(Self)
    }

    fn skip<const N: usize>(&mut self, characters: [char; N]) {
        self.0 = self.0.trim_start_matches(characters);
    }

    /// The value that begins here. `None` where the text ends before it does.
    fn value(&mut self) -> Option<&'a str> {
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        let mut end = None;
        for (place, byte) in self.0.bytes().enumerate() {
            if in_string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_string = false,
                    _ => {}
                }
                if !in_string && depth == 0 {
                    end = Some(place + 1);
                    break;
                }
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 1 => depth -= 1,
                b'}' | b']' if depth == 1 => {
                    end = Some(place + 1);
                    break;
                }
                b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => {
                    end = Some(place);
                    break;
                }
                _ => {}
            }
        }
        let (value, rest) = self.0.split_at_checked(end.unwrap_or(self.0.len()))?;
        self.0 = rest;
        (!value.is_empty()).then_some(value)
    }
}

/// The text of a JSON string. Half a surrogate pair, which neither Rust nor BSON holds, becomes U+FFFD, as Node.js
/// writes it to BSON.
pub(super) fn unquote(json: &str) -> String {
    let json = json.strip_prefix('"').unwrap_or(json);
    let json = json.strip_suffix('"').unwrap_or(json);
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (code, after) = escape.split_at(escape.chars().next().map_or(0, char::len_utf8));
        rest = after;
        match code {
            "b" => text.push('\u{8}'),
            "f" => text.push('\u{c}'),
            "n" => text.push('\n'),
            "r" => text.push('\r'),
            "t" => text.push('\t'),
            "u" => {
                let Some((unit, after)) = code_unit(rest) else { continue };
                rest = after;
                let second = rest.strip_prefix("\\u").and_then(code_unit);
                match (char::decode_utf16([unit]).next(), second) {
                    (Some(Ok(character)), _) => text.push(character),
                    (_, Some((low, after))) if (0xdc00..0xe000).contains(&low) && unit < 0xdc00 => {
                        text.extend(char::decode_utf16([unit, low]).flatten());
                        rest = after;
                    }
                    _ => text.push(char::REPLACEMENT_CHARACTER),
                }
            }
            other => text.push_str(other),
        }
    }
    text.push_str(rest);
    text
}

fn code_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

/// Writes a string as `JSON.stringify` does.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control @ '\0'..' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_and_written_as_node_does() {
        for (json, text) in [
            (r#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{c}\n\r\tz"),
            (r#""\u0041\u00e9\ud83d\ude00""#, "Aé😀"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83dx\u0000""#, "\u{fffd}x\0"),
            (r#""""#, ""),
        ] {
            assert_eq!(unquote(json), text, "{json}");
        }
        let mut out = String::new();
        quote("\0\u{b}\u{1f}\u{7f}\"\\\n\u{2028}é", &mut out);
        assert_eq!(out, "\"\\u0000\\u000b\\u001f\u{7f}\\\"\\\\\\n\u{2028}é\"");
    }

    #[test]
    fn members_and_items_are_found_whatever_stands_in_them() {
        let text =
            "{ \"a\" : [1, {\"b\":\"]}\\\"\"}] ,\n\"\\u0062\":\"x,y\",\"\":-1.5e3 , \"n\":null}";
        let found = members(text).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| &**name).collect();
        let values: Vec<_> = found.iter().map(|(_, value)| *value).collect();
        assert_eq!(names, ["a", "b", "", "n"]);
        assert_eq!(values, ["[1, {\"b\":\"]}\\\"\"}]", "\"x,y\"", "-1.5e3", "null"]);
        assert_eq!(items(values[0]).unwrap(), ["1", "{\"b\":\"]}\\\"\"}"]);
        assert_eq!(items("[ ]").unwrap(), [""; 0]);
        assert_eq!(members("{}").unwrap(), []);
    }

    #[test]
    fn what_is_cut_off_ends() {
        for text in ["{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":[1", "[", "[1,", "["] {
            let _ = (members(text), items(text));
        }
    }
}
