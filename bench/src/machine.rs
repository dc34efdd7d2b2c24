//! The machine and the versions.

use std::{fs, path::PathBuf, process::Command};

use cloakroom_test_support::{Kind, Pg, find_mongod};

use crate::run::folder;

/// What is named, from `Cargo.lock`.
const CRATES: &[&str] = &[
    "actix-session",
    "axum",
    "axum_session",
    "dashmap",
    "memcache",
    "moka",
    "mongodb",
    "redis",
    "salvo-express-session",
    "serde_json",
    "sonic-rs",
    "sqlx",
    "tower-sessions",
    "tower-sessions-memory-store",
    "tower-sessions-mongodb-store",
    "tower-sessions-redis-store",
];

/// And from `package-lock.json`.
const NPM: &[&str] =
    &["connect-memcached", "connect-mongo", "connect-redis", "express", "express-session"];

/// A list in Markdown.
pub(crate) fn describe() -> String {
    let mut lines = vec![format!("- {}", machine())];
    let path = |found: Option<PathBuf>| found.map(|path| path.to_string_lossy().into_owned());
    let (mongod, postgres) = (path(find_mongod()), path(Pg::find()));
    let programs = [
        ("rustc", "--version"),
        ("node", "--version"),
        ("redis-server", "--version"),
        ("memcached", "--version"),
        (mongod.as_deref().unwrap_or("mongod"), "--version"),
        (postgres.as_deref().unwrap_or("postgres"), "--version"),
        ("wrk", "--version"),
    ];
    let programs = programs.iter().filter_map(|(program, option)| version(program, option));
    lines.push(format!("- {}", programs.collect::<Vec<_>>().join(", ")));
    let lock = fs::read_to_string(folder().join("Cargo.lock")).unwrap_or_default();
    let crates = CRATES.iter().filter_map(|name| crate_version(&lock, name));
    lines.push(format!("- crates: {}", crates.collect::<Vec<_>>().join(", ")));
    let lock = fs::read_to_string(folder().join("node/package-lock.json")).unwrap_or_default();
    let packages = NPM.iter().filter_map(|name| npm_version(&lock, name));
    lines.push(format!("- npm packages: {}", packages.collect::<Vec<_>>().join(", ")));
    lines.join("\n")
}

fn machine() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = read("/proc/meminfo");
    let kilobytes = memory.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok());
    format!(
        "{cores} cores of {}, {} GB of memory, Linux {}",
        model.map_or("an unknown processor", |(_, model)| model),
        kilobytes.unwrap_or_default() / 1_000_000,
        // What follows the version is the builder's own.
        read("/proc/sys/kernel/osrelease").trim().split('-').next().unwrap_or_default()
    )
}

/// The program and the first number in what it prints.
fn version(program: &str, option: &str) -> Option<String> {
    let output = Command::new(program).arg(option).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let words = text.split(|c: char| c.is_whitespace() || c == '=' || c == ',');
    let mut numbers = words.map(|word| word.trim_start_matches('v'));
    let number = numbers
        .find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(format!("{} {number}", program.rsplit('/').next()?))
}

/// `name version`, with all versions if there are several.
fn crate_version(lock: &str, name: &str) -> Option<String> {
    let packages =
        lock.split("[[package]]").filter(|text| text.contains(&format!("name = \"{name}\"\n")));
    let versions = packages.filter_map(|text| text.split("version = \"").nth(1)?.split('"').next());
    let versions: Vec<&str> = versions.collect();
    (!versions.is_empty()).then(|| format!("{name} {}", versions.join(" and ")))
}

fn npm_version(lock: &str, name: &str) -> Option<String> {
    let package = lock.split(&format!("\"node_modules/{name}\": {{")).nth(1)?;
    Some(format!("{name} {}", package.split("\"version\": \"").nth(1)?.split('"').next()?))
}
