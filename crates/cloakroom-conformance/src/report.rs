//! What came of a run.

use std::fmt;

use serde::Serialize;

use crate::Case;

/// What came of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The store keeps the promise.
    Passed,
    /// It does not, or it panicked, or it did not end.
    Failed,
    /// The store, or the subject, lacks a part that the case needs. Nothing is known about the promise.
    NotOffered,
}

impl Outcome {
    /// The outcome in lower case words.
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
/// (a string, or `null` when the case passed).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// [`Case::name`].
    pub name: &'static str,
    /// [`Case::group`].
    pub group: &'static str,
    /// [`Case::promise`].
    pub promise: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it failed; or the name of the part that is not offered. `None` when it passed.
    pub reason: Option<String>,
}

impl CaseReport {
    pub(crate) fn new(case: &Case, outcome: Outcome, reason: Option<String>) -> Self {
        let (name, group, promise) = (case.name(), case.group(), case.promise());
        Self { name, group, promise, outcome, reason }
    }
}

/// What came of all cases, in the order of [`CASES`](crate::CASES).
///
/// It prints as a table with a closing count. As JSON it is an object with one member, `cases`, a list of
/// [`CaseReport`]s; more members can come, these stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The cases.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// The cases with this outcome.
    pub fn with_outcome(&self, outcome: Outcome) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(move |case| case.outcome == outcome)
    }

    /// Whether no case failed. What is not offered does not count as a failure.
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
