//! Tests across crates, and what replays the fixtures.

pub mod json;
pub mod replay;
