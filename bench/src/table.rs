//! Tables in Markdown.

use std::fmt::Write;

use crate::{
    plot::plots,
    summary::{Row, Spread},
};

/// A table for each kind of data, with the works one below the other.
pub(crate) fn tables(rows: &[Row]) -> String {
    let mut text = String::new();
    for name in distinct(rows.iter().map(|row| &row.table)) {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.table == *name).collect();
        let _ = write!(text, "\n### {name}\n\n{}", table(&rows));
        if name.ends_with(" grows") {
            text += &plots(&rows);
        }
    }
    text
}

fn table(rows: &[&Row]) -> String {
    let columns = rows.iter().flat_map(|row| row.columns.iter().map(|column| &column.name));
    let columns = distinct(columns);
    let has_notes = rows.iter().any(|row| !row.note.is_empty());
    let names: Vec<&str> = columns.iter().map(|name| name.as_str()).collect();
    let mut text = format!("| | × base | {} |", names.join(" | "));
    text += if has_notes { " commands |\n" } else { "\n" };
    text += &"| --- ".repeat(columns.len() + 2 + usize::from(has_notes));
    text += "|\n";
    for work in distinct(rows.iter().map(|row| &row.work)) {
        let mut rows: Vec<&&Row> = rows.iter().filter(|row| row.work == *work).collect();
        let ratio = |row: &Row| row.columns.first().and_then(|column| column.ratio);
        rows.sort_by(|one, other| {
            let of = |row| ratio(row).map_or(f64::MAX, |ratio| ratio.median);
            of(one).total_cmp(&of(other))
        });
        let heading = rows.first().map(|row| format!("**{work}**, base: {}", row.base));
        let _ = writeln!(
            text,
            "| {} |",
            heading.unwrap_or_default() + &" |".repeat(columns.len() + 1 + usize::from(has_notes))
        );
        for row in rows {
            let compared = ratio(row).map_or_else(String::new, |ratio| {
                if row.subject == row.base { "1".to_owned() } else { with_spread(ratio) }
            });
            let name = if row.subject.starts_with("cloakroom") {
                format!("**{}**", row.subject)
            } else {
                row.subject.clone()
            };
            let _ = write!(text, "| {name} | {compared} |");
            for name in &columns {
                let value = row.columns.iter().find(|column| column.name == **name);
                let _ = write!(
                    text,
                    " {} |",
                    value.map_or_else(String::new, |column| number(column.value.median))
                );
            }
            text += &if has_notes { format!(" {} |\n", row.note) } else { "\n".to_owned() };
        }
    }
    text
}

/// `1.32 (1.28–1.35)`
pub(crate) fn with_spread(ratio: Spread) -> String {
    format!("{} ({}–{})", factor(ratio.median), factor(ratio.low), factor(ratio.high))
}

fn factor(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { number(value) }
}

/// Three digits that count, with commas between thousands.
pub(crate) fn number(value: f64) -> String {
    if value < 9.995 {
        return format!("{value:.2}");
    }
    if value < 99.95 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The names without those that came before.
fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut found: Vec<&String> = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use cloakroom_bench::Sample;

    use super::*;
    use crate::summary;

    #[test]
    fn numbers_have_three_digits() {
        let numbers = [0.123, 1.0, 9.999, 12.34, 123.4, 1_234.0, 1_234_567.0].map(number);
        assert_eq!(numbers, ["0.12", "1.00", "10.0", "12.3", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn a_table_has_a_line_for_each_subject_and_its_works() {
        let sample = |subject, value| {
            Sample::new("500 bytes", "get", subject, "raw", 0)
                .with("CPU, µs", value)
                .with_note("get 1")
        };
        let rows = summary::rows(&[sample("cloakroom", 12.0), sample("raw", 10.0)]);
        let expected = "\n### 500 bytes\n\n\
            | | × base | CPU, µs | commands |\n| --- | --- | --- | --- |\n\
            | **get**, base: raw | | | |\n| raw | 1 | 10.0 | get 1 |\n\
            | **cloakroom** | 1.20 (1.20–1.20) | 12.0 | get 1 |\n";
        assert_eq!(tables(&rows), expected);
    }
}
