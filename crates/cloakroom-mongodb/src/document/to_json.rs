//! Converts a document to the JSON text that `JSON.stringify` prints for it in Node.js.

use super::{
    Kind, Malformed,
    cookie::write_cookie,
    elements,
    value::{write, write_members},
};

/// Returns the JSON text of a session's document.
pub(crate) fn to_json(document: &[u8]) -> Result<String, Malformed> {
    let mut out = String::with_capacity(document.len());
    let members = elements(document)?;
    write_members(members, &mut out, |name, value, out| match (name, value.kind) {
        ("cookie", Kind::DOCUMENT) => write_cookie(value.bytes, out),
        _ => write(value, 1, out),
    })?;
    Ok(out)
}
