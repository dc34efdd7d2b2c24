//! Sessions that connect-mongo could not store.

use super::{Options, Version};
use crate::{
    json::{Json, Text},
    replay::script::{Described, Given},
};

/// How such a session fails in a Rust program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The value cannot be inserted into a session.
    ByInsert,
    /// `set` returns an error.
    BySet,
}

/// Returns the reason why the session cannot be stored, from the message of its error, and how it fails here. `None` if
/// the session does not explain the error.
pub(super) fn refusal(
    session: &Described,
    options: Options,
    version: Version,
    error: &Json,
) -> Option<Refusal> {
    let message = error.get("message").and_then(Json::text).unwrap_or_default();
    let is = |known: &[&str]| known.iter().any(|known| message == *known);
    if !options.document {
        let throws = session.throws.as_deref()?;
        return (message == throws).then_some(Refusal::ByInsert);
    }
    let circular =
        ["Cannot convert circular structure to BSON", "Maximum call stack size exceeded"];
    if has(&session.value, &|value| *value == Given::Circular) && is(&circular) {
        return Some(Refusal::ByInsert);
    }
    let is_bigint = |value: &Given| matches!(value, Given::BigInt(_));
    if version.driver_is_old()
        && has(&session.value, &is_bigint)
        && is(&["Unsupported type BigInt, please use Decimal128"])
    {
        return Some(Refusal::ByInsert);
    }
    let has_nul = |value: &Given| match value {
        Given::Object(members) => members.iter().any(|(name, _)| is_with_nul(name)),
        _ => false,
    };
    if has(&session.value, &has_nul) && is(&["key \0 must not contain null bytes"]) {
        return Some(Refusal::BySet);
    }
    let is_deep = depth(&session.value) > DEEPEST
        && message.starts_with("BSONObj exceeds maximum nested object depth")
        && error.get("code").and_then(Json::number) == Some(15.0);
    is_deep.then_some(Refusal::BySet)
}

/// The maximum depth of nested documents (MongoDB's manual, "Limits").
const DEEPEST: usize = 100;

fn is_with_nul(name: &Text) -> bool {
    name.to_lossy().contains('\0')
}

fn has(value: &Given, is_so: &impl Fn(&Given) -> bool) -> bool {
    is_so(value) || inside(value).any(|value| has(value, is_so))
}

fn depth(value: &Given) -> usize {
    inside(value).map(depth).max().map_or(0, |deepest| deepest + 1)
}

fn inside(value: &Given) -> Box<dyn Iterator<Item = &Given> + '_> {
    match value {
        Given::Array(items) => Box::new(items.iter()),
        Given::Object(members) | Given::Map(members) | Given::Replaced(_, members) => {
            Box::new(members.iter().map(|(_, value)| value))
        }
        _ => Box::new(std::iter::empty()),
    }
}
