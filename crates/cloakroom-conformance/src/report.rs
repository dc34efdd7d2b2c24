//! The outcome of a run.

use std::fmt;

use serde::Serialize;

use crate::Case;

/// The outcome of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The store keeps the promise.
    Passed,
    /// The store breaks the promise, or the case panicked or did not end.
    Failed,
    /// The store or the subject lacks a part that the case needs. This says nothing about the promise.
    NotOffered,
}

impl Outcome {
    /// Returns the outcome in lower case words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotOffered => "not offered",
        }
    }
}

/// One case of a [`Report`].
///
/// As JSON it is an object of `name`, `group`, `promise`, `outcome` (`passed`, `failed` or `not_offered`) and `reason`
/// (a string, or `null` if the case passed).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// [`Case::name`].
    pub name: &'static str,
    /// [`Case::group`].
    pub group: &'static str,
    /// [`Case::promise`].
    pub promise: &'static str,
    /// The outcome.
    pub outcome: Outcome,
    /// Why the case failed, or the name of the part that is not offered. `None` if it passed.
    pub reason: Option<String>,
}

impl CaseReport {
    pub(crate) fn new(case: &Case, outcome: Outcome, reason: Option<String>) -> Self {
        let (name, group, promise) = (case.name(), case.group(), case.promise());
        Self { name, group, promise, outcome, reason }
    }
}

/// The outcomes of all cases, in the order of [`CASES`](crate::CASES).
///
/// It prints as a table with totals. As JSON it is an object with one member, `cases`, a list of [`CaseReport`]s. Later
/// versions may add members, but never remove these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The cases.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// Returns the cases with this outcome.
    pub fn with_outcome(&self, outcome: Outcome) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(move |case| case.outcome == outcome)
    }

    /// Returns true if no case failed. A case that is not offered does not count as a failure.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        self.with_outcome(Outcome::Failed).next().is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.cases.iter().map(|case| case.group.len()).max().unwrap_or_default();
        for case in &self.cases {
            write!(f, "{:<11}  {:<group$}  {}", case.outcome.as_str(), case.group, case.name)?;
            match &case.reason {
                Some(reason) => writeln!(f, ": {reason}")?,
                None => writeln!(f)?,
            }
        }
        let [passed, failed, not_offered] = [Outcome::Passed, Outcome::Failed, Outcome::NotOffered]
            .map(|outcome| self.with_outcome(outcome).count());
        write!(
            f,
            "{} cases: {passed} passed, {failed} failed, {not_offered} not offered",
            self.cases.len()
        )
    }
}
