//! Writes values as `JSON.stringify` does, and rejects those that Node.js would damage.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// `2 ** 53`. Beyond it, not every integer is a JavaScript number.
const MAX_INTEGER: u64 = 1 << 53;

/// The names that a session object of express-session 1.19.0 already has, as its own methods or through
/// `Object.prototype`. Express drops a member of such a name at the next load, or fails to respond.
const RESERVED: [&str; 21] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "cookie",
    "destroy",
    "hasOwnProperty",
    "id",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "regenerate",
    "reload",
    "req",
    "resetMaxAge",
    "save",
    "toLocaleString",
    "toString",
    "touch",
    "valueOf",
];

/// Returns true if Express would drop a member of this name or fail on it.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name).is_ok()
}

/// Serializes `value` as `JSON.stringify` would. The error is the end of a message that begins with the member's name.
pub(crate) fn stringify<T: Serialize>(value: T) -> Result<String, &'static str> {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, JsFormatter::default());
    // serde_json's message may quote the value, so only the kind of error is passed on.
    value.serialize(&mut serializer).map_err(|error| {
        if error.is_io() {
            "contains an integer beyond 2^53, which Node.js would round"
        } else {
            "cannot be serialized as JSON"
        }
    })?;
    String::from_utf8(out).map_err(|_| "cannot be serialized as JSON")
}

/// Formats a number as `JSON.stringify` does: the shortest text that parses to the same number, or `null` if it is not
/// finite.
pub(crate) fn number(value: f64) -> String {
    let integer = value as i64;
    if integer as f64 == value && integer.unsigned_abs() <= MAX_INTEGER {
        // Most numbers of a cookie are, and these take a fifth of the time.
        integer.to_string()
    } else if value.is_finite() {
        ryu_js::Buffer::new().format_finite(value).to_owned()
    } else {
        "null".to_owned()
    }
}

/// serde_json's compact format with JavaScript's numbers. The string escapes are the same in both.
#[derive(Default)]
struct JsFormatter {
    is_name: bool,
}

impl JsFormatter {
    /// Refuses an integer that JavaScript would round. The name of a member is text, which it keeps.
    fn check(&self, is_exact: bool) -> io::Result<CompactFormatter> {
        if is_exact || self.is_name {
            Ok(CompactFormatter)
        } else {
            Err(io::Error::from(io::ErrorKind::InvalidInput))
        }
    }
}

impl Formatter for JsFormatter {
    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        is_first: bool,
    ) -> io::Result<()> {
        self.is_name = true;
        CompactFormatter.begin_object_key(writer, is_first)
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.is_name = false;
        CompactFormatter.end_object_key(writer)
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.check(value.unsigned_abs() <= MAX_INTEGER)?.write_i64(writer, value)
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        self.check(value <= MAX_INTEGER)?.write_u64(writer, value)
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i128) -> io::Result<()> {
        self.check(value.unsigned_abs() <= u128::from(MAX_INTEGER))?.write_i128(writer, value)
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u128) -> io::Result<()> {
        self.check(value <= u128::from(MAX_INTEGER))?.write_u128(writer, value)
    }

    /// Writes a number of a `serde_json::Value`, which is a text if any crate of the application turns serde_json's
    /// feature `arbitrary_precision` on.
    fn write_number_str<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        value: &str,
    ) -> io::Result<()> {
        let is_integer = value.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
        match value.parse() {
            Ok(integer) => self.write_i128(writer, integer),
            Err(_) if is_integer => self.check(false)?.write_number_str(writer, value),
            Err(_) => {
                let value = value.parse().unwrap_or(f64::NAN);
                writer.write_all(number(value).as_bytes())
            }
        }
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        // Not by way of f64, which would print 0.1 as 0.10000000149011612.
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn numbers_are_printed_as_node_prints_them() {
        // The right column is what Node.js 20 printed for JSON.stringify of the left one.
        let rows: [(f64, &str); 19] = [
            (1.0, "1"),
            (-3_600_000.0, "-3600000"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (9_007_199_254_740_994.0, "9007199254740994"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (4.35, "4.35"),
            (0.000_001_234, "0.000001234"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
            (f64::NEG_INFINITY, "null"),
        ];
        for (value, text) in rows {
            assert_eq!(stringify(value).unwrap(), text);
            assert_eq!(number(value), text);
        }
        assert_eq!(stringify(0.1_f32).unwrap(), "0.1");
    }

    #[test]
    fn integers_that_node_would_round_are_refused() {
        assert_eq!(stringify(1_u64 << 53).unwrap(), "9007199254740992");
        assert_eq!(stringify(-(1_i64 << 53)).unwrap(), "-9007199254740992");
        assert!(stringify((1_u64 << 53) + 1).is_err());
        assert!(stringify([i64::MIN]).is_err());
        assert!(stringify((u128::MAX, i128::MIN)).is_err());
        assert_eq!(stringify((7_u128, -7_i128)).unwrap(), "[7,-7]");
    }

    #[test]
    fn names_are_texts_that_node_keeps() {
        let ids = HashMap::from([(1_u64 << 60, 1)]);
        assert_eq!(stringify(&ids).unwrap(), r#"{"1152921504606846976":1}"#);
        assert_eq!(
            stringify(HashMap::from([(i128::MIN, ids)])).unwrap(),
            r#"{"-170141183460469231731687303715884105728":{"1152921504606846976":1}}"#
        );
        assert!(stringify(HashMap::from([(1_u64 << 60, [1_u64 << 60])])).is_err());
    }

    #[test]
    fn numbers_that_are_kept_as_texts_are_judged_as_the_others() {
        for (text, written) in [
            ("9007199254740992", Some("9007199254740992")),
            ("-9007199254740992", Some("-9007199254740992")),
            ("9007199254740993", None),
            ("-9007199254740993", None),
            ("12345678901234567890123456789012345678901234567890", None),
            ("-0", Some("0")),
            ("1.0", Some("1")),
            ("1e21", Some("1e+21")),
            ("0.1000000000000000055511151231257827", Some("0.1")),
            ("1e400", Some("null")),
        ] {
            let mut out = Vec::new();
            let result = JsFormatter::default().write_number_str(&mut out, text);
            assert_eq!(result.ok().map(|()| &*out), written.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn strings_are_escaped_as_node_escapes_them() {
        assert_eq!(
            stringify("\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1b}\u{1f} \u{7f}\u{80}\"\\/\u{2028}\u{feff}\u{1f600}").unwrap(),
            "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001b\\u001f \u{7f}\u{80}\\\"\\\\/\u{2028}\u{feff}\u{1f600}\""
        );
    }

    #[test]
    fn reserved_names_are_sorted_for_the_search() {
        assert!(RESERVED.is_sorted());
        assert!(RESERVED.iter().all(|name| is_reserved(name)));
        assert!(!is_reserved("user") && !is_reserved("toJSON") && !is_reserved(""));
    }
}
