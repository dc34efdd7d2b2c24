//! The README's table of stores, made from what the suite reports of each of them on a real server.

use std::{fs, path::PathBuf, sync::Arc};

use cloakroom_conformance::{Outcome, Report, Subject, run};
use cloakroom_core::MemoryStore;
use cloakroom_memcached::MemcachedStore;
use cloakroom_mongodb::{MongoOptions, MongoStore};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_support::{Memcached, Mongod, RedisServer, unique};

/// The table stands between these lines of the README.
const BEGIN: &str = "<!-- The table of stores, made by `cargo xtask table`. -->\n\n";
const END: &str = "\n<!-- End of the table of stores. -->\n";

/// What the suite cannot tell, a row each: a name, and a cell a store.
const FACTS: &[(&str, [&str; 4])] = &[
    (
        "counterpart",
        ["–", "connect-redis 3, 4 to 10", "connect-memcached 1 to 3", "connect-mongo 3 to 6"],
    ),
    (
        "read and written with the real one",
        ["–", "6.1.3, 7.1.1, 10.0.0", "3.0.0", "4.6.0, 5.1.0, 6.0.0"],
    ),
    (
        "round trips an operation",
        [
            "0",
            "1",
            "1, and 1 more to tell the record of a conflict",
            "1, and 1 more to tell the record of a conflict",
        ],
    ),
    (
        "better than its counterpart",
        [
            "–",
            "[what it loses](crates/cloakroom-redis/README.md)",
            "[what it loses](crates/cloakroom-memcached/README.md)",
            "[what it loses](crates/cloakroom-mongodb/README.md)",
        ],
    ),
];

/// Starts a server of each kind, runs the suite on each store, and makes the table.
///
/// # Errors
///
/// What is missing, or which promise is broken.
pub async fn table() -> Result<String, String> {
    let redis = RedisServer::start().map_err(|error| error.to_string())?;
    let memcached = Memcached::start().map_err(|error| error.to_string())?;
    let mongod = Mongod::start().map_err(|error| error.to_string())?;
    Ok(print(&[
        ("memory", report((), |()| in_memory()).await),
        ("Redis", report(redis, on_redis).await),
        ("Memcached", report(memcached, on_memcached).await),
        ("MongoDB", report(mongod, on_mongod).await),
    ]))
}

async fn report<S: Send + Sync + 'static>(server: S, subject: fn(&S) -> Subject) -> Report {
    let server = Arc::new(server);
    run(move || {
        let server = Arc::clone(&server);
        async move { subject(&server) }
    })
    .await
}

fn print(reports: &[(&str, Report); 4]) -> String {
    let mut table = row("", reports.iter().map(|(name, _)| (*name).to_owned()));
    table.push_str(&row("---", reports.iter().map(|_| "---".to_owned())));
    let (_, first) = &reports[0];
    let mut groups: Vec<&str> = first.cases.iter().map(|case| case.group).collect();
    groups.dedup();
    for group in groups {
        let cells = reports.iter().map(|(_, report)| cell(report, group));
        table.push_str(&row(&format!("`{group}`"), cells));
    }
    for (name, cells) in FACTS {
        table.push_str(&row(name, cells.iter().map(|cell| (*cell).to_owned())));
    }
    table
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {name} | {} |\n", cells.join(" | "))
}

/// How many promises of a group are kept, which are not, and how many are not offered.
fn cell(report: &Report, group: &str) -> String {
    let cases: Vec<_> = report.cases.iter().filter(|case| case.group == group).collect();
    let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
    let mut parts = vec![format!("{} of {} kept", count(Outcome::Passed), cases.len())];
    parts.extend(
        cases
            .iter()
            .filter(|case| case.outcome == Outcome::Failed)
            .map(|case| format!("not `{}`", case.name)),
    );
    if count(Outcome::NotOffered) > 0 {
        parts.push(format!("{} not offered", count(Outcome::NotOffered)));
    }
    parts.join(", ")
}

fn in_memory() -> Subject {
    let store = MemoryStore::new();
    Subject::new(store.clone()).with_second_handle(store).with_neighbour(MemoryStore::new())
}

fn on_redis(server: &RedisServer) -> Subject {
    let open = |prefix: String| {
        let mut options = RedisOptions::default();
        options.prefix = prefix;
        RedisStore::open_with(&server.url(), options)
    };
    let name = unique("case");
    three(|part| open(format!("{name}{part}:")))
}

fn on_memcached(server: &Memcached) -> Subject {
    let name = unique("case");
    three(|part| {
        MemcachedStore::open(&format!("memcached://{}?prefix={name}{part}:", server.addr()))
    })
}

fn on_mongod(server: &Mongod) -> Subject {
    let name = unique("case");
    three(|part| {
        let mut options = MongoOptions::default();
        options.collection_name = format!("{name}{part}");
        MongoStore::open_with(&format!("{}/suite", server.url()), options)
    })
}

/// Two handles on the same sessions, and a neighbour of theirs.
fn three<S: cloakroom_core::Store + 'static>(
    open: impl Fn(&str) -> Result<S, cloakroom_core::Error>,
) -> Subject {
    let open = |part| open(part).expect("the URL of a server that was just started");
    Subject::new(open("")).with_second_handle(open("")).with_neighbour(open(".neighbour"))
}

/// The README of the project.
#[must_use]
pub fn readme() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

/// The table that stands in a README, and the README with another one in its place.
///
/// # Errors
///
/// When the lines around the table are not there.
pub fn replace(readme: &str, table: &str) -> Result<(String, String), String> {
    let (before, rest) =
        readme.split_once(BEGIN).ok_or("the README lacks the line before the table")?;
    let (old, after) = rest.split_once(END).ok_or("the README lacks the line behind the table")?;
    Ok((old.to_owned(), [before, BEGIN, table, END, after].concat()))
}

/// Writes the table into the README.
///
/// # Errors
///
/// As [`table`] and [`replace`], and when the file cannot be written.
pub async fn write() -> Result<(), String> {
    let text = fs::read_to_string(readme()).map_err(|error| error.to_string())?;
    let (_, new) = replace(&text, &table().await?)?;
    fs::write(readme(), new).map_err(|error| error.to_string())
}
