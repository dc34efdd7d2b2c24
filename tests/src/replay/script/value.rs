//! A JavaScript value, in the notation of `tests/node/describe.mjs`.

use cloakroom_core::to_iso_string;

use super::super::notation::{Value, unhex};
use crate::json::{Json, Text};

/// The members of an object, in order.
pub(crate) type Members = Vec<(Text, Given)>;

/// A JavaScript value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Given {
    Undefined,
    /// A function or a symbol.
    Unprintable,
    Null,
    Bool(bool),
    Number(f64),
    BigInt(i128),
    Text(Text),
    Array(Vec<Self>),
    Object(Members),
    /// A cookie of express-session: its options, and the assignments after that.
    Cookie(Members, Members),
    Date(Option<i64>),
    Buffer(Vec<u8>),
    Bytes(Vec<u8>),
    Regex(String, String),
    Map(Members),
    /// A `String`, `Number` or `Boolean` object.
    Boxed(Box<Self>),
    /// An object with a method `toJSON`: the result of the method, and the members.
    Replaced(Box<Self>, Members),
    /// A JSON value.
    Json(Json),
    /// A reference to an enclosing object.
    Circular,
    /// An access that threw.
    Throws,
}

impl Given {
    /// Parses a value. Returns `None` if it is in another notation.
    pub(super) fn parse(json: &Json) -> Option<Self> {
        let (kind, value) = match json {
            Json::Null => return Some(Self::Null),
            Json::Bool(value) => return Some(Self::Bool(*value)),
            Json::Number(value) => return Some(Self::Number(*value)),
            Json::String(text) => return Some(Self::Text(text.clone())),
            Json::Array(items) => {
                return items.iter().map(Self::parse).collect::<Option<_>>().map(Self::Array);
            }
            Json::Object(members) => match &members[..] {
                [(kind, value)] => (kind.to_str()?, value),
                _ => return None,
            },
        };
        Some(match &*kind {
            "undefined" => Self::Undefined,
            "function" | "symbol" => Self::Unprintable,
            "number" => Self::Number(match &*value.text()? {
                "-0" => -0.0,
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                _ => return None,
            }),
            "bigint" => Self::BigInt(value.text()?.parse().ok()?),
            "object" => Self::Object(members(value)?),
            "cookie" => match value.items() {
                [options, later] => Self::Cookie(members(options)?, members(later)?),
                _ => return None,
            },
            "date" => Self::Date(value.number().map(|ms| ms as i64)),
            "buffer" => Self::Buffer(unhex(&value.text()?)?),
            "bytes" => Self::Bytes(unhex(&value.text()?)?),
            "regex" => match value.items() {
                [source, flags] => Self::Regex(source.text()?, flags.text()?),
                _ => return None,
            },
            "map" => Self::Map(members(value)?),
            "boxed" => Self::Boxed(Box::new(Self::parse(value)?)),
            "toJSON" => match value.items() {
                [printed, own] => Self::Replaced(Box::new(Self::parse(printed)?), members(own)?),
                _ => return None,
            },
            "circular" => Self::Circular,
            "throws" => Self::Throws,
            _ => return None,
        })
    }

    /// Returns what `JSON.stringify` prints, or `None` if it leaves the member out.
    ///
    /// # Errors
    ///
    /// If `JSON.stringify` throws.
    pub(crate) fn to_json(&self) -> Result<Option<Json>, Throws> {
        let object = |members: &Members| -> Result<_, Throws> {
            let members = members.iter().map(|(name, value)| Ok((name.clone(), value.to_json()?)));
            let members: Vec<_> = members.collect::<Result<_, Throws>>()?;
            let there = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
            Ok(Json::object(there.collect()))
        };
        Ok(Some(match self {
            Self::Undefined | Self::Unprintable => return Ok(None),
            Self::Null | Self::Date(None) => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(value) if value.is_finite() => Json::Number(*value),
            Self::Number(_) => Json::Null,
            Self::Text(text) => Json::String(text.clone()),
            Self::Array(items) => {
                let items = items.iter().map(|item| Ok(item.to_json()?.unwrap_or(Json::Null)));
                Json::Array(items.collect::<Result<_, Throws>>()?)
            }
            Self::Object(members) => object(members)?,
            Self::Date(Some(ms)) => Json::from(&*to_iso_string(*ms).ok_or(Throws)?),
            Self::Buffer(bytes) => Json::object(vec![
                ("type".into(), Json::from("Buffer")),
                ("data".into(), Json::Array(numbers(bytes).collect())),
            ]),
            Self::Bytes(bytes) => Json::object(
                numbers(bytes)
                    .enumerate()
                    .map(|(place, byte)| ((&*place.to_string()).into(), byte))
                    .collect(),
            ),
            Self::Regex(..) | Self::Map(_) => Json::Object(Vec::new()),
            Self::Boxed(value) => return value.to_json(),
            Self::Replaced(printed, _) => return printed.to_json(),
            Self::Json(json) => json.clone(),
            // A cookie occurs only in a session, which prints it.
            Self::BigInt(_) | Self::Cookie(..) | Self::Circular | Self::Throws => {
                return Err(Throws);
            }
        }))
    }

    /// Returns the value as the option of a cookie.
    pub(crate) fn to_option(&self) -> Value {
        match self {
            Self::Undefined => Value::Undefined,
            Self::Date(ms) => Value::Date(*ms),
            Self::Buffer(bytes) | Self::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Self::Unprintable => Value::Function(Json::Null),
            Self::Number(number) => Value::Plain(Json::Number(*number)),
            Self::Text(text) if text.to_str().is_none() => Value::HalfPair,
            other => Value::Plain(other.to_json().ok().flatten().unwrap_or(Json::Null)),
        }
    }
}

/// The error that `JSON.stringify` throws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throws;

fn members(pairs: &Json) -> Option<Members> {
    let member = |pair: &Json| match pair.items() {
        [Json::String(name), value] => Some((name.clone(), Given::parse(value)?)),
        _ => None,
    };
    pairs.items().iter().map(member).collect()
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = Json> {
    bytes.iter().map(|byte| Json::Number(f64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_printed_as_json_stringify_prints_it() {
        for (given, printed) in [
            (
                r#"{"object":[["b",1.50],["2",null],["u",{"undefined":true}],["f",{"function":true}]]}"#,
                Some(r#"{"2":null,"b":1.5}"#),
            ),
            (
                r#"[{"undefined":true},{"symbol":true},{"number":"NaN"},{"number":"-0"}]"#,
                Some("[null,null,null,0]"),
            ),
            (
                r#"[{"date":0},{"date":null},{"boxed":"x"},{"regex":["x","g"]},{"map":[["a",1]]}]"#,
                Some(r#"["1970-01-01T00:00:00.000Z",null,"x",{},{}]"#),
            ),
            (
                r#"[{"buffer":"00ff"},{"bytes":"0102"}]"#,
                Some(r#"[{"type":"Buffer","data":[0,255]},{"0":1,"1":2}]"#),
            ),
            (r#"{"toJSON":["shown",[["hidden",1]]]}"#, Some(r#""shown""#)),
            (r#"{"bigint":"1"}"#, None),
            (r#"[{"circular":true}]"#, None),
            (r#"{"toJSON":[{"throws":"no"},[]]}"#, None),
        ] {
            let given = Given::parse(&Json::parse(given).unwrap()).unwrap();
            let text = given.to_json().ok().flatten().map(|json| json.stringify());
            assert_eq!(text.as_deref(), printed, "{given:?}");
        }
    }
}
