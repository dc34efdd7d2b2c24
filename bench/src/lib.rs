//! What all areas share: the session documents, CPU time, allocations, tasks that run for a while, and samples.
//!
//! An area is a program that starts what it needs, measures its subjects in alternation, and prints a [`Sample`] for
//! each subject and round. The program of this package runs the areas and makes tables of their samples.

pub mod allocations;
pub mod commands;
pub mod cpu;
pub mod documents;
pub mod memory;
mod options;
mod sample;
pub mod tasks;

pub use options::Options;
pub use sample::Sample;
