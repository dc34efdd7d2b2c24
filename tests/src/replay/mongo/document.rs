//! The document that connect-mongo makes of a session, by the rules in its source and in its driver's BSON library.

use cloakroom_core::{Cookie, CookieMember, JsValue, parse_date};
use cloakroom_mongodb::mongodb::bson::{
    Binary, Bson, DateTime, Document, Regex, spec::BinarySubtype,
};

use super::{
    Options, Recorded, Version,
    expected::{document, has_regex},
};
use crate::{
    json::Text,
    replay::{
        report::Checks,
        script::{Described, Given},
    },
};

/// The members of a cookie that express-session prints, whether they are set or not.
const COOKIE: [(&str, CookieMember); 9] = [
    ("originalMaxAge", CookieMember::OriginalMaxAge),
    ("partitioned", CookieMember::Partitioned),
    ("priority", CookieMember::Priority),
    ("expires", CookieMember::Expires),
    ("secure", CookieMember::Secure),
    ("httpOnly", CookieMember::HttpOnly),
    ("domain", CookieMember::Domain),
    ("path", CookieMember::Path),
    ("sameSite", CookieMember::SameSite),
];

/// Compares the recorded document with the one that connect-mongo makes of the session.
pub(super) fn check(recorded: &Recorded, described: &Described, now_ms: i64, checks: &mut Checks) {
    let (options, version) = (recorded.options, recorded.version);
    let expires_ms = expires_ms(described, options, now_ms);
    checks.equal("expires of the session", expires_ms, recorded.expires_ms);
    let Some(stored) = session(described, options, version) else {
        return checks.holds("a session that can be stored", false);
    };
    let Some(found) = document(&recorded.document) else { return };
    let expires = Bson::DateTime(DateTime::from_millis(expires_ms));
    let field = |name: &str| match name {
        "_id" => Some(Bson::from(recorded.sid.as_str())),
        "expires" => Some(expires.clone()),
        "session" => Some(stored.clone()),
        // This field contains the time of the recording.
        other => found.get(other).filter(|time| matches!(time, Bson::DateTime(_))).cloned(),
    };
    let whole: Option<Document> =
        options.fields().into_iter().map(|name| Some((name.to_owned(), field(name)?))).collect();
    let bytes = whole.as_ref().and_then(bytes_of);
    if has_regex(&stored) {
        // The driver of version 3 did not sort the options of a regular expression.
        let shown = |document: &Document| document.to_string();
        checks.equal("document of the session", whole.as_ref().map(shown), Some(shown(&found)));
    } else {
        checks.equal("document of the session", bytes.as_deref(), Some(&recorded.document[..]));
    }
}

/// Returns the expiry of the session. An `expires` that is not a date becomes 1970.
fn expires_ms(session: &Described, options: Options, now_ms: i64) -> i64 {
    match session.expires_ms() {
        None => now_ms + options.ttl_ms(),
        Some(ms) => ms.unwrap_or_default(),
    }
}

/// Returns the value of the field `session`, or `None` if it cannot be stored.
fn session(session: &Described, options: Options, version: Version) -> Option<Bson> {
    if !options.document {
        if session.throws.is_some() {
            return None;
        }
        return Some(session.text.clone().map_or(Bson::Null, Bson::String));
    }
    let writer = Writer { version, cookie: session.cookie.as_ref() };
    let members = match &session.value {
        Given::Object(members) | Given::Replaced(_, members) => members,
        Given::Null | Given::Undefined if version < Version::of_major(6) => {
            return Some(Document::new().into());
        }
        _ => return None,
    };
    let mut document = writer.document(members)?;
    if version >= Version::of_major(6) {
        let cookie = document.remove("cookie").unwrap_or(Bson::Null);
        // It comes first, except for array indices, which JavaScript keeps before all other names.
        let (indices, others): (Vec<_>, Vec<_>) = std::mem::take(&mut document)
            .into_iter()
            .partition(|(name, _)| Text::from(name.as_str()).index().is_some());
        document.extend(indices);
        document.insert("cookie", cookie);
        document.extend(others);
    }
    Some(document.into())
}

struct Writer<'a> {
    version: Version,
    cookie: Option<&'a Cookie>,
}

