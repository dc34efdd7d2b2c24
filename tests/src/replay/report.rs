//! The report of a replay.

use std::{collections::BTreeMap, fmt, io};

use cloakroom_core::Error;

/// The outcome of one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This code behaves as recorded.
    Passed,
    /// This code deliberately behaves better, and keeps its own promise.
    PassedDifferently(&'static str),
    /// No Rust program can reproduce the vector, for this reason.
    NotApplicable(&'static str),
    /// The differences between the expected and the actual results.
    Failed(Vec<Mismatch>),
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    what: &'static str,
    expected: String,
    came: String,
}

/// Collects the differences in one vector.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Mismatch>);

impl Checks {
    /// Compares two values, and notes a difference.
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

    /// Notes a condition that does not hold.
    pub(crate) fn holds(&mut self, what: &'static str, holds: bool) {
        self.equal(what, true, holds);
    }

    /// Compares the message of Express with that of this code, which also quotes the offender.
    pub(crate) fn refusal(&mut self, expected: &str, error: &Error) {
        if expected.is_empty() || !error.to_string().split(": ").any(|part| part == expected) {
            self.equal("error", expected, &*error.to_string());
        }
    }

    /// Returns the outcome: passed if nothing differs from the recording.
    pub(crate) fn outcome(self) -> Outcome {
        self.outcome_or(Outcome::Passed)
    }

    /// Returns the outcome: `passed` if nothing differs from the promise.
    pub(crate) fn outcome_or(self, passed: Outcome) -> Outcome {
        if self.0.is_empty() { passed } else { Outcome::Failed(self.0) }
    }
}

/// Failures to read or start a vector.
impl Outcome {
    pub(crate) fn failed(
        what: &'static str,
        expected: impl Into<String>,
        came: impl Into<String>,
    ) -> Self {
        Self::Failed(vec![Mismatch { what, expected: expected.into(), came: came.into() }])
    }
}

/// The report of a replay.
#[derive(Debug, Default)]
pub struct Report {
    passed: usize,
    failures: Vec<(String, Vec<Mismatch>)>,
    differences: BTreeMap<&'static str, usize>,
    not_applicable: BTreeMap<&'static str, usize>,
}

impl Report {
    /// Adds the outcome of the vector `id`.
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

    /// Returns the number of vectors that passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// Returns the number of vectors that failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failures.len()
    }

    /// Returns the number of vectors that no Rust program can reproduce.
    #[must_use]
    pub fn not_applicable(&self) -> usize {
        self.not_applicable.values().sum()
    }

    /// Returns true if the report contains no vector at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.passed + self.failed() + self.not_applicable() == 0
    }

    /// Prints each failure, the known differences, the vectors that are not applicable, and the counts in the last
    /// line.
    ///
    /// # Errors
    ///
    /// If writing to `out` fails.
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
