//! Tests across crates, and what replays the fixtures.

#![cfg_attr(doctest, doc = include_str!("../../README.md"))]

pub mod dice;
pub mod json;
pub mod losses;
pub mod mutants;
pub mod npm_report;
pub mod open;
pub mod replay;
pub mod store_table;
pub mod stores;