impl Writer<'_> {
    fn document(&self, members: &[(Text, Given)]) -> Option<Document> {
        let mut document = Document::new();
        let mut inherited = Document::new();
        for (name, value) in members {
            if name == "__proto__" {
                // This becomes the prototype of the copy, whose members the older drivers store.
                if let (Given::Object(members), true) = (value, self.version.driver_is_old()) {
                    inherited = self.document(members)?;
                }
                continue;
            }
            let name = name.to_lossy();
            // A name in BSON cannot contain NUL.
            if name.contains('\0') {
                return None;
            }
            match value {
                Given::Unprintable => {}
                value => drop(document.insert(name, self.value(value)?)),
            }
        }
        document.extend(inherited);
        Some(document)
    }

    fn value(&self, value: &Given) -> Option<Bson> {
        Some(match value {
            Given::Undefined | Given::Null => Bson::Null,
            Given::Bool(value) => Bson::Boolean(*value),
            Given::Number(number) => self.number(*number),
            Given::BigInt(number) if !self.version.driver_is_old() => {
                Bson::Int64(i64::try_from(*number).ok()?)
            }
            Given::Text(text) => Bson::String(text.to_lossy()),
            Given::Array(items) => {
                let items = items.iter().filter(|item| **item != Given::Unprintable);
                Bson::Array(items.map(|item| self.value(item)).collect::<Option<_>>()?)
            }
            Given::Object(members) | Given::Map(members) | Given::Replaced(_, members) => {
                self.document(members)?.into()
            }
            Given::Cookie(..) => self.cookie()?.into(),
            Given::Date(ms) => DateTime::from_millis(ms.unwrap_or_default()).into(),
            Given::Buffer(bytes) => binary(bytes),
            Given::Bytes(bytes) if self.version < Version::of_major(4) => {
                let items = bytes.iter().enumerate();
                items
                    .map(|(place, byte)| (place.to_string(), Bson::Int32((*byte).into())))
                    .collect::<Document>()
                    .into()
            }
            Given::Bytes(bytes) => binary(bytes),
            Given::Regex(pattern, flags) => {
                let known = [('i', 'i'), ('m', 'm'), ('g', 's')];
                let mut options: Vec<char> = known
                    .iter()
                    .filter(|(flag, _)| flags.contains(*flag))
                    .map(|(_, option)| *option)
                    .collect();
                options.sort_unstable();
                Bson::RegularExpression(Regex {
                    pattern: pattern.as_str().try_into().ok()?,
                    options: options.into_iter().collect::<String>().try_into().ok()?,
                })
            }
            Given::Boxed(value) => match &**value {
                Given::Text(text) => {
                    let chars = text.to_lossy();
                    let chars = chars.chars().enumerate();
                    chars
                        .map(|(place, char)| (place.to_string(), Bson::from(char.to_string())))
                        .collect::<Document>()
                        .into()
                }
                _ => Document::new().into(),
            },
            Given::Unprintable
            | Given::BigInt(_)
            | Given::Json(_)
            | Given::Circular
            | Given::Throws => return None,
        })
    }

    fn number(&self, number: f64) -> Bson {
        let is_negative_zero = number == 0.0 && number.is_sign_negative();
        let is_int = number.fract() == 0.0
            && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number)
            && (!is_negative_zero || self.version.driver_is_old());
        if is_int {
            Bson::Int32(number as i32)
        } else if number.is_nan() && self.version < Version::of_major(4) {
            // The encoder of the first driver writes another of the many bit patterns of NaN.
            Bson::Double(f64::from_bits(0x7ff0_0000_0000_0001))
        } else {
            Bson::Double(number)
        }
    }

    fn cookie(&self) -> Option<Document> {
        let cookie = self.cookie?;
        // Express computes the age of a date, and keeps any other value.
        let is_date = !matches!(cookie.raw(CookieMember::OriginalMaxAge), JsValue::String(_));
        let value = |member| {
            Some(match cookie.raw(member) {
                JsValue::Undefined | JsValue::Null => Bson::Null,
                JsValue::Bool(value) => Bson::Boolean(*value),
                JsValue::Number(number) => self.number(*number),
                JsValue::String(text) if member == CookieMember::Expires && is_date => {
                    DateTime::from_millis(parse_date(text)?).into()
                }
                JsValue::String(text) => Bson::from(&**text),
                _ => return None,
            })
        };
        COOKIE.iter().map(|(name, member)| Some(((*name).to_owned(), value(*member)?))).collect()
    }
}

fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

fn bytes_of(document: &Document) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    document.to_writer(&mut bytes).ok()?;
    Some(bytes)
}
