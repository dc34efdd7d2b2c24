//! Plots that are text.

use std::fmt::Write;

use crate::{summary::Row, table::number};

/// The longest bar.
const WIDTH: f64 = 40.0;

/// A bar for each row, in the order in which they were measured, by the first column: for tables of how a cost grows.
pub(crate) fn plots(rows: &[&Row]) -> String {
    let values = rows.iter().filter_map(|row| row.columns.first());
    let most = values.map(|column| column.value.median).fold(0.0, f64::max);
    let names = rows.iter().map(|row| row.work.chars().count() + row.subject.chars().count() + 2);
    let longest = names.max().unwrap_or_default();
    let mut text = "\n```text\n".to_owned();
    // Those of one kind of work stand together.
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|row| rows.iter().position(|first| first.work == row.work));
    for row in sorted {
        let Some(column) = row.columns.first() else { continue };
        let name = format!("{}: {}", row.work, row.subject);
        let bar = "█".repeat((column.value.median / most * WIDTH).round() as usize);
        let unit = column.name.rsplit(' ').next().unwrap_or_default();
        let _ = writeln!(text, "{name:<longest$}  {bar} {} {unit}", number(column.value.median));
    }
    text + "```\n"
}

#[cfg(test)]
mod tests {
    use cloakroom_bench::Sample;

    use super::*;
    use crate::summary;

    #[test]
    fn the_longest_bar_is_the_largest_value() {
        let sample =
            |subject, value| Sample::new("t", "get", subject, "a", 0).with("CPU, µs", value);
        let rows = summary::rows(&[sample("a", 1.0), sample("bb", 2.0)]);
        let (short, long) = ("█".repeat(20), "█".repeat(40));
        let expected =
            format!("\n```text\nget: a   {short} 1.00 µs\nget: bb  {long} 2.00 µs\n```\n");
        assert_eq!(plots(&rows.iter().collect::<Vec<_>>()), expected);
    }
}
