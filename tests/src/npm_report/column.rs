//! What the suite says of one store, kept for the next page.

use std::{fs, path::PathBuf};

use cloakroom_conformance::{Outcome, Report};

use super::{
    Result, root,
    stores::{Published, version},
};

/// What the suite says of a store.
pub(super) struct Column {
    pub(super) store: &'static Published,
    pub(super) version: String,
    pub(super) cases: Vec<Verdict>,
}

/// What came out of one case.
pub(super) struct Verdict {
    pub(super) case: String,
    pub(super) outcome: Outcome,
    pub(super) reason: String,
}

/// The one case that is about Rust's runtimes, and so about the adapter.
const OURS: &str = "a_runtime_that_lacks_something_is_a_config_error";

const OUTCOMES: [Outcome; 3] = [Outcome::Passed, Outcome::Failed, Outcome::NotOffered];

impl Column {
    pub(super) fn new(store: &'static Published, report: &Report) -> Result<Self> {
        let cases = report.cases.iter().filter(|case| case.name != OURS);
        let cases = cases.map(|case| Verdict {
            case: case.name.to_owned(),
            outcome: case.outcome,
            reason: case.reason.clone().unwrap_or_default().replace(['\n', '\t'], " "),
        });
        Ok(Self { store, version: version(store.name)?, cases: cases.collect() })
    }

    /// Keeps it, one line for each case.
    pub(super) fn save(&self) -> Result<()> {
        let path = file(self.store);
        fs::create_dir_all(path.with_file_name(""))?;
        let lines = self.cases.iter().map(|verdict| {
            format!("{}\t{}\t{}\n", verdict.case, verdict.outcome.as_str(), verdict.reason)
        });
        Ok(fs::write(path, lines.collect::<String>())?)
    }

    pub(super) fn of_the_last_run(store: &'static Published) -> Result<Self> {
        let path = file(store);
        let text = fs::read_to_string(&path)
            .map_err(|_| format!("{} has not run yet: run it, or all stores", store.name))?;
        let verdict = |line: &str| {
            let mut cells = line.split('\t');
            let (case, outcome) = (cells.next()?.to_owned(), cells.next()?);
            let outcome = OUTCOMES.into_iter().find(|one| one.as_str() == outcome)?;
            Some(Verdict { case, outcome, reason: cells.next().unwrap_or_default().to_owned() })
        };
        Ok(Self {
            store,
            version: version(store.name)?,
            cases: text.lines().filter_map(verdict).collect(),
        })
    }

    pub(super) fn with_outcome(&self, outcome: Outcome) -> impl Iterator<Item = &Verdict> {
        self.cases.iter().filter(move |verdict| verdict.outcome == outcome)
    }
}

/// Where the last run of a store is kept.
fn file(store: &Published) -> PathBuf {
    root().join("target/npm-report").join(format!("{}.txt", store.name))
}
