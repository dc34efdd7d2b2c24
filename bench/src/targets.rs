//! What was aimed at.

use crate::{
    areas::AREAS,
    run::{Measured, kept},
    summary::Ratio,
    table::with_spread,
};

/// A ratio that is to stay below a limit.
struct Target {
    what: &'static str,
    area: &'static str,
    table: &'static str,
    work: &'static str,
    subject: &'static str,
    /// The column, or the first one.
    column: Option<&'static str>,
    limit: f64,
}

const HTTP: Target = Target {
    what: "",
    area: "http",
    table: "500 bytes",
    work: "",
    subject: "cloakroom, safe",
    column: None,
    limit: 0.0,
};

const TARGETS: &[Target] = &[
    Target { what: "a read over HTTP", work: "read and extend", limit: 1.15, ..HTTP },
    Target { what: "a write over HTTP", work: "write", limit: 1.25, ..HTTP },
    Target {
        what: "Redis's own CPU for a write over HTTP",
        work: "write",
        column: Some("Redis CPU, µs"),
        limit: 1.3,
        ..HTTP
    },
    Target { what: "an anonymous request", work: "anonymous", limit: 1.05, ..HTTP },
];

/// Returns a table of the targets that have been measured here, or `None` if nothing has been measured.
pub(crate) fn table() -> Option<String> {
    let lines: Vec<String> = TARGETS.iter().filter_map(line).collect();
    let head =
        "| what | data | beside | at most | measured | |\n| --- | --- | --- | --- | --- | --- |";
    (!lines.is_empty()).then(|| format!("{head}\n{}\n", lines.join("\n")))
}

fn line(target: &Target) -> Option<String> {
    let area = AREAS.iter().find(|area| area.name == target.area)?;
    let (base, ratio) = measured(target, &kept(area)?)?;
    let verdict = if ratio.median <= target.limit {
        "reached".to_owned()
    } else {
        format!("missed by {:.0} %", (ratio.median / target.limit - 1.0) * 100.0)
    };
    let Target { what, table, limit, .. } = target;
    Some(format!("| {what} | {table} | {base} | {limit} | {} | {verdict} |", with_spread(ratio)))
}

fn measured(target: &Target, result: &Measured) -> Option<(String, Ratio)> {
    let row = result.rows.iter().find(|row| {
        (&*row.table, &*row.work, &*row.subject) == (target.table, target.work, target.subject)
    })?;
    let column = match target.column {
        Some(name) => row.columns.iter().find(|column| column.name == name),
        None => row.columns.first(),
    };
    Some((row.base.clone(), column?.ratio?))
}
