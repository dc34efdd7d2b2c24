//! Conclusions from a recorded document, without the code under test.

use cloakroom_mongodb::mongodb::bson::{Bson, Document};

use super::Recorded;
use crate::{
    json::{Json, Text},
    replay::redis::{has_cookie, members_without_cookie},
};

/// The members of a cookie that are `null` in a document because they were not set.
const UNSET: [&str; 5] = ["partitioned", "priority", "secure", "domain", "sameSite"];

pub(super) fn document(bytes: &[u8]) -> Option<Document> {
    Document::from_reader(bytes).ok()
}

/// Returns the session if it is stored as a text.
pub(super) fn text_of(bytes: &[u8]) -> Option<String> {
    document(bytes)?.get_str("session").ok().map(str::to_owned)
}

/// Returns a session as connect-mongo's `get` returns it, without the members of its cookie that are `null` because
/// they were not set. A document contains all of them, but the JSON of a cookie leaves them out.
pub(super) fn without_unset(session: &Json) -> Json {
    let cookie = |cookie: &Json| match cookie {
        Json::Object(members) => {
            let unset = |name: &Text, value: &Json| {
                *value == Json::Null && UNSET.iter().any(|unset| name == *unset)
            };
            Json::Object(
                members.iter().filter(|(name, value)| !unset(name, value)).cloned().collect(),
            )
        }
        other => other.clone(),
    };
    match session {
        Json::Object(members) => Json::Object(
            members
                .iter()
                .map(|(name, value)| {
                    let value = if name == "cookie" { cookie(value) } else { value.clone() };
                    (name.clone(), value)
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Returns true if JSON can express every value of the session.
pub(super) fn is_json(session: &Bson) -> bool {
    match session {
        Bson::String(_) | Bson::Boolean(_) | Bson::Null | Bson::Int32(_) => true,
        Bson::Double(number) => number.is_finite() && number.to_bits() != (-0.0_f64).to_bits(),
        Bson::Array(items) => items.iter().all(is_json),
        Bson::Document(members) => members.iter().all(|(name, value)| {
            is_json(value) || (name == "cookie" && value.as_document().is_some_and(is_cookie))
        }),
        _ => false,
    }
}

/// Returns true for a cookie, whose expiry is a date although its JSON is a string.
fn is_cookie(cookie: &Document) -> bool {
    let mut members = cookie.iter();
    members.all(|(name, value)| {
        is_json(value) || (name == "expires" && matches!(value, Bson::DateTime(_)))
    })
}

/// Returns true if it contains a regular expression, which `JSON.stringify` prints as `{}` and this code as extended
/// JSON.
pub(super) fn has_regex(value: &Bson) -> bool {
    match value {
        Bson::RegularExpression(_) => true,
        Bson::Array(items) => items.iter().any(has_regex),
        Bson::Document(members) => members.values().any(has_regex),
        _ => false,
    }
}

/// Returns the document without these fields, which contain the time of the write.
pub(super) fn without(bytes: &[u8], fields: &[&str]) -> Option<Vec<u8>> {
    let mut document = document(bytes)?;
    for field in fields {
        document.remove(field);
    }
    let mut bytes = Vec::new();
    document.to_writer(&mut bytes).ok()?;
    Some(bytes)
}

pub(super) fn cookie_of(session: &Bson) -> Option<&Document> {
    session.as_document()?.get_document("cookie").ok()
}

pub(super) fn has_usable_cookie(recorded: &Recorded) -> bool {
    has_cookie(&recorded.got) || text_of(&recorded.document).is_some_and(|text| has_cookie(&text))
}

/// Returns the printed members of a session in either form.
pub(super) fn session_without_cookie(bytes: &[u8]) -> Option<String> {
    match document(bytes)?.get("session")?.clone() {
        Bson::String(text) => Some(format!("{:?}", members_without_cookie(&text))),
        Bson::Document(mut session) => {
            session.remove("cookie");
            Some(session.to_string())
        }
        _ => None,
    }
}
