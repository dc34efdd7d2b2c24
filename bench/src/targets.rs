//! Compares what was measured with what was aimed at.

use crate::{
    aims::{Aim, TARGETS, Target},
    areas::{AREAS, Area},
    run::kept,
    summary::{Row, Spread},
    table::{number, with_spread},
    texts,
};

/// One row of a target.
struct Outcome {
    what: String,
    limit: String,
    measured: String,
    /// How far beyond the limit it is, as a share of the limit; negative if the target is reached.
    beyond: f64,
    missed: String,
    why: &'static str,
}

impl Outcome {
    fn is_missed(&self) -> bool {
        self.beyond > 0.0
    }
}

/// Returns a table of all targets, and one of those that were missed. `None` if nothing has been measured here.
pub(crate) fn tables() -> Option<String> {
    let measured: Vec<(&Area, Vec<Row>)> =
        AREAS.iter().filter_map(|area| Some((area, kept(area)?.rows))).collect();
    let (mut lines, mut missed) = (Vec::new(), Vec::new());
    for target in TARGETS {
        let Some((area, rows)) = measured.iter().find(|(area, _)| area.name == target.area) else {
            continue;
        };
        let outcomes: Vec<Outcome> =
            rows.iter().filter_map(|row| outcome(target, area, row, rows)).collect();
        lines.extend(summarise(target, &outcomes));
        missed.extend(outcomes.into_iter().filter(Outcome::is_missed).map(|one| (target, one)));
    }
    if lines.is_empty() {
        return None;
    }
    lines.push(format!("| 8 | {} | | | | |", texts::POINT_8));
    let mut text = format!(
        "The plan for the library's speed has eight points, with a number for most targets; what should stay the same, but has \
         no number there, may grow by 25 %.\n\
         Where a target has several rows, the table shows the one that is nearest to its limit, or furthest beyond it.\n\n\
         | | what | target | reached | measured | where |\n| --- | --- | --- | --- | --- | --- |\n{}\n",
        lines.join("\n")
    );
    if !missed.is_empty() {
        text += "\n### Missed\n\n| | what | target | measured | missed by | where the time goes |\n| --- | --- | --- | --- | --- | --- |\n";
        for (Target { point, .. }, one) in missed {
            let Outcome { what, limit, measured, missed, why, .. } = one;
            text += &format!("| {point} | {what} | {limit} | {measured} | {missed} | {why} |\n");
        }
    }
    Some(text)
}

/// The line of a target, with the row that is nearest to the limit.
fn summarise(target: &Target, outcomes: &[Outcome]) -> Option<String> {
    let worst = outcomes.iter().max_by(|one, other| one.beyond.total_cmp(&other.beyond))?;
    let reached = outcomes.iter().filter(|one| !one.is_missed()).count();
    let reached = match outcomes.len() {
        1 if reached == 1 => "yes".to_owned(),
        1 => format!("missed by {}", worst.missed),
        all => format!("{reached} of {all}"),
    };
    let Target { point, what, .. } = target;
    let Outcome { what: place, limit, measured, .. } = worst;
    Some(format!("| {point} | {what} | {limit} | {reached} | {measured} | {place} |"))
}

fn outcome(target: &Target, area: &Area, row: &Row, rows: &[Row]) -> Option<Outcome> {
    let is_meant = row.subject.starts_with(target.subject)
        && target.table.is_none_or(|table| row.table.starts_with(table))
        && target.work.is_none_or(|work| row.work == work);
    let column = match target.column {
        Some(name) => row.columns.iter().find(|column| column.name == name)?,
        None => row.columns.first()?,
    };
    let value = |spread: Spread| {
        let Spread { median, low, high } = spread;
        if low == high {
            number(median)
        } else {
            format!("{} ({}–{})", number(median), number(low), number(high))
        }
    };
    let times = |spread: Spread| format!("{} ×", with_spread(spread));
    let share = |measured: f64, limit: f64| (measured / limit - 1.0) * 100.0;
    let (limit, measured, by, beyond) = match target.aim {
        _ if !is_meant => return None,
        Aim::Ratio(_) | Aim::Over(_) if row.subject == row.base => return None,
        Aim::Ratio(limit) => {
            let ratio = column.ratio?;
            let beyond = share(ratio.median, limit);
            (format!("≤ {limit} × {}", row.base), times(ratio), percent(beyond), beyond)
        }
        Aim::Over(limit) => {
            let over = column.over?;
            // What is counted may be shared with a neighbour's operation, so the last digits say nothing.
            let beyond = (over.median * 10.0).round() / 10.0 - limit;
            let limit = format!("≤ {limit} more than {}", row.base);
            (limit, value(over), number(beyond), beyond)
        }
        Aim::AtMost(limit) => {
            let beyond = share(column.value.median, limit);
            (format!("≤ {}", whole(limit)), value(column.value), percent(beyond), beyond)
        }
        Aim::AtLeast(limit) => {
            let beyond = (1.0 - column.value.median / limit) * 100.0;
            (format!("≥ {limit}"), value(column.value), percent(beyond), beyond)
        }
        Aim::AheadOf(peers) => {
            let ratio = column.ratio?;
            let peers = rows.iter().filter(|peer| {
                peers.contains(&&*peer.subject)
                    && (&peer.table, &peer.work) == (&row.table, &row.work)
            });
            let of = |row: &Row| {
                let column = row.columns.iter().find(|one| one.name == column.name)?;
                Some((column.ratio?.median, row.subject.clone()))
            };
            let (limit, peer) =
                peers.filter_map(of).min_by(|one, other| one.0.total_cmp(&other.0))?;
            let beyond = share(ratio.median, limit);
            let limit = format!("< {limit:.2} ×, {peer}");
            (limit, times(ratio), percent(beyond), beyond)
        }
    };
    let Row { table, work, .. } = row;
    Some(Outcome {
        what: format!("{work}, {table}: {}", column.name),
        limit,
        measured,
        beyond,
        missed: by,
        why: match target.column {
            // The time has the sentences without a column.
            None | Some("CPU, µs") => texts::where_the_time_goes(area.name, table, work),
            Some(column) => {
                texts::where_the_time_goes(area.name, &format!("{column}: {table}"), work)
            }
        },
    })
}

