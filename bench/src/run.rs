//! Builds and runs areas, and keeps what they measured.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cloakroom_bench::Sample;
use serde::{Deserialize, Serialize};

use crate::{Wanted, areas::Area, summary, summary::Row};

/// The folder of this workspace.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What an area measured last.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    pub(crate) rounds: u32,
    pub(crate) quick: bool,
    pub(crate) seconds: u64,
    pub(crate) rows: Vec<Row>,
    /// How long each table took, with what was started and stored for it.
    #[serde(skip)]
    pub(crate) tables: Vec<(String, Duration)>,
}

/// Builds the program of an area. Each is built alone, so that none has the features that others ask for.
pub(crate) fn build(area: &Area) -> Result<(), String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", &area.package()])
        .current_dir(folder())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} cannot be built: {status}", area.package())),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}

/// Runs an area, or the part that is wanted, and returns what it measured.
pub(crate) fn run(area: &Area, wanted: &Wanted) -> Result<Measured, String> {
    let began = Instant::now();
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut program = Command::new(this.with_file_name(area.package()));
    program.args(wanted.quick.then_some("--quick"));
    for (option, value) in [("--rounds", &wanted.rounds), ("--only", &wanted.only)] {
        program.args(value.iter().flat_map(|value| [option, value]));
    }
    let cannot = |error| format!("cannot run {}: {error}", area.package());
    let mut child = program.stdout(Stdio::piped()).spawn().map_err(cannot)?;
    let (mut samples, mut tables) = (Vec::<Sample>::new(), Vec::new());
    let mut before = began;
    let output = child.stdout.take().ok_or("the output is piped")?;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let sample: Sample =
            serde_json::from_str(&line).map_err(|_| format!("no sample: {line}"))?;
        eprint!(
            "\r{}: round {} · {} · {:<60}",
            area.name,
            sample.round + 1,
            sample.table,
            sample.subject
        );
        let took = before.elapsed();
        before += took;
        add(&mut tables, &sample.table, took);
        samples.push(sample);
    }
    let status = child.wait().map_err(cannot)?;
    if !status.success() {
        return Err(format!("{} failed: {status}", area.package()));
    }
    if samples.is_empty() {
        let part = wanted.only.as_deref().unwrap_or_default();
        return Err(format!(
            "no part {part:?} in the area {}: write it as in \"SQLite, 20 KB, get\"",
            area.name
        ));
    }
    let seconds = began.elapsed().as_secs();
    eprintln!("\r{}: {seconds} s{:<90}", area.name, "");
    let rounds = samples.iter().map(|sample| sample.round + 1).max().unwrap_or_default();
    let rows = summary::rows(&samples);
    let measured = Measured { rounds, quick: wanted.quick, seconds, rows, tables };
    // A part does not replace what was measured of the whole.
    if wanted.only.is_none() {
        keep(area, &measured)?;
    }
    Ok(measured)
}

/// Adds to the time of a table.
fn add(tables: &mut Vec<(String, Duration)>, table: &str, took: Duration) {
    match tables.iter_mut().find(|(name, _)| name == table) {
        Some((_, time)) => *time += took,
        None => tables.push((table.to_owned(), took)),
    }
}

fn keep(area: &Area, result: &Measured) -> Result<(), String> {
    let text = serde_json::to_string(result).map_err(|error| error.to_string())?;
    let file = kept_file(area)?;
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// What the area measured when it ran last, or nothing if it has never run here.
pub(crate) fn kept(area: &Area) -> Option<Measured> {
    serde_json::from_str(&fs::read_to_string(kept_file(area).ok()?).ok()?).ok()
}

fn kept_file(area: &Area) -> Result<PathBuf, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    Ok(this.with_file_name(format!("{}.json", area.package())))
}
