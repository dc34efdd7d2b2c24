//! `cargo xtask picture`: runs `cloakroom check` on real servers, and draws its matrix for the README, `docs/check.svg`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use cloakroom_test_support::{Memcached, Mongod, RedisServer};
use serde_json::Value;

type Failure = Box<dyn Error + Send + Sync>;

/// The length of a side of a promise's square, and the distance of two.
const SIDE: usize = 9;
const STEP: usize = 11;
/// How many squares stand beside each other in a cell.
const IN_A_ROW: usize = 12;
/// The width of the column with the groups, and of each other column.
const NAMES: usize = 150;
const COLUMN: usize = IN_A_ROW * STEP + 24;
/// The height of the two lines above the cells.
const HEAD: usize = 64;

fn main() -> ExitCode {
    match draw() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("picture: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn draw() -> Result<(), Failure> {
    let program = env::args_os().nth(1).ok_or("the path of the program `cloakroom` is missing")?;
    let (redis, memcached, mongod) = (RedisServer::start()?, Memcached::start()?, Mongod::start()?);
    let folder = tempfile::tempdir()?;
    let stores = [
        ("memory:", "memory:".to_owned()),
        ("file:", format!("file://{}", folder.path().display())),
        ("redis:", redis.url()),
        ("memcached:", memcached.url()),
        ("mongodb:", format!("{}/shop", mongod.url())),
    ];
    let output = Command::new(program)
        .args(["check", "--format", "json"])
        .args(stores.iter().map(|(_, url)| url))
        .output()?;
    let names = stores.map(|(name, _)| name);
    let report: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/check.svg");
    fs::write(&path, picture(&names, &report).ok_or("the report is not as expected")?)?;
    println!("written: docs/check.svg");
    Ok(())
}

/// Draws the groups downwards and the stores across, with a square for each promise. Returns `None` for a report that
/// lacks something.
fn picture(names: &[&str], report: &Value) -> Option<String> {
    let stores = report["stores"].as_array()?;
    let cases: Vec<&[Value]> = stores
        .iter()
        .map(|store| store["cases"].as_array().map(Vec::as_slice))
        .collect::<Option<_>>()?;
    let mut groups: Vec<&str> = Vec::new();
    for case in *cases.first()? {
        let group = case["group"].as_str()?;
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let width = NAMES + names.len() * COLUMN;
    let mut body = String::new();
    let mut y = HEAD;
    for (at, name) in names.iter().enumerate() {
        let x = NAMES + at * COLUMN;
        let kept = cases.get(at)?.iter().filter(|case| case["outcome"] == "passed").count();
        text(&mut body, x, 26, "name", name);
        text(&mut body, x, 44, "total", &format!("{kept} of {} kept", cases.get(at)?.len()));
    }
    for group in groups {
        let mut most = 0;
        text(&mut body, 16, y + SIDE, "group", group);
        for (at, cases) in cases.iter().enumerate() {
            let of_group = cases.iter().filter(|case| case["group"] == group);
            for (number, case) in of_group.enumerate() {
                let outcome = case["outcome"].as_str()?;
                let x = NAMES + at * COLUMN + number % IN_A_ROW * STEP;
                let y = y + number / IN_A_ROW * STEP;
                let title = format!("{}: {outcome}", case["name"].as_str()?);
                let _ = writeln!(
                    body,
                    r#"<rect class="{outcome}" x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" rx="2"><title>{}</title></rect>"#,
                    escaped(&title)
                );
                most = most.max(number / IN_A_ROW + 1);
            }
        }
        y += most * STEP + 8;
    }
    let legend = [("passed", "kept"), ("failed", "broken"), ("not_offered", "not offered")];
    for (at, (class, word)) in legend.into_iter().enumerate() {
        let x = NAMES + at * 110;
        let _ = writeln!(
            body,
            r#"<rect class="{class}" x="{x}" y="{}" width="{SIDE}" height="{SIDE}" rx="2"/>"#,
            y + 8
        );
        text(&mut body, x + 16, y + 8 + SIDE, "total", word);
    }
    let height = y + 36;
    Some(format!("{}{body}</svg>\n", head(width, height)))
}

fn head(width: usize, height: usize) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>The promises of a store, by groups, and which of them each store keeps: the result of `cloakroom check`</title>
<style>
text {{ font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #24292f }}
.name {{ font-weight: bold }}
.total {{ font-size: 11px; fill: #57606a }}
.passed {{ fill: #2da44e }}
.failed {{ fill: #cf222e; stroke: #82071e; stroke-width: 2 }}
.not_offered {{ fill: none; stroke: #afb8c1 }}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>
"##
    )
}

fn text(body: &mut String, x: usize, y: usize, class: &str, text: &str) {
    let _ = writeln!(body, r#"<text class="{class}" x="{x}" y="{y}">{}</text>"#, escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
