//! The tables of `docs/observability.md` and the code agree.

use std::{collections::BTreeSet, fs, path::Path};

use cloakroom::observe::METRICS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The cells of the rows whose first cell begins like this, without backticks.
pub(crate) fn rows(beginning: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/observability.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(|cell| cell.replace('`', "")).collect())
        .filter(|cells: &Vec<String>| cells[0].starts_with(beginning))
        .collect()
}

/// The names in a cell.
pub(crate) fn names(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|name| *name != "none").map(str::to_owned).collect()
}

#[test]
fn the_metrics_of_the_docs_are_those_of_the_code() {
    let documented: Vec<_> = rows("cloakroom_");
    let expected: Vec<Vec<String>> = METRICS
        .iter()
        .map(|metric| {
            let kind = if metric.is_histogram { "histogram" } else { "counter" };
            let labels = metric.labels.join(", ");
            let labels = if labels.is_empty() { "none".to_owned() } else { labels };
            [metric.name, kind, &labels, metric.description].map(str::to_owned).to_vec()
        })
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn the_events_of_the_docs_are_those_of_the_code() {
    let code = root().join("crates/cloakroom-backend/src/observe/spans.rs");
    let code = fs::read_to_string(code).unwrap();
    let emitted = code.split("pub(super) fn event(").nth(1).unwrap();
    let emitted: Vec<_> =
        emitted.split('"').filter(|text| text.starts_with("cloakroom.")).collect();
    let documented: Vec<_> = rows("cloakroom.").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(documented, emitted);
}
