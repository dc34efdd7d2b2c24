//! The examples, run as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod browser;
mod clerk;
mod observe;
mod quickstart;
mod served;
mod swap_backends;

use std::{env, process::Command};

/// Runs an example to its end and returns what it printed. `cargo test --workspace` has built it, beside the folder of
/// this program.
fn run(name: &str, arguments: &[&str]) -> String {
    let folder = env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples");
    let path = folder.join(name);
    assert!(path.is_file(), "run `cargo build --all-features --workspace --examples` first");
    let output = Command::new(path).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
