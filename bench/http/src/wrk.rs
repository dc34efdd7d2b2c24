//! `wrk`, which sends the requests.

use std::{collections::HashMap, path::Path, process::Command};

use cloakroom_bench::cpu;

/// What `wrk` saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers {
    pub(crate) number: f64,
    pub(crate) per_second: f64,
    /// The time to the answer, in microseconds: of half of the requests at most, and of 99 %.
    pub(crate) half: f64,
    pub(crate) most: f64,
}

/// Sends requests for some seconds, each with the next cookie of the file, or without any. All must succeed. If none was
/// answered in that time, as may happen on a busy machine, it takes twice the time, and so on.
pub(crate) fn run(
    port: u16,
    path: &str,
    cookies: Option<&Path>,
    connections: usize,
    seconds: u32,
) -> Answers {
    let times = (0..6).map(|doubled| seconds << doubled);
    let mut answers = times.map(|seconds| run_once(port, path, cookies, connections, seconds));
    answers.find(|answers| answers.number > 0.0).expect("the server answers at last")
}

fn run_once(
    port: u16,
    path: &str,
    cookies: Option<&Path>,
    connections: usize,
    seconds: u32,
) -> Answers {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("wrk.lua");
    let mut wrk = cpu::on_core(cpu::OTHERS, "wrk");
    wrk.args(["--threads", "1", "--connections", &connections.to_string(), "--latency"])
        // A slow answer is measured. It does not count as a failure.
        .args(["--timeout", "60s"])
        .args(["--duration", &format!("{seconds}s")])
        .arg("--script")
        .arg(script)
        .arg(format!("http://127.0.0.1:{port}"))
        .env("PATH_TO_ASK", path)
        .env("COOKIES", cookies.unwrap_or(Path::new("")));
    let output = output(&mut wrk);
    let line = output.lines().find_map(|line| line.strip_prefix("RESULT "));
    let line = line.unwrap_or_else(|| panic!("wrk says: {output}"));
    let numbers: HashMap<&str, f64> = line
        .split(' ')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, number)| (name, number.parse().expect("wrk.lua prints numbers")))
        .collect();
    assert!(numbers["failed"] == 0.0, "requests failed: {line}");
    Answers {
        number: numbers["requests"],
        per_second: numbers["requests"] / numbers["duration"] * 1e6,
        half: numbers["half"],
        most: numbers["most"],
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("wrk is installed");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
