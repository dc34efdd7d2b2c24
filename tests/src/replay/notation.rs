//! The fixtures' notation for values that JSON cannot express.

use crate::json::Json;

/// A JavaScript value in a fixture.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// `"$undefined"`.
    Undefined,
    /// `{"$date": ms}`; `None` for an invalid date.
    Date(Option<i64>),
    /// `{"$hex": "…"}`, a `Buffer`.
    Bytes(Vec<u8>),
    /// `{"$fn": {…}}`, a function that returns this.
    Function(Json),
    /// `{"$utf16": […]}`, a string that a Rust string cannot contain.
    HalfPair,
    /// A JSON value.
    Plain(Json),
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        if *json == Json::from("$undefined") {
            return Self::Undefined;
        }
        match json.members() {
            [(name, value)] if name == "$date" => Self::Date(value.number().map(|ms| ms as i64)),
            [(name, value)] if name == "$hex" => value
                .text()
                .and_then(|text| unhex(&text))
                .map_or_else(|| Self::Plain(json.clone()), Self::Bytes),
            [(name, value)] if name == "$fn" => Self::Function(value.clone()),
            [(name, _)] if name == "$utf16" => Self::HalfPair,
            _ => Self::Plain(json.clone()),
        }
    }
}

/// Returns the bytes of a text of hex digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// Returns the bytes of a header, which a fixture contains as Latin-1 text. `None` if the text contains other
/// characters.
pub(super) fn header_bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_notation_is_known_and_the_rest_is_plain() {
        for (text, value) in [
            (r#""$undefined""#, Value::Undefined),
            (r#"{"$date":-5}"#, Value::Date(Some(-5))),
            (r#"{"$date":null}"#, Value::Date(None)),
            (r#"{"$hex":"00fF"}"#, Value::Bytes(vec![0, 255])),
            (r#"{"$utf16":[55296]}"#, Value::HalfPair),
            (r#"{"$fn":{}}"#, Value::Function(Json::Object(Vec::new()))),
            ("1", Value::Plain(Json::Number(1.0))),
        ] {
            assert_eq!(Value::from(&Json::parse(text).unwrap()), value);
        }
    }
}
