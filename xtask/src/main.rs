//! `cargo xtask test | ci | api | features | package | bench | table`: sets up what is missing, then runs.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod api;
mod ci;
mod command;
mod crates;
mod debian;
mod mongod;
mod npm;
mod package;
mod setup;
mod task;
mod total;

use std::{env, process::ExitCode};

const USAGE: &str = "\
Usage: cargo xtask COMMAND [ARGUMENTS]

Commands:
  test [ARGUMENTS]   install what the tests need and is missing, then run all of them, those with servers too
  ci [STEP...]       all of these steps, or those that are named: format, api, lints, docs, features, packages,
                     quickstart, tests
  api [--check]      write the listings of the public API, `docs/api`, or only check that they are true
  features           check each crate without features and with each feature alone
  package            build each crate from its package, and an application on top of the packages
  bench [ARGUMENTS]  install what is missing, then run all benchmarks
  table              install what is missing, run the suite on every store, and write the README's table of stores

ARGUMENTS go to `cargo test` or `cargo bench`, for instance:
  cargo xtask test -p cloakroom-redis touch";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    // `cargo xtask test -- -p x` means the same as `cargo xtask test -p x`.
    let arguments = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(&arguments);

    let result = match (command.as_str(), arguments) {
        ("test", arguments) => task::test(arguments),
        ("ci", steps) => ci::ci(steps),
        ("api", []) => api::write(),
        ("api", [option]) if option == "--check" => api::check(),
        ("features", []) => package::features(),
        ("package", []) => package::package(),
        ("bench", arguments) => task::bench(arguments),
        ("table", []) => task::table(),
        ("" | "help" | "--help" | "-h", _) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(command::Failure::new(format!("no such command: {command:?}\n\n{USAGE}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            failure.exit_code()
        }
    }
}
