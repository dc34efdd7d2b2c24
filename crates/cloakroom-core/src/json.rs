//! JSON text taken apart and put together, without making a value of it.
//!
//! For stores that keep a record in another form than its text. Only this module knows JSON's grammar (RFC 8259); no
//! other code of the libraries scans JSON.

use std::borrow::Cow;

use serde::Serialize;

use crate::{Error, ErrorKind, js};

mod open;
mod same;
pub(crate) mod scan;
mod skip;
pub(crate) mod string;

/// Returns the members of a JSON object in order: the name of each, and the JSON text of its value.
///
/// A name that stands twice comes twice. Escapes in a name are resolved; half a surrogate pair, which no Rust string can
/// hold, becomes U+FFFD. `None` if `text` is anything but one object, or is longer than 4 GiB.
///
/// ```
/// use cloakroom_core::json;
///
/// let members = json::members(r#"{ "a": [1, 2], "\u0062": {} }"#).into_iter().flatten();
/// assert!(members.eq([("a".into(), "[1, 2]"), ("b".into(), "{}")]));
/// assert!(json::members("[1]").is_none());
/// ```
#[must_use]
pub fn members(
    text: &str,
) -> Option<impl DoubleEndedIterator<Item = (Cow<'_, str>, &str)> + ExactSizeIterator> {
    u32::try_from(text.len()).ok()?;
    let spans = scan::members(text).ok()?.spans;
    Some(spans.into_iter().map(|span| (string::meaning(span.name(text)), span.value(text))))
}

/// Returns the JSON text of each item of a JSON array, in order. `None` if `text` is anything but one array.
///
/// ```
/// use cloakroom_core::json;
///
/// assert_eq!(json::items(r#"[1.0, "]", [] ]"#), Some(vec!["1.0", r#""]""#, "[]"]));
/// assert_eq!(json::items("{}"), None);
/// ```
#[must_use]
pub fn items(text: &str) -> Option<Vec<&str>> {
    scan::items(text).ok()
}

/// Returns the text of a JSON string, with U+FFFD for half a surrogate pair, as Node.js encodes it.
///
/// Borrowed if nothing is escaped. `None` if `json` is anything but a string, also if white space surrounds it.
///
/// ```
/// use cloakroom_core::json;
///
/// assert_eq!(json::unquote(r#""a\n\ud83d""#).as_deref(), Some("a\n\u{fffd}"));
/// assert_eq!(json::unquote("null"), None);
/// ```
#[must_use]
pub fn unquote(json: &str) -> Option<Cow<'_, str>> {
    scan::between_quotes(json).map(string::meaning)
}

/// Appends a text as the JSON string that `JSON.stringify` makes of it.
///
/// ```
/// let mut json = String::new();
/// cloakroom_core::json::quote("say \"é\"", &mut json);
/// assert_eq!(json, r#""say \"é\"""#);
/// ```
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    string::push_text(text, out);
    out.push('"');
}

/// Returns the JSON text that `JSON.stringify` makes of a value.
///
/// ```
/// use cloakroom_core::json;
///
/// assert_eq!(json::stringify((1e21, 1.0, f64::NAN))?, "[1e+21,1,null]");
/// assert!(json::stringify(u64::MAX).is_err());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
///
/// # Errors
///
/// [`InvalidData`](ErrorKind::InvalidData) for an integer beyond 2^53 that is not the key of a map, which Node.js would
/// round, and for a value that JSON cannot express. The message does not contain the value.
pub fn stringify<T: Serialize>(value: T) -> Result<String, Error> {
    js::stringify(value).map_err(|why| {
        Error::new(ErrorKind::InvalidData, "json", "stringify", format!("the value {why}"))
    })
}

