//! The command line of an area's program.

use std::{env, time::Duration};

/// How long and how often an area measures.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub rounds: u32,
    /// Less of everything, so that all areas end within five minutes.
    pub quick: bool,
    /// The part of an area that is asked for, if not all of it is: see [`asks_for`](Self::asks_for).
    pub only: Option<&'static str>,
}

impl Options {
    /// Reads `--rounds N`, `--only PART` and `--quick`.
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let value = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1)
        };
        let rounds = value("--rounds").and_then(|number| number.parse().ok());
        let only = value("--only").map(|part| &*part.clone().leak());
        Self { rounds: rounds.unwrap_or(if quick { 3 } else { 7 }), quick, only }
    }

    /// Whether this part of an area, such as `SQLite` or `SQLite, 20 KB, get`, is asked for, or has a part that is.
    pub fn asks_for(&self, part: &str) -> bool {
        self.only.is_none_or(|only| {
            only.split(", ").zip(part.split(", ")).all(|(asked, name)| asked == name)
        })
    }

    /// How long a subject runs in a round.
    pub fn time(&self) -> Duration {
        Duration::from_millis(if self.quick { 60 } else { 400 })
    }

    /// How long a subject runs before the first round.
    pub fn warm_up(&self) -> Duration {
        Duration::from_millis(if self.quick { 50 } else { 100 })
    }

    /// Whether peers run in this round. In a quick run they run in the first one only; the bare clients, which the
    /// targets are about, run in all.
    pub fn has_peers(&self, round: u32) -> bool {
        !self.quick || round == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_asked_for_with_all_that_it_has_and_belongs_to() {
        let asks = |only, part| Options { rounds: 1, quick: false, only }.asks_for(part);
        let only = Some("Redis, 20 KB, get");
        for part in ["Redis", "Redis, 20 KB", "Redis, 20 KB, get", "Redis, 20 KB, get, cloakroom"] {
            assert!(asks(only, part) && asks(None, part), "{part}");
        }
        for part in ["Redis Cluster", "Redis, 500 bytes", "Redis, 20 KB, get and touch, cloakroom"]
        {
            assert!(!asks(only, part), "{part}");
        }
    }
}
