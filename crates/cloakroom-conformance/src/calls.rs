//! Every operation of a store, for cases that test all of them.
//!
//! A promise about errors or outages holds for each operation. A store usually breaks it in the one whose code is
//! apart.

use cloakroom_core::{Error, ErrorKind, SessionData, Store, Touched};
use futures::TryStreamExt;

/// The operations by their names in errors.
pub(crate) const OPERATIONS: [&str; 11] = [
    "get",
    "set",
    "destroy",
    "touch",
    "create",
    "update",
    "get_and_touch",
    "ids",
    "all",
    "length",
    "clear",
];

/// Those that take an id.
pub(crate) const TAKE_AN_ID: [&str; 7] =
    ["get", "set", "destroy", "touch", "create", "update", "get_and_touch"];

/// Returns true if the outcome of this operation can never be unknown: it only reads. `get_and_touch` and `touch` move
/// the expiry, so they count as writes.
pub(crate) fn only_reads(operation: &str) -> bool {
    matches!(operation, "get" | "ids" | "all" | "length")
}

/// Calls an operation. Returns `None` if the store does not support it.
pub(crate) async fn call(
    store: &dyn Store,
    operation: &str,
    sid: &str,
    session: &SessionData,
) -> Option<Result<(), Error>> {
    let outcome = match operation {
        "get" => store.get(sid).await.map(drop),
        "set" => store.set(sid, session).await,
        "destroy" => store.destroy(sid).await,
        "touch" => match store.touch(sid, session).await {
            Ok(Touched::NotOffered | Touched::NotDue) => return None,
            touched => touched.map(drop),
        },
        "create" => store.atomic()?.create(sid, session).await.map(drop),
        "update" => store.atomic()?.update(sid, session).await.map(drop),
        "get_and_touch" => store.atomic()?.get_and_touch(sid, None).await.map(drop),
        "ids" => store.enumerate()?.ids().try_for_each(|_| async { Ok(()) }).await,
        "all" => store.enumerate()?.all().try_for_each(|_| async { Ok(()) }).await,
        "length" => store.enumerate()?.length().await.map(drop),
        _ => store.enumerate()?.clear().await,
    };
    match outcome {
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        outcome => Some(outcome),
    }
}

/// Returns everything that an error and its causes print, in both formats, since a log can contain either.
pub(crate) fn told(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}