/// Returns true if both JSON texts are the same value to JavaScript: a number is the same however it is written, and a
/// string whatever is escaped in it. White space around a value does not matter. Members of an object have an order here,
/// and a name that stands twice counts twice. Returns false for what is not JSON, unless both are the same text.
///
/// ```
/// use cloakroom_core::json;
///
/// assert!(json::is_same("7", "70e-1"));
/// assert!(!json::is_same("7", "\"7\""));
/// ```
#[must_use]
pub fn is_same(a: &str, b: &str) -> bool {
    a == b || same::is_same(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_same_however_it_is_written() {
        for (a, b, same) in [
            ("7", "7.0", true),
            ("7", "70e-1", true),
            ("7", "\"7\"", false),
            ("\"ann\"", "\"\\u0061nn\"", true),
            ("\"ann\"", "\"Ann\"", false),
            ("[1,{\"a\":2}]", "[ 1.0, { \"\\u0061\" : 2 } ]", true),
            ("[1]", "[1,2]", false),
            ("{\"a\":1}", "{\"b\":1}", false),
            ("{}", "[]", false),
            ("null", "null", true),
            ("null", "false", false),
            ("0", "false", false),
            ("7", " 7\n", true),
            ("\"ann\"", "\"ann\"\t", true),
            ("null ", "null", true),
            ("-0", "0.0", true),
            ("1e400", "1e500", true),
            ("{\"a\":1,\"a\":2}", "{\"a\":2}", false),
            ("[[1],2]", "[[1,2]]", false),
            ("[true,false]", "[ true,false ]", true),
            // Two halves of surrogate pairs, and what stands for them where text must be UTF-8.
            (r#""\ud800""#, r#""\uD800""#, true),
            (r#""\ud800""#, r#""\udbff""#, false),
            (r#""\ud800""#, "\"\u{fffd}\"", false),
            (r#"{"\ud800":1}"#, r#"{"\udbff":1}"#, false),
            // Rust reads these as numbers, JSON does not.
            ("1", "1.", false),
            ("1", "+1", false),
            ("0.5", ".5", false),
            ("inf", "infinity", false),
            ("[1", "[1 ", false),
            ("[1", "[1", true),
        ] {
            assert_eq!((is_same(a, b), is_same(b, a)), (same, same), "{a} {b}");
        }
    }

    #[test]
    fn no_depth_is_too_deep_to_compare() {
        for [open, close] in [["[", "]"], ["{\"a\":", "}"]] {
            let nested = |item| open.repeat(200_000) + item + &close.repeat(200_000);
            assert!(is_same(&nested("1"), &nested(" 1.0")));
            assert!(!is_same(&nested("1"), &nested("2")));
        }
    }

    #[test]
    fn strings_are_read_and_written_as_node_does() {
        for (json, text) in [
            (r#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{c}\n\r\tz"),
            (r#""\u0041\u00e9\ud83d\ude00""#, "Aé😀"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83d😀\ude00é""#, "\u{fffd}😀\u{fffd}é"),
            (r#""\ud83dx\u0000""#, "\u{fffd}x\0"),
            (r#""""#, ""),
        ] {
            assert_eq!(unquote(json).as_deref(), Some(text), "{json}");
        }
        let mut out = String::new();
        quote("\0\u{b}\u{1f}\u{7f}\"\\\n\u{2028}é", &mut out);
        assert_eq!(out, "\"\\u0000\\u000b\\u001f\u{7f}\\\"\\\\\\n\u{2028}é\"");
    }

    #[test]
    fn members_and_items_are_found_whatever_stands_in_them() {
        let text =
            "{ \"a\" : [1, {\"b\":\"]}\\\"\"}] ,\n\"\\u0062\":\"x,y\",\"\":-1.5e3 , \"n\":null}";
        let (names, values): (Vec<_>, Vec<_>) = members(text).unwrap().unzip();
        assert_eq!(names, ["a", "b", "", "n"]);
        assert_eq!(values, ["[1, {\"b\":\"]}\\\"\"}]", "\"x,y\"", "-1.5e3", "null"]);
        assert_eq!(items(values[0]).unwrap(), ["1", "{\"b\":\"]}\\\"\"}"]);
        assert_eq!(items("[ ]").unwrap(), [""; 0]);
        assert_eq!(members("{}").unwrap().len(), 0);
    }

    #[test]
    fn anything_else_is_nothing() {
        for text in [
            "{",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":[1",
            "[",
            "[1,",
            "[\"",
            "[1]x",
            "\"a",
            " \"a\"",
        ] {
            assert!(members(text).is_none(), "{text}");
            assert_eq!(items(text), None);
            assert_eq!(unquote(text), None);
        }
    }
}
