//! The rules of the tree: which crate may know which, and that the texts of the project are true.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod arrows;
mod circles;
mod commands;
mod dependencies;
mod english;
mod files;
mod growing;
mod layout;
mod options;
mod panics;
mod repeats;
mod shared_tests;
mod store_table;
mod stores;
mod texts;
