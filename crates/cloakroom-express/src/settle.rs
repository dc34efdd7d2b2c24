//! A change that has to be known to have happened before its result is used.

use std::sync::{Arc, Mutex, PoisonError};

use cloakroom_core::Error;
use cloakroom_tower::{Preset, Session};
use serde_json::value::RawValue;

use crate::object::raw;

/// Changes a member, and stores the session at once. Returns what `change` has made of the value that is stored, or
/// `None` if another request has destroyed the session.
///
/// `change` gets the member's JSON text and returns the new one. If another request has written the session in the
/// meantime, it runs again with the value of that one, and only the result of the last run counts. So of two requests
/// that take the same thing, one finds it gone.
///
/// The express preset and a session that only this request knows are not stored here: Express would not store them
/// either, and nobody else can have taken anything of a new session.
pub(crate) async fn settle<W: Send + 'static>(
    session: &Session,
    name: &str,
    change: impl Fn(Option<&str>) -> (String, W) + Send + Sync + 'static,
) -> Result<Option<W>, Error> {
    let last = Arc::new(Mutex::new(None));
    let found = Arc::clone(&last);
    session.modify(name, move |value: Option<Box<RawValue>>| {
        let (json, what) = change(value.as_deref().map(RawValue::get));
        *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        raw(json)
    })?;
    let is_express = session.engine().options().preset == Preset::Express;
    let is_stored = is_express || session.is_new() || session.save().await?;
    let result = last.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(result.filter(|_| is_stored))
}
