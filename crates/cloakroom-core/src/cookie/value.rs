//! The JavaScript value of a cookie member.

use crate::{
    date::{LAST_DATE_MS, parse_date},
    js, json,
};

/// The JavaScript value of a cookie member.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum JsValue {
    /// The member is missing, and is not written.
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    String(Box<str>),
    /// A `Date` without a time, such as `new Date("garbage")`. It is truthy, and `JSON.stringify` writes `null`.
    InvalidDate,
    /// The JSON text of anything else: an object, an array, or a string with half a surrogate pair, which a Rust string
    /// cannot hold.
    Other(Box<str>),
}

impl JsValue {
    /// Returns true if the value is truthy in JavaScript.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0 && !value.is_nan(),
            Self::String(value) => !value.is_empty(),
            Self::InvalidDate | Self::Other(_) => true,
        }
    }

    pub(crate) fn parse(json: &str) -> Self {
        // Without an escape, what stands between the quotes is the text: the scanner has accepted it.
        let quoted = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if let Some(text) = quoted.filter(|text| memchr::memchr(b'\\', text.as_bytes()).is_none()) {
            return Self::String(text.into());
        }
        match json.as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<Box<str>>(json) {
                Ok(text) => Self::String(text),
                // This is half a surrogate pair.
                Err(_) => Self::Other(json.into()),
            },
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            Some(b'{' | b'[') | None => Self::Other(json.into()),
            Some(_) => json.parse().map_or_else(|_| Self::Other(json.into()), Self::Number),
        }
    }

    /// Appends the JSON text. `JSON.stringify` leaves a member out that is [`Undefined`](Self::Undefined).
    pub(super) fn push_json(&self, out: &mut String) {
        match self {
            Self::Undefined => {}
            Self::Null | Self::InvalidDate => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(value) => out.push_str(&js::number(*value)),
            Self::String(text) => json::quote(text, out),
            Self::Other(json) => out.push_str(json),
        }
    }

    /// The date that `new Date` makes of it, as far as JavaScript's dates reach, in milliseconds since 1970.
    pub(crate) fn date_ms(&self) -> Option<i64> {
        match self {
            Self::String(text) => parse_date(text),
            Self::Number(ms) if ms.abs() <= LAST_DATE_MS as f64 => Some(*ms as i64),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for JsValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for JsValue {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}
