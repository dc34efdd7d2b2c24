//! The report in four formats.

use std::fmt::Write;

use cloakroom::conformance::{CaseReport, Outcome};
use comfy_table::{Cell, Color, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::json;

use super::Checked;
use crate::{args::ReportFormat, terminal::is_drawn};

pub(super) fn print(checked: &[Checked], format: ReportFormat) -> String {
    match format {
        ReportFormat::Table => table(checked),
        ReportFormat::Json => json(checked),
        ReportFormat::Junit => junit(checked),
        ReportFormat::Markdown => markdown(checked),
    }
}

/// The cases, each with its outcome in every store. The suite is the same for all.
fn rows(checked: &[Checked]) -> impl Iterator<Item = Vec<&CaseReport>> {
    let length = checked.first().map_or(0, |one| one.report.cases.len());
    (0..length).map(|at| checked.iter().filter_map(|one| one.report.cases.get(at)).collect())
}

fn failures(checked: &[Checked]) -> impl Iterator<Item = (&str, &CaseReport)> {
    checked
        .iter()
        .flat_map(|one| one.report.with_outcome(Outcome::Failed).map(|case| (&*one.name, case)))
}

/// How many promises a store keeps, and of how many.
fn total(one: &Checked) -> String {
    let passed = one.report.with_outcome(Outcome::Passed).count();
    format!("{passed} of {}", one.report.cases.len())
}

fn table(checked: &[Checked]) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    if !is_drawn() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    let names = checked.iter().map(|one| Cell::new(&one.name));
    table.set_header([Cell::new("promise")].into_iter().chain(names));
    for row in rows(checked) {
        let name = row.first().map_or("", |case| case.name);
        let cells = row.iter().map(|case| match case.outcome {
            Outcome::Passed => Cell::new("kept").fg(Color::Green),
            Outcome::Failed => Cell::new("BROKEN").fg(Color::Red),
            _ => Cell::new("–"),
        });
        table.add_row([Cell::new(name)].into_iter().chain(cells));
    }
    let totals = checked.iter().map(|one| Cell::new(total(one)));
    table.add_row([Cell::new("kept")].into_iter().chain(totals));
    let mut text = table.to_string();
    for (store, case) in failures(checked) {
        let reason = case.reason.as_deref().unwrap_or_default();
        let _ = write!(
            text,
            "\n\n{store}: {}\n  promise: {}\n  reason:  {reason}",
            case.name, case.promise
        );
    }
    text
}

fn json(checked: &[Checked]) -> String {
    let stores: Vec<_> =
        checked.iter().map(|one| json!({ "store": one.name, "cases": one.report.cases })).collect();
    json!({ "stores": stores }).to_string()
}

fn junit(checked: &[Checked]) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for one in checked {
        let count = |outcome| one.report.with_outcome(outcome).count();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
            escaped(&one.name),
            one.report.cases.len(),
            count(Outcome::Failed),
            count(Outcome::NotOffered)
        );
        for case in &one.report.cases {
            let reason = escaped(case.reason.as_deref().unwrap_or_default());
            let _ =
                write!(xml, "    <testcase classname=\"{}\" name=\"{}\"", case.group, case.name);
            let _ = match case.outcome {
                Outcome::Passed => writeln!(xml, "/>"),
                Outcome::Failed => writeln!(
                    xml,
                    "><failure message=\"{reason}\">{}</failure></testcase>",
                    escaped(case.promise)
                ),
                _ => writeln!(xml, "><skipped message=\"{reason} is not offered\"/></testcase>"),
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml + "</testsuites>"
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no way to write the others.
            '\n' | '\t' => escaped.push(' '),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

fn markdown(checked: &[Checked]) -> String {
    let names: Vec<&str> = checked.iter().map(|one| &*one.name).collect();
    let mut text =
        format!("| promise | {} |\n| --- |{}\n", names.join(" | "), " --- |".repeat(names.len()));
    for row in rows(checked) {
        let _ = write!(text, "| `{}` |", row.first().map_or("", |case| case.name));
        for case in row {
            text.push_str(match case.outcome {
                Outcome::Passed => " kept |",
                Outcome::Failed => " **broken** |",
                _ => " – |",
            });
        }
        text.push('\n');
    }
    let totals: Vec<String> = checked.iter().map(total).collect();
    let _ = write!(text, "| kept | {} |", totals.join(" | "));
    for (store, case) in failures(checked) {
        let reason = case.reason.as_deref().unwrap_or_default();
        let _ = write!(text, "\n- {store}, `{}`: {} ({reason})", case.name, case.promise);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_has_no_place_for_is_escaped() {
        assert_eq!(escaped("<a href=\"x\">&\u{1}\n"), "&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd} ");
    }
}
