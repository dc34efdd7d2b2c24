//! BSON documents converted to JSON text and back, by their bytes.
//!
//! The types of `bson` are not used: they differ between its versions, drop doubled names, and allocate each value.
//! Here the bytes of unchanged values are copied.

mod cookie;
mod from_json;
mod once;
mod raw;
mod to_json;
mod value;
mod writer;

pub(crate) use from_json::from_json;
pub(crate) use raw::{Kind, Malformed, Value, elements, field};
pub(crate) use to_json::to_json;
pub(crate) use writer::Unfit;

/// The deepest level that is converted. MongoDB stores fewer than 200 levels.
const DEEPEST: usize = 200;