fn percent(beyond: f64) -> String {
    format!("{beyond:.0} %")
}

/// A limit without digits after the point, if it has none.
fn whole(limit: f64) -> String {
    if limit.fract() == 0.0 { format!("{limit:.0}") } else { limit.to_string() }
}

#[cfg(test)]
mod tests {
    use cloakroom_bench::Sample;

    use super::*;
    use crate::summary;

    fn rows() -> Vec<Row> {
        let sample = |subject, cpu, allocations| {
            let sample = Sample::new("500 bytes", "write", subject, "raw", 0).with("CPU, µs", cpu);
            sample.with("allocations", allocations)
        };
        summary::rows(&[
            sample("raw", 10.0, 5.0),
            sample("ours", 26.0, 12.0),
            sample("peer", 24.0, 1.0),
        ])
    }

    fn target(column: Option<&'static str>, aim: Aim) -> Target {
        let what = "a write";
        let (table, work) = (Some("500"), Some("write"));
        Target { point: 1, what, area: "http", table, work, subject: "ours", column, aim }
    }

    #[test]
    fn a_target_is_reached_or_missed_by_so_much() {
        let rows = rows();
        let compare = |column, aim| {
            let outcome = outcome(&target(column, aim), &AREAS[0], &rows[1], &rows).unwrap();
            format!("{} | {} | {}", outcome.limit, outcome.measured, outcome.missed)
        };
        let is_missed = |column, aim| {
            outcome(&target(column, aim), &AREAS[0], &rows[1], &rows).unwrap().is_missed()
        };
        assert_eq!(compare(None, Aim::Ratio(1.3)), "≤ 1.3 × raw | 2.60 (2.60–2.60) × | 100 %");
        assert_eq!(compare(Some("allocations"), Aim::Over(4.0)), "≤ 4 more than raw | 7.00 | 3.00");
        assert_eq!(compare(None, Aim::AtMost(20.0)), "≤ 20 | 26.0 | 30 %");
        assert_eq!(compare(None, Aim::AtLeast(52.0)), "≥ 52 | 26.0 | 50 %");
        let ahead = Aim::AheadOf(&["peer"]);
        assert_eq!(compare(None, ahead), "< 2.40 ×, peer | 2.60 (2.60–2.60) × | 8 %");
        for aim in [Aim::Ratio(2.6), Aim::AtMost(26.0), Aim::AtLeast(26.0)] {
            assert!(!is_missed(None, aim));
        }
        assert!(!is_missed(Some("allocations"), Aim::Over(7.0)));
    }

    #[test]
    fn a_line_has_the_row_that_is_nearest_to_the_limit() {
        let outcome = |place: &str, beyond| Outcome {
            what: place.to_owned(),
            limit: "≤ 1".to_owned(),
            measured: "2".to_owned(),
            beyond,
            missed: "5 %".to_owned(),
            why: "",
        };
        let outcomes = [outcome("far", -9.0), outcome("beyond", 5.0), outcome("near", -1.0)];
        let line = |outcomes| summarise(&target(None, Aim::Ratio(1.0)), outcomes).unwrap();
        assert_eq!(line(&outcomes), "| 1 | a write | ≤ 1 | 2 of 3 | 2 | beyond |");
        assert_eq!(line(&outcomes[1..2]), "| 1 | a write | ≤ 1 | missed by 5 % | 2 | beyond |");
        assert_eq!(line(&outcomes[..1]), "| 1 | a write | ≤ 1 | yes | 2 | far |");
        assert!(summarise(&target(None, Aim::Ratio(1.0)), &[]).is_none());
    }
}
