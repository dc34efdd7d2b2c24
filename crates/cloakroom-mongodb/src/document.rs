//! BSON documents by their bytes, as JSON text and back.
//!
//! The bytes are read and written here rather than through the types of `bson`, which differ between its versions, fold
//! doubled names, and would make a value of their own out of each of ours. What nobody changed is copied.

mod cookie;
mod from_json;
mod json;
mod raw;
mod to_json;

pub(crate) use from_json::{Unfit, from_json};
pub(crate) use raw::{Kind, Malformed, Value, elements, field};
pub(crate) use to_json::to_json;

/// How deep values are followed. MongoDB keeps less than 200 levels.
const DEEPEST: usize = 200;
