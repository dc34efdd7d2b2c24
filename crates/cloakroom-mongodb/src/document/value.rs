//! The JSON text that `JSON.stringify` prints for one value of a document in Node.js.

use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_core::{json::quote, to_iso_string};
use mongodb::bson::Decimal128;

use super::{DEEPEST, Kind, Malformed, Value, elements};

/// Returns the JSON text of one value.
pub(super) fn value_to_json(value: Value<'_>, depth: usize) -> Result<String, Malformed> {
    let mut out = String::new();
    write(value, depth, &mut out)?;
    Ok(out)
}

/// Writes an object, each value of it with `write_value`.
pub(super) fn write_members<'a>(
    members: impl Iterator<Item = Result<(&'a str, Value<'a>), Malformed>>,
    out: &mut String,
    write_value: impl Fn(&str, Value<'a>, &mut String) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    out.push('{');
    for (place, member) in members.enumerate() {
        let (name, value) = member?;
        if place > 0 {
            out.push(',');
        }
        quote(name, out);
        out.push(':');
        write_value(name, value, out)?;
    }
    out.push('}');
    Ok(())
}

/// Writes a value. Types that JavaScript lacks become extended JSON, where `JSON.stringify` prints `{}` or leaves the
/// member out.
pub(super) fn write(value: Value<'_>, depth: usize, out: &mut String) -> Result<(), Malformed> {
    if depth > DEEPEST {
        return Err(Malformed);
    }
    match value.kind {
        Kind::NULL | Kind::UNDEFINED => out.push_str("null"),
        Kind::BOOLEAN => out.push_str(if value.bytes == [0] { "false" } else { "true" }),
        Kind::STRING | Kind::SYMBOL => quote(value.text()?, out),
        Kind::INT32 => out.push_str(&i32::from_le_bytes(value.fixed()?).to_string()),
        // Beyond 2^53 too, where npm's bson returns a `Long`, which prints as an object of its two halves.
        Kind::INT64 => out.push_str(&i64::from_le_bytes(value.fixed()?).to_string()),
        Kind::DOUBLE => write_number(f64::from_le_bytes(value.fixed()?), out),
        Kind::DATE => match to_iso_string(i64::from_le_bytes(value.fixed()?)) {
            Some(date) => quote(&date, out),
            None => out.push_str("null"),
        },
        Kind::OBJECT_ID => quote(&hex(value.bytes), out),
        Kind::BINARY => quote(&BASE64_STANDARD.encode(value.bytes.get(5..).ok_or(Malformed)?), out),
        Kind::DECIMAL128 => {
            let number = Decimal128::from_bytes(value.fixed()?).to_string();
            extended("$numberDecimal", &number, out);
        }
        Kind::DOCUMENT => write_members(elements(value.bytes)?, out, |_, value, out| {
            write(value, depth + 1, out)
        })?,
        Kind::ARRAY => {
            out.push('[');
            for (place, item) in elements(value.bytes)?.enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(item?.1, depth + 1, out)?;
            }
            out.push(']');
        }
        Kind::REGEX => write_regex(value.bytes, out)?,
        Kind::CODE => extended("$code", value.text()?, out),
        Kind::TIMESTAMP => {
            let [increment, seconds] = halves(value.fixed()?);
            out.push_str(&format!("{{\"$timestamp\":{{\"t\":{seconds},\"i\":{increment}}}}}"));
        }
        Kind::MIN_KEY => out.push_str("{\"$minKey\":1}"),
        Kind::MAX_KEY => out.push_str("{\"$maxKey\":1}"),
        // Deprecated types, which no driver writes any more.
        Kind::DB_POINTER | Kind::SCOPED_CODE => out.push_str("{}"),
        _ => return Err(Malformed),
    }
    Ok(())
}

/// Writes a number as JavaScript prints it: `null` if it is not finite.
fn write_number(number: f64, out: &mut String) {
    if number.is_finite() {
        out.push_str(ryu_js::Buffer::new().format_finite(number));
    } else {
        out.push_str("null");
    }
}

fn write_regex(bytes: &[u8], out: &mut String) -> Result<(), Malformed> {
    let mut parts = bytes.split(|byte| *byte == 0);
    let mut part = || std::str::from_utf8(parts.next()?).ok();
    let (Some(pattern), Some(options)) = (part(), part()) else { return Err(Malformed) };
    out.push_str("{\"$regularExpression\":{\"pattern\":");
    quote(pattern, out);
    out.push_str(",\"options\":");
    quote(options, out);
    out.push_str("}}");
    Ok(())
}

fn extended(name: &str, text: &str, out: &mut String) {
    out.push('{');
    quote(name, out);
    out.push(':');
    quote(text, out);
    out.push('}');
}

/// Returns a timestamp's increment and its seconds.
fn halves(bytes: [u8; 8]) -> [u32; 2] {
    let both = u64::from_le_bytes(bytes);
    [both as u32, (both >> 32) as u32]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
