//! For the tests of this workspace only, which make recorded ids again. Any release may change or remove it.

pub use crate::id::id_from_bytes;
