//! Lists the public API of crates, each in a file, or compares it with these files.
//!
//! It reads the sources, and neither compiles them nor asks rustdoc: a listing is the same with every toolchain.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod attributes;
mod check;
mod diff;
mod expand;
mod listing;
mod names;
mod print;
mod public;
mod signature;
mod source;
#[cfg(test)]
mod tests;

use std::{env, path::PathBuf, process::ExitCode};

const USAGE: &str = "\
Usage: xtask-api [--check] FOLDER NAME=CRATE:FEATURES...
for instance: xtask-api docs/api cloakroom-core=crates/cloakroom-core:axum,encryption";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let only_checks = arguments.first().is_some_and(|first| first == "--check");
    if only_checks {
        arguments.remove(0);
    }
    let result = match arguments.split_first() {
        Some((folder, crates)) if !crates.is_empty() => crates
            .iter()
            .map(|one| parse(one).ok_or_else(|| format!("unexpected argument {one:?}\n{USAGE}")))
            .collect::<Result<Vec<_>, _>>()
            .and_then(|crates| check::run(&PathBuf::from(folder), &crates, only_checks)),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(message) => {
            println!("{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(argument: &str) -> Option<check::Crate> {
    let (name, rest) = argument.split_once('=')?;
    let (folder, features) = rest.rsplit_once(':')?;
    let features = features.split(',').filter(|feature| !feature.is_empty());
    Some(check::Crate {
        name: name.to_owned(),
        folder: folder.into(),
        features: features.map(str::to_owned).collect(),
    })
}
