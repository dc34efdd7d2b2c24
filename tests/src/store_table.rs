//! The README's table of stores: what the suite finds in each store on a real server, what is counted there, and what
//! other files of the project say.

mod column;
mod outcomes;
mod round_trips;
mod stores;
mod versions;

use std::{error::Error, fs, path::PathBuf};

use cloakroom_conformance::Outcome;

use self::{
    column::{Column, Row},
    outcomes::Outcomes,
};

/// The table stands between these lines of the README.
const BEGIN: &str = "<!-- The table of stores, made by `cargo xtask table`. -->\n\n";
const END: &str = "\n<!-- End of the table of stores. -->\n";
/// The row of the servers' versions.
const SERVER: &str = "tested with the server";

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What [`table`] makes.
#[derive(Debug)]
pub struct Made {
    /// The two tables in Markdown.
    pub table: String,
    /// Why each promise is broken that the tables name as one that is not kept; a line a promise.
    pub broken: String,
}

/// Starts a server of each kind, and several of the kinds that work together, counts round trips, runs the suite where
/// no store's own test runs it, and makes the two tables.
///
/// # Errors
///
/// What is missing, or does not work.
pub async fn table() -> Result<Made> {
    // Those on several servers mostly wait for elections.
    let both = (stores::columns(), stores::on_several_servers());
    let (columns, several) = tokio::try_join!(both.0, both.1)?;
    let packages: Vec<_> = columns.iter().filter_map(Column::package).collect();
    for store in crate::stores::stores()? {
        if !packages.contains(&&*store.package) {
            return Err(format!("{} has no column: add it to stores.rs", store.package).into());
        }
    }
    let mut broken: String =
        columns.iter().map(|column| why(column.name, &column.outcomes)).collect();
    broken.extend(several.iter().map(|setup| why(setup.name, &setup.outcomes)));
    let several: Vec<_> = several
        .iter()
        .map(|setup| Ok((setup.name, setup.rows(&columns)?)))
        .collect::<Result<_>>()?;
    let columns: Vec<_> = columns.iter().map(|column| (column.name, column.rows())).collect();
    let table = format!("{}\nOn several servers:\n\n{}", print(&columns), print(&several));
    Ok(Made { table, broken })
}

fn why(store: &str, outcomes: &Outcomes) -> String {
    let broken = outcomes.with(Outcome::Failed);
    broken.map(|promise| format!("{store}: `{}`: {}\n", promise.name, promise.reason)).collect()
}

/// The columns side by side; all have the same rows.
fn print(columns: &[(&str, Vec<Row>)]) -> String {
    let mut table = line("", columns.iter().map(|(name, _)| *name));
    table.push_str(&line("---", columns.iter().map(|_| "---")));
    let rows = columns.first().map_or(0, |(_, rows)| rows.len());
    for index in 0..rows {
        let cells = columns.iter().filter_map(|(_, rows)| rows.get(index));
        let name = cells.clone().next().map_or("", |row| &row.name);
        table.push_str(&line(name, cells.map(|row| &*row.cell)));
    }
    table
}

fn line<'a>(name: &str, cells: impl Iterator<Item = &'a str>) -> String {
    format!("| {name} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// A table without the servers' versions, which differ from one machine to the next: it names those that it was made with.
#[must_use]
pub fn but_for_versions(table: &str) -> String {
    let is_version = |c: char| c.is_ascii_digit() || c == '.';
    let lines = table.lines().map(|line| {
        if line.starts_with(&format!("| {SERVER} ")) {
            line.replace(is_version, "")
        } else {
            line.to_owned()
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// The README of the project.
#[must_use]
pub fn readme() -> PathBuf {
    root().join("README.md")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The table that stands in a README, and the README with another one in its place.
///
/// # Errors
///
/// When the lines around the table are not there.
pub fn replace(readme: &str, table: &str) -> Result<(String, String)> {
    let (before, rest) =
        readme.split_once(BEGIN).ok_or("the README lacks the line before the table")?;
    let (old, after) = rest.split_once(END).ok_or("the README lacks the line behind the table")?;
    Ok((old.to_owned(), [before, BEGIN, table, END, after].concat()))
}

/// Writes the table into the README, and returns why promises are broken, a line a promise.
///
/// # Errors
///
/// As [`table`] and [`replace`], and when the file cannot be written.
pub async fn write() -> Result<String> {
    let Made { table, broken } = table().await?;
    let (_, new) = replace(&fs::read_to_string(readme())?, &table)?;
    fs::write(readme(), new)?;
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_of_a_server_makes_no_other_table() {
        let table = |redis: &str, client: &str| {
            format!(
                "|  | memory | Redis |\n| {SERVER} | – | Redis {redis} |\n| client | – | {client} |\n"
            )
        };
        let comparable = |redis, client| but_for_versions(&table(redis, client));
        assert_eq!(comparable("7.0.15", "redis 1.8.1"), table("", "redis 1.8.1"));
        assert_eq!(comparable("7.0.15", "redis 1.8.1"), comparable("8.2.1", "redis 1.8.1"));
        assert_ne!(comparable("7.0.15", "redis 1.8.1"), comparable("7.0.15", "redis 1.8.2"));
    }
}
