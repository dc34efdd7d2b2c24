//! The area `memory`: how much memory many sessions take, and what a call costs, with one thread and with two.
//!
//! Each subject runs in a process of its own in each round, so that it begins with an empty heap: this program with
//! the arguments `measure SUBJECT SESSIONS MILLISECONDS`.

mod expiry;
mod sessions;
mod threads;

use std::{collections::BTreeMap, env, fs, process::Command};

use cloakroom_bench::{Options, Sample, documents};

use crate::sessions::{Sessions, key};

/// Each session's record, as large as the others are that we measure.
const BYTES: usize = 500;

const PAYLOAD: &str = "the record and its id";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [command, subject, number, millis] = &*arguments
        && command == "measure"
    {
        let number = number.parse().expect("a number of sessions");
        return measure(subject, number, millis.parse().expect("a number of milliseconds"));
    }
    let options = Options::from_arguments();
    let number = if options.quick { 100_000 } else { 1_000_000 };
    let millis = if options.quick { 150 } else { 500 };
    for round in 0..options.rounds {
        for subject in sessions::SUBJECTS {
            let measured = in_own_process(subject, number, millis);
            samples(subject, number, round, &measured);
        }
    }
}

/// What a process measured, by name.
fn in_own_process(subject: &str, number: usize, millis: u64) -> BTreeMap<String, f64> {
    let this = env::current_exe().expect("this program has a path");
    let mut command = Command::new(this);
    command.args(["measure", subject, &number.to_string(), &millis.to_string()]);
    let output = command.output().expect("this program can be started");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{subject}: {error}");
    serde_json::from_slice(&output.stdout).expect("it prints an object")
}

fn samples(subject: &str, number: usize, round: u32, measured: &BTreeMap<String, f64>) {
    let table = format!("{number} sessions of {BYTES} bytes");
    let sample = |work, base| Sample::new(&table, work, subject, base, round);
    let memory = "resident memory";
    sample(memory, PAYLOAD).with("bytes per session", measured["bytes"]).print();
    if subject == sessions::SUBJECTS[0] {
        let payload = (BYTES + key(0).len()) as f64;
        Sample::new(&table, memory, PAYLOAD, PAYLOAD, round)
            .with("bytes per session", payload)
            .print();
    }
    for work in ["set", "get", "touch"] {
        let Some(one) = measured.get(&format!("{work} 1")) else { continue };
        let mut sample = sample(work, sessions::BASE).with("ns per call", *one);
        if let Some(two) = measured.get(&format!("{work} 2")) {
            sample = sample.with("calls by two threads, × one", one / two);
        }
        sample.print();
    }
    if let Some(worst) = measured.get("worst") {
        sample("get, after all have expired at once", sessions::BASE)
            .with("longest call, µs", *worst)
            .print();
    }
}

/// Prints what one subject takes.
fn measure(name: &str, number: usize, millis: u64) {
    let text = documents::session(BYTES, "2099-01-01T00:00:00.000Z");
    let sessions: Box<dyn Sessions> = sessions::open(name, number, &text);
    let mut measured = BTreeMap::new();
    let before = resident();
    let began = std::time::Instant::now();
    for at in 0..number {
        sessions.set(at);
    }
    measured.insert("set 1".to_owned(), began.elapsed().as_nanos() as f64 / number as f64);
    sessions.settle();
    measured.insert("bytes".to_owned(), (resident() - before) / number as f64);
    for threads in [1, 2] {
        let get = threads::run(threads, millis, number, |at| assert!(sessions.get(at)));
        let touch = threads::run(threads, millis, number, |at| assert!(sessions.touch(at)));
        measured.insert(format!("get {threads}"), get);
        measured.insert(format!("touch {threads}"), touch);
    }
    drop(sessions);
    if let Some(worst) = expiry::longest_call(name, number, &text) {
        measured.insert("worst".to_owned(), worst);
    }
    println!("{}", serde_json::to_string(&measured).expect("numbers are JSON"));
}

/// The memory that this process has, in bytes.
fn resident() -> f64 {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: f64 =
        pages.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number of pages");
    pages * 4_096.0
}
