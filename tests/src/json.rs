//! JSON as Node.js sees it: what `JSON.parse` makes of a text, and what `JSON.stringify` prints of that.
//!
//! A record that passed through our code keeps its bytes; one that passed through Node.js does not. To compare the two,
//! ours is read and printed here as Node.js would.

mod parser;

use std::fmt;

use serde::{Serialize, Serializer, ser::Error as _};

use self::parser::Parser;

/// A value that `JSON.parse` can give. `Debug` prints it as `JSON.stringify` does.
#[derive(Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number: always a double.
    Number(f64),
    /// A string.
    String(Text),
    /// An array.
    Array(Vec<Self>),
    /// An object in JavaScript's order: array indices first and ascending, then the others as they came. A name that
    /// stands twice has its first place and its last value.
    Object(Vec<(Text, Self)>),
}

/// A JavaScript string: UTF-16, halves of surrogate pairs included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Vec<u16>);

/// The text is not JSON from this byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson(pub usize);

impl Text {
    /// The text, or `None` when half a surrogate pair is in it.
    #[must_use]
    pub fn to_str(&self) -> Option<String> {
        String::from_utf16(&self.0).ok()
    }

    /// The text, with half a surrogate pair shown as its escape: `\ud83d`.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for unit in char::decode_utf16(self.0.iter().copied()) {
            match unit {
                Ok(char) => text.push(char),
                Err(half) => text.push_str(&format!("\\u{:04x}", half.unpaired_surrogate())),
            }
        }
        text
    }

    /// The text, with U+FFFD for half a surrogate pair, as UTF-8 encoders of JavaScript write it.
    #[must_use]
    pub fn to_lossy(&self) -> String {
        String::from_utf16_lossy(&self.0)
    }

    /// The number, if the name is an array index, which JavaScript moves to the front of an object.
    pub(crate) fn index(&self) -> Option<u32> {
        let name = self.to_str()?;
        let index = name.parse::<u32>().ok().filter(|index| *index != u32::MAX)?;
        (index.to_string() == name).then_some(index)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0.iter().copied().eq(other.encode_utf16())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut quoted = String::new();
        quote(self, &mut quoted);
        f.write_str(&quoted)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stringify())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl Json {
    /// What `JSON.parse(text)` gives.
    ///
    /// # Errors
    ///
    /// [`NotJson`] where it throws, and for nesting deeper than 512.
    pub fn parse(text: &str) -> Result<Self, NotJson> {
        Parser::new(text).whole()
    }

    /// What `JSON.stringify(value)` prints.
    #[must_use]
    pub fn stringify(&self) -> String {
        let mut out = String::new();
        self.print(&mut out);
        out
    }

    /// An object with these members, put into JavaScript's order.
    #[must_use]
    pub fn object(members: Vec<(Text, Self)>) -> Self {
        Self::Object(in_order(members))
    }

    /// Returns the member of an object, or `None` if it does not exist or the value is not an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The members of an object; none for everything else.
    #[must_use]
    pub fn members(&self) -> &[(Text, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; none for everything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The text of a string that is whole UTF-16; `None` for everything else.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::String(text) => text.to_str(),
            _ => None,
        }
    }

    /// The number; `None` for everything else.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn print(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) if value.is_finite() => {
                out.push_str(ryu_js::Buffer::new().format_finite(*value));
            }
            Self::Number(_) => out.push_str("null"),
            Self::String(text) => quote(text, out),
            Self::Array(items) => {
                list(out, ['[', ']'], items, |item, out| item.print(out));
            }
            Self::Object(members) => list(out, ['{', '}'], members, |(name, value), out| {
                quote(name, out);
                out.push(':');
                value.print(out);
            }),
        }
    }
}

/// So that a value of a fixture can be put into a session as a Rust value is.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text =
            |text: &Text| text.to_str().ok_or_else(|| S::Error::custom("half a surrogate pair"));
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_f64(*value),
            Self::String(value) => serializer.serialize_str(&text(value)?),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                let names =
                    members.iter().map(|(name, _)| text(name)).collect::<Result<Vec<_>, _>>()?;
                serializer.collect_map(names.iter().zip(members.iter().map(|(_, value)| value)))
            }
        }
    }
}

fn list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: &[T],
    print: impl Fn(&T, &mut String),
) {
    out.push(open);
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        print(item, out);
    }
    out.push(close);
}

fn quote(text: &Text, out: &mut String) {
    out.push('"');
    for unit in char::decode_utf16(text.0.iter().copied()) {
        match unit {
            Ok('"') => out.push_str("\\\""),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\t') => out.push_str("\\t"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\u{c}') => out.push_str("\\f"),
            Ok('\r') => out.push_str("\\r"),
            Ok(control @ '\0'..' ') => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            Ok(other) => out.push(other),
            Err(half) => out.push_str(&format!("\\u{:04x}", half.unpaired_surrogate())),
        }
    }
    out.push('"');
}

fn in_order(members: Vec<(Text, Json)>) -> Vec<(Text, Json)> {
    let mut ordered: Vec<(Text, Json)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        match ordered.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => ordered.push((name, value)),
        }
    }
    ordered.sort_by_key(|(name, _)| name.index().map_or((true, 0), |index| (false, index)));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Node.js 20.20.2 prints for `JSON.stringify(JSON.parse(text))`; `None` where that throws.
    #[rustfmt::skip]
    const PRINTED: &[(&str, Option<&str>)] = &[
        (" { \"b\" : [ 1.0 , -0 , 1e21 ] , \"a\" : null } ", Some(r#"{"b":[1,0,1e+21],"a":null}"#)),
        (r#"{"z":1,"10":2,"9":3,"01":4,"-1":5,"4294967294":6,"4294967295":7,"":8}"#, Some(r#"{"9":3,"10":2,"4294967294":6,"z":1,"01":4,"-1":5,"4294967295":7,"":8}"#)),
        (r#"{"a":1,"b":2,"\u0061":3}"#, Some(r#"{"a":3,"b":2}"#)),
        (r#"{"__proto__":1,"toString":2}"#, Some(r#"{"__proto__":1,"toString":2}"#)),
        (r#""\u2028\ud800é\/\uDC00\ud83d\ude00\u001F\u007f\b\f""#, Some("\"\u{2028}\\ud800é/\\udc00😀\\u001f\u{7f}\\b\\f\"")),
        ("12345678901234567890", Some("12345678901234567000")),
        ("1e999", Some("null")),
        ("-1.5E-7", Some("-1.5e-7")),
        ("[]", Some("[]")),
        ("", None),
        ("01", None),
        ("1.", None),
        ("+1", None),
        (".5", None),
        ("[1,]", None),
        ("{\"a\":1,}", None),
        ("{a:1}", None),
        ("\"\t\"", None),
        (r#""\x""#, None),
        (r#""\u+123""#, None),
        ("nul", None),
        ("1 2", None),
        ("\u{a0}1", None),
    ];

    #[test]
    fn it_reads_and_prints_as_node_does() {
        for (text, printed) in PRINTED {
            assert_eq!(
                Json::parse(text).ok().map(|json| json.stringify()).as_deref(),
                *printed,
                "{text:?}"
            );
        }
    }

    #[test]
    fn nesting_without_end_is_an_error() {
        assert!(Json::parse(&"[".repeat(100_000)).is_err());
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert_eq!(Json::parse(&deep).unwrap().stringify(), deep);
    }
}
