//! The area `memory`: how much memory many sessions take, and what a call costs, with one thread and with two.
//!
//! Each subject runs in a process of its own in each round, so that it begins with an empty heap: this program with
//! the arguments `measure SUBJECT SESSIONS MILLISECONDS`.

mod expiry;
mod sessions;
mod threads;

use std::{collections::BTreeMap, env, process, process::Command};

use cloakroom_bench::{Options, Sample, cpu, documents, memory};

use crate::sessions::{Sessions, key};

/// Each session's record, as large as the others are that we measure.
const BYTES: usize = 500;

const SESSIONS: usize = 1_000_000;

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
    let millis = if options.quick { 100 } else { 500 };
    for round in 0..options.rounds {
        for subject in sessions::SUBJECTS {
            let is_in_targets = [sessions::CLOAKROOM, sessions::BASE].contains(&subject);
            if !is_in_targets && !options.has_peers(round) {
                continue;
            }
            let measured = in_own_process(subject, SESSIONS, millis);
            samples(subject, SESSIONS, round, &measured);
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
    let work = "resident memory";
    sample(work, PAYLOAD).with("bytes per session", measured["bytes"]).print();
    if subject == sessions::SUBJECTS[0] {
        let payload = (BYTES + key(0).len()) as f64;
        Sample::new(&table, work, PAYLOAD, PAYLOAD, round)
            .with("bytes per session", payload)
            .print();
    }
    for work in ["set", "get", "touch"] {
        let Some(cpu) = measured.get(&format!("{work} CPU")) else { continue };
        let mut sample = sample(work, sessions::BASE).with("CPU, ns", *cpu);
        if let Some(gain) = measured.get(&format!("{work} gain")) {
            sample = sample.with("calls per second with two threads, × one", *gain);
        }
        sample.print();
    }
    for name in [expiry::BEFORE, expiry::AFTER] {
        if let Some(longest) = measured.get(name) {
            Sample::new(&table, "the longest of 20,000 calls of get", name, expiry::BEFORE, round)
                .with("CPU, µs", *longest)
                .print();
        }
    }
}

/// Prints what one subject takes.
fn measure(name: &str, number: usize, millis: u64) {
    let text = documents::session(BYTES, "2099-01-01T00:00:00.000Z");
    let sessions: Box<dyn Sessions> = sessions::open(name, number, &text);
    let mut measured = BTreeMap::new();
    let before = resident();
    let began = cpu::of_this_thread();
    for at in 0..number {
        sessions.set(at);
    }
    let set = (cpu::of_this_thread() - began).as_nanos() as f64 / number as f64;
    measured.insert("set CPU".to_owned(), set);
    sessions.settle();
    measured.insert("bytes".to_owned(), (resident() - before) / number as f64);
    let get = |at| assert!(sessions.get(at));
    let touch = |at| assert!(sessions.touch(at));
    let calls: [(&str, &(dyn Fn(usize) + Sync)); 2] = [("get", &get), ("touch", &touch)];
    for (work, call) in calls {
        let [one, two] = [1, 2].map(|threads| threads::run(threads, millis, number, call));
        measured.insert(format!("{work} CPU"), one.cpu);
        measured.insert(format!("{work} gain"), one.wall / two.wall);
    }
    drop(sessions);
    if name == sessions::CLOAKROOM {
        let [before, after] = expiry::longest_calls(number, &text);
        measured.insert(expiry::BEFORE.to_owned(), before);
        measured.insert(expiry::AFTER.to_owned(), after);
    }
    println!("{}", serde_json::to_string(&measured).expect("numbers are JSON"));
}

/// The memory that this process has, in bytes.
fn resident() -> f64 {
    memory::of_process(process::id())
}
