//! Sessions that connect-redis cannot store, and members that some versions add.

use cloakroom_core::{ErrorKind, SessionData};
use serde::{Serialize, Serializer, ser::Error};

use super::super::report::Checks;

/// A value that is not JSON, as a cycle or a `BigInt`.
pub(in super::super) struct NotJson;

impl Serialize for NotJson {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("it is not JSON"))
    }
}

/// Checks that `insert` rejects a value for which `JSON.stringify` throws, and leaves the session unchanged.
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

/// Returns the record without the member that versions 6.1.0 and 6.1.2 append.
pub(super) fn without_last_modified(text: &str) -> String {
    let cut = text.rfind(",\"lastModified\":").map(|at| text.split_at(at));
    match cut {
        Some((record, rest)) if rest[16..].trim_end_matches('}').parse::<u64>().is_ok() => {
            format!("{record}}}")
        }
        _ => text.to_owned(),
    }
}
