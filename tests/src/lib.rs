//! Tests across crates, and what replays the fixtures.

pub mod json;
pub mod losses;
pub mod mutants;
pub mod replay;
pub mod store_table;
