//! What a replay found, and how it is printed.

use std::{collections::BTreeMap, fmt, io};

use cloakroom_core::Error;

/// What became of one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This code does what was observed.
    Passed,
    /// This code does better on purpose, and does what it promises instead.
    PassedDifferently(&'static str),
    /// No Rust program can put the question, for this reason.
    NotApplicable(&'static str),
    /// What was expected and what came, each with a word about what it is.
    Failed(Vec<Mismatch>),
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    what: &'static str,
    expected: String,
    came: String,
}

/// Collects what is not as expected in one vector.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Mismatch>);

impl Checks {
    /// Compares, and keeps what differs.
    pub(crate) fn equal<T: PartialEq + fmt::Debug>(
        &mut self,
        what: &'static str,
        expected: T,
        came: T,
    ) {
        if expected != came {
            let (expected, came) = (format!("{expected:?}"), format!("{came:?}"));
            self.0.push(Mismatch { what, expected, came });
        }
    }

    /// Keeps what must hold and does not.
    pub(crate) fn holds(&mut self, what: &'static str, holds: bool) {
        self.equal(what, true, holds);
    }

    /// Compares what Express says with what this code says, which quotes the offender after it.
    pub(crate) fn refusal(&mut self, expected: &str, error: &Error) {
        if expected.is_empty() || !error.to_string().split(": ").any(|part| part == expected) {
            self.equal("error", expected, &*error.to_string());
        }
    }

    /// The outcome, where nothing differs from what was observed.
    pub(crate) fn outcome(self) -> Outcome {
        self.outcome_or(Outcome::Passed)
    }

    /// The outcome, where nothing differs from what was promised.
    pub(crate) fn outcome_or(self, passed: Outcome) -> Outcome {
        if self.0.is_empty() { passed } else { Outcome::Failed(self.0) }
    }
}

/// A failure to read a vector, or a check that this code does not even begin.
impl Outcome {
    pub(crate) fn failed(
        what: &'static str,
        expected: impl Into<String>,
        came: impl Into<String>,
    ) -> Self {
        Self::Failed(vec![Mismatch { what, expected: expected.into(), came: came.into() }])
    }
}

/// What a replay found.
#[derive(Debug, Default)]
pub struct Report {
    passed: usize,
    failures: Vec<(String, Vec<Mismatch>)>,
    differences: BTreeMap<&'static str, usize>,
    not_applicable: BTreeMap<&'static str, usize>,
}

impl Report {
    /// Counts what became of the vector called `id`.
    pub fn add(&mut self, id: impl Into<String>, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::PassedDifferently(reason) => {
                self.passed += 1;
                *self.differences.entry(reason).or_default() += 1;
            }
            Outcome::NotApplicable(reason) => *self.not_applicable.entry(reason).or_default() += 1,
            Outcome::Failed(mismatches) => self.failures.push((id.into(), mismatches)),
        }
    }

    /// The number of vectors that passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// The number of vectors that failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failures.len()
    }

    /// The number of vectors that no Rust program can put.
    #[must_use]
    pub fn not_applicable(&self) -> usize {
        self.not_applicable.values().sum()
    }

    /// Whether no vector was seen at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.passed + self.failed() + self.not_applicable() == 0
    }

    /// Prints each failure, the known differences, what is not applicable, and the count as the last line.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn print(&self, out: &mut impl io::Write) -> io::Result<()> {
        for (id, mismatches) in &self.failures {
            for Mismatch { what, expected, came } in mismatches {
                writeln!(out, "FAILED {id}: {what}\n  expected {expected}\n  came     {came}")?;
            }
        }
        print_reasons(out, "better than express-session on purpose", &self.differences)?;
        print_reasons(out, "not applicable", &self.not_applicable)?;
        writeln!(out, "{} passed, {} failed", self.passed, self.failed())
    }
}

fn print_reasons(
    out: &mut impl io::Write,
    what: &str,
    reasons: &BTreeMap<&str, usize>,
) -> io::Result<()> {
    let total: usize = reasons.values().sum();
    let reasons: Vec<String> =
        reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    writeln!(out, "{total} {what}{colon}{}", reasons.join("; "))
}
