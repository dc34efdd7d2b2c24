//! The command line of an area's program.

use std::{env, time::Duration};

/// How long and how often an area measures.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub rounds: u32,
    /// Less of everything, so that all areas end within five minutes.
    pub quick: bool,
}

impl Options {
    /// Reads `--rounds N` and `--quick`.
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let rounds = arguments.iter().position(|argument| argument == "--rounds");
        let rounds = rounds.and_then(|at| arguments.get(at + 1)?.parse().ok());
        Self { rounds: rounds.unwrap_or(if quick { 3 } else { 7 }), quick }
    }

    /// How long a subject runs in a round.
    pub fn time(&self) -> Duration {
        Duration::from_millis(if self.quick { 100 } else { 500 })
    }

    /// Whether peers run in this round. In a quick run they run in the first one only; the bare clients, which the
    /// targets are about, run in all.
    pub fn has_peers(&self, round: u32) -> bool {
        !self.quick || round == 0
    }
}
