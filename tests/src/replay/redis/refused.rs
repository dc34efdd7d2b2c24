//! What connect-redis cannot store, and what some versions add.

use cloakroom_core::{ErrorKind, SessionData};
use serde::{Serialize, Serializer, ser::Error};

use super::super::report::Checks;

/// A value that is no JSON, as a cycle or a `BigInt` is none.
pub(in super::super) struct NotJson;

impl Serialize for NotJson {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("it is not JSON"))
    }
}

/// Over a value that JSON has no word for, `JSON.stringify` throws, and here `insert` refuses it: the session stays
/// what it was.
pub(in super::super) fn is_refused(checks: &mut Checks) {
    let mut session = SessionData::new();
    let refused = session.insert("value", NotJson);
    checks.equal(
        "kind of the refusal",
        Some(ErrorKind::InvalidData),
        refused.err().map(|error| error.kind()),
    );
    checks.holds("nothing is set", session.is_empty() && !session.is_changed());
}

/// The record without the member that versions 6.1.0 and 6.1.2 put at its end.
pub(super) fn without_last_modified(text: &str) -> String {
    let cut = text.rfind(",\"lastModified\":").map(|at| text.split_at(at));
    match cut {
        Some((record, rest)) if rest[16..].trim_end_matches('}').parse::<u64>().is_ok() => {
            format!("{record}}}")
        }
        _ => text.to_owned(),
    }
}
