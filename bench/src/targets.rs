//! What was aimed at.

use crate::{
    areas::{AREAS, Area},
    run::kept,
    summary::{Ratio, Row},
    table::with_spread,
};

/// A ratio to the base that is to stay below a limit.
struct Target {
    area: &'static str,
    /// The kind of work, or all.
    work: Option<&'static str>,
    subject: &'static str,
    /// The column, or the first one.
    column: Option<&'static str>,
    limit: f64,
}

const fn target(area: &'static str, subject: &'static str, limit: f64) -> Target {
    Target { area, work: None, subject, column: None, limit }
}

const fn http(work: &'static str, limit: f64) -> Target {
    Target { work: Some(work), ..target("http", "cloakroom, safe", limit) }
}

const TARGETS: &[Target] = &[
    http("read and extend", 1.15),
    http("write", 1.25),
    Target { column: Some("Redis CPU, µs"), ..http("write", 1.3) },
    http("anonymous", 1.05),
    target("store", "cloakroom", 1.15),
    target("record", "cloakroom, SessionData", 1.0),
    Target { work: Some("resident memory"), ..target("memory", "cloakroom, MemoryStore", 1.25) },
];

/// Returns a table of the targets that have been measured here, or `None` if nothing has been measured.
pub(crate) fn table() -> Option<String> {
    let mut lines = Vec::new();
    for target in TARGETS {
        let area = AREAS.iter().find(|area| area.name == target.area)?;
        let rows = kept(area).map(|measured| measured.rows).unwrap_or_default();
        lines.extend(rows.iter().filter_map(|row| line(target, area, row)));
    }
    let head =
        "| area | what | base | at most | measured | |\n| --- | --- | --- | --- | --- | --- |";
    (!lines.is_empty()).then(|| format!("{head}\n{}\n", lines.join("\n")))
}

fn line(target: &Target, area: &Area, row: &Row) -> Option<String> {
    let is_meant = row.subject == target.subject && target.work.is_none_or(|work| row.work == work);
    let column = match target.column {
        Some(name) => row.columns.iter().find(|column| column.name == name)?,
        None => row.columns.first()?,
    };
    let ratio = column.ratio.filter(|_| is_meant)?;
    let Row { table, work, base, .. } = row;
    Some(format!(
        "| {} | {work}, {table}: {} | {base} | {} | {} | {} |",
        area.name,
        column.name,
        target.limit,
        with_spread(ratio),
        verdict(ratio, target.limit)
    ))
}

fn verdict(ratio: Ratio, limit: f64) -> String {
    if ratio.median <= limit {
        return "reached".to_owned();
    }
    format!("missed by {:.0} %", (ratio.median / limit - 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use cloakroom_bench::Sample;

    use super::*;
    use crate::summary;

    #[test]
    fn a_target_is_reached_or_missed_by_a_share() {
        let sample = |subject, cpu| {
            let sample = Sample::new("500 bytes", "write", subject, "raw", 0).with("CPU, µs", 1.0);
            sample.with("Redis CPU, µs", cpu)
        };
        let rows = summary::rows(&[sample("raw", 10.0), sample("cloakroom, safe", 26.0)]);
        let redis = Target { column: Some("Redis CPU, µs"), ..http("write", 1.3) };
        let line = |target: &Target| line(target, &AREAS[0], &rows[1]).unwrap_or_default();
        assert_eq!(
            line(&redis),
            "| http | write, 500 bytes: Redis CPU, µs | raw | 1.3 | 2.60 (2.60–2.60) | missed by 100 % |"
        );
        assert!(line(&http("write", 1.25)).ends_with("| reached |"));
        assert_eq!(line(&http("anonymous", 1.05)), "");
    }
}
