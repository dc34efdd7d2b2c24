//! Resident memory of a process that does one thing: this program with the arguments `alone WHAT URL NUMBER`.

use std::{env, process, process::Command};

use cloakroom_bench::{cpu, memory};
use tokio::runtime::Runtime;

use crate::{all_sessions, in_flight};

/// Runs this program for one thing, and returns the numbers that it prints.
pub(crate) fn numbers(what: &str, url: &str, number: usize) -> Vec<f64> {
    let this = env::current_exe().expect("this program has a path");
    let mut command = Command::new(this);
    let output = command.args(["alone", what, url, &number.to_string()]).output();
    let output = output.expect("this program can be started");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {error}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(|number| number.parse().expect("it prints numbers")).collect()
}

/// Does what [`numbers`] asks for, if this is such a process.
pub(crate) fn is_alone() -> bool {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [alone, what, url, number] = &*arguments else { return false };
    if alone != "alone" {
        return false;
    }
    let number = number.parse().expect("a number");
    cpu::pin(process::id(), cpu::SUBJECT);
    let runtime = Runtime::new().expect("threads can be started");
    let numbers = match &**what {
        "all" => runtime.block_on(all_sessions::alone(url, number)),
        what => runtime.block_on(in_flight::alone(what, url, number)),
    };
    println!("{}", numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    true
}

/// How much more memory this process had at most than it had before.
pub(crate) struct More(f64);

impl More {
    pub(crate) fn begin() -> Self {
        memory::forget_most();
        Self(memory::of_process(process::id()))
    }

    /// In bytes. What follows counts anew.
    pub(crate) fn most(&self) -> f64 {
        let most = memory::most_of_process(process::id()) - self.0;
        memory::forget_most();
        most
    }
}
