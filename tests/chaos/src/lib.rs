//! Processes that use one store while its server is harmed, and a checker of what they saw.
//!
//! `cargo xtask chaos` runs it. A run starts a [`target`], Rust and Node.js processes that call it at random (`worker`,
//! `tests/node/chaos.mjs`), and a `nemesis` that kills, freezes and cuts. Each process writes down what it asks and what
//! it is told; [`check`](check::check) then looks for what no correct store can have answered.

pub mod check;
pub mod clock;
pub mod history;
mod log;
mod nemesis;
pub mod plan;
pub mod process;
pub mod report;
pub mod run;
pub mod target;
pub mod worker;
