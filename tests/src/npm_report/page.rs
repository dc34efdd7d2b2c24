//! The page.

use std::fmt::Write;

use cloakroom_conformance::{CASES, Outcome};

use super::{
    column::Column,
    findings::{FINDINGS, Finding, explaining},
};

const HEAD: &str = "\
# The suite on npm's session stores

<!-- Made by `cargo xtask npm-report`. -->

The conformance suite runs on published stores, each in a Node.js process behind `cloakroom_node::NodeStore` and `promisify_store`.
Most promises are stricter than what express-session asks of a store, so a failure is not always a mistake; each is listed with what its maintainers could do, and the smallest steps that show it.
Cases about conditional writes, records of other programs, neighbours and outages are left out, because Connect's interface has none of them.

";

/// The promises down, the stores across, and a section for each finding.
pub(super) fn page(columns: &[Column]) -> String {
    let mut page = HEAD.to_owned();
    let names = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut head = vec!["promise".to_owned()];
    head.extend(columns.iter().map(|one| format!("{} {}", one.store.title, one.version)));
    page += &names(head.clone());
    page += &names(vec!["---".to_owned(); head.len()]);
    let mut kept = vec!["kept".to_owned()];
    kept.extend(columns.iter().map(|one| {
        let count = |outcome| one.with_outcome(outcome).count();
        let passed = count(Outcome::Passed);
        format!("{passed} of {}", passed + count(Outcome::Failed))
    }));
    page += &names(kept);
    for case in CASES {
        let outcomes: Vec<Outcome> = columns
            .iter()
            .filter_map(|one| one.cases.iter().find(|other| other.case == case.name()))
            .map(|one| one.outcome)
            .collect();
        if outcomes.iter().all(|outcome| *outcome == Outcome::NotOffered) {
            continue;
        }
        let mut row = vec![format!("`{}`", case.name())];
        row.extend(outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Passed => "yes".to_owned(),
            Outcome::Failed => "**no**".to_owned(),
            _ => "–".to_owned(),
        }));
        page += &names(row);
    }
    page += "\nA dash is for an operation that the store does not have.\n";
    for finding in FINDINGS {
        let failures = failures(columns, finding);
        if failures.is_empty() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n```js\n{}\n```\n\n{failures}",
            finding.title,
            // One sentence per line.
            finding.advice.replace(". ", ".\n"),
            finding.steps.trim()
        );
    }
    page
}

/// Who fails which of the cases of a finding.
fn failures(columns: &[Column], finding: &Finding) -> String {
    let is_this =
        |store, case: &str| explaining(store, case).is_some_and(|one| one.title == finding.title);
    let mut lines = String::new();
    for column in columns {
        let failed = column.with_outcome(Outcome::Failed);
        let cases: Vec<String> = failed
            .filter(|verdict| is_this(column.store.name, &verdict.case))
            .map(|verdict| format!("`{}`", verdict.case))
            .collect();
        if !cases.is_empty() {
            let (title, version) = (column.store.title, &column.version);
            let _ = writeln!(lines, "- {title} {version}: {}", cases.join(", "));
        }
    }
    lines
}
