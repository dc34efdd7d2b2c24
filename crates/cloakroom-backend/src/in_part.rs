//! Errors of operations that are carried out step by step.

use cloakroom_core::Error;

/// Returns what to do with the error of a step, for `map_err`. If earlier steps have written something, it sets
/// [`outcome_unknown`](Error::outcome_unknown), even if this step was rejected or not sent: their effect stays.
///
/// ```
/// use cloakroom_backend::in_part;
/// use cloakroom_core::{Error, ErrorKind};
///
/// let step = || Err::<(), _>(Error::new(ErrorKind::Unavailable, "redis", "clear", "the connection was lost"));
/// let mut has_removed = false;
/// assert!(!step().map_err(in_part(has_removed)).unwrap_err().outcome_unknown());
/// has_removed = true;
/// assert!(step().map_err(in_part(has_removed)).unwrap_err().outcome_unknown());
/// ```
pub fn in_part(has_written: bool) -> impl Fn(Error) -> Error {
    move |error| if has_written { error.with_outcome_unknown() } else { error }
}
