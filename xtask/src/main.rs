//! `cargo xtask test | ci | api | features | package | bench | chaos | sizes | table | picture | npm-report`: sets up what is missing, then runs.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod api;
mod bench;
mod chaos;
mod ci;
mod command;
mod crates;
mod debian;
mod failures;
mod in_memory;
mod leaks;
mod mongod;
mod npm;
mod package;
mod programs;
mod setup;
mod task;
mod total;
mod used;
mod valkey;
mod wheel;

use std::{env, process::ExitCode};

const USAGE: &str = "\
Usage: cargo xtask COMMAND [ARGUMENTS]

Commands:
  test [ARGUMENTS]   install what the tests need and is missing, then run all of them, those with servers too
  ci [STEP...]       all of these steps, or those that are named: format, api, lints, docs, features, packages,
                     instructions, quickstart, tests
  api [--check]      write the listings of the public API, `docs/api`, or only check that they are true
  features           check each crate without features and with each feature alone
  package            build each crate from its package, and an application on top of the packages
  bench [quick] [AREA...] [--rounds N] [--json] [--write]
                     install what is missing, then measure cloakroom beside its peers: http, store, record, bridge,
                     memory, scale; `--write` writes docs/performance.md
  bench [quick] store --only PART [--rounds N] [--json]
                     the same for a part of the stores, such as SQLite, or \"SQLite, 20 KB, get\"
  bench instructions [--accept]
                     count the instructions of some operations, and fail if they are 5 % more than accepted
  chaos [--seconds N] [--store NAME_OR_URL]... [--seed S] [--json FILE] [--history FOLDER]
                     install what is missing, then let Rust and Node.js use each store while its server is harmed, and
                     check what they saw
  sizes [COUNT]      install what is missing, let the npm stores write COUNT sessions of 500 bytes, 200,000 if not given,
                     and print what the servers need for each
  table              install what is missing, run the suite on every store, and write the README's table of stores
  picture            install what is missing, run `cloakroom check` on the stores, and draw docs/check.svg
  npm-report [STORE...|none]
                     install what is missing, run the suite on the session stores of npm, or on some of them, and write
                     docs/npm-stores.md

ARGUMENTS go to `cargo test`, for instance:
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
        ("bench", arguments) => bench::bench(arguments),
        ("chaos", arguments) => chaos::chaos(arguments),
        ("sizes", arguments) => task::sizes(arguments),
        ("table", []) => task::table(),
        ("picture", []) => task::picture(),
        ("npm-report", stores) => task::npm_report(stores),
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
