//! `cargo xtask chaos`: the runs of the targets that are asked for, and their reports.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::{env, fs, path::PathBuf, process::ExitCode};

use cloakroom_chaos::{
    check::{Findings, Limits, check},
    history::History,
    process,
    report::{Report, table},
    run::{Options, run},
    target::{Failure, TARGETS, start},
};

const USAGE: &str = "\
Usage: cargo xtask chaos [--seconds N] [--store NAME_OR_URL]... [--seed S] [--json FILE] [--history FOLDER]

  --seconds N   how long each run takes: 120 if not given
  --store       a target by its name, or the URL of a server, whose network alone is harmed; all targets if not given
  --seed S      the seed of the faults
  --json FILE   writes the reports there
  --history F   writes what each run has seen to a file in that folder

       cargo xtask chaos check FILE

  checks such a file again, but for the times that calls took";

struct Arguments {
    options: Options,
    stores: Vec<String>,
    json: Option<PathBuf>,
    histories: Option<PathBuf>,
}

fn arguments(words: impl Iterator<Item = String>) -> Result<Arguments, Failure> {
    let seed = fastrand::u64(..1_000_000);
    let options = Options { program: env::current_exe()?, seconds: 120, seed, history: None };
    let mut arguments = Arguments { options, stores: Vec::new(), json: None, histories: None };
    let mut words = words;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n\n{USAGE}"));
        let number = |text: String| {
            text.parse::<u64>().map_err(|_| format!("{word}: {text:?} must be a number"))
        };
        match &*word {
            "--seconds" => arguments.options.seconds = number(value()?)?,
            "--seed" => arguments.options.seed = number(value()?)?,
            "--store" => arguments.stores.push(value()?),
            "--json" => arguments.json = Some(value()?.into()),
            "--history" => arguments.histories = Some(value()?.into()),
            _ => return Err(format!("no such option: {word:?}\n\n{USAGE}").into()),
        }
    }
    if arguments.stores.is_empty() {
        arguments.stores = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    }
    Ok(arguments)
}

fn runs(arguments: &Arguments) -> Result<Vec<Report>, Failure> {
    let mut reports = Vec::new();
    for (number, name) in arguments.stores.iter().enumerate() {
        let mut options = arguments.options.clone();
        options.history = arguments.histories.as_ref().map(|folder| {
            // A URL can contain a password, and characters that the name of a file cannot.
            let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '-');
            let name = if is_name { name.clone() } else { number.to_string() };
            folder.join(format!("{name}.json"))
        });
        let mut target = start(name)?;
        let name = name.split("://").next().unwrap_or_default();
        println!("{name}: {} s with the seed {}", options.seconds, options.seed);
        let report = run(name, &mut *target, &options)?;
        for violation in &report.violations {
            println!("{name}: {:?} of {}: {}", violation.kind, violation.sid, violation.what);
        }
        reports.push(report);
    }
    Ok(reports)
}

/// Checks a history again. Returns the number of violations.
fn check_again(path: &str) -> Result<usize, Failure> {
    let history: History = serde_json::from_slice(&fs::read(path)?)?;
    let findings = check(&history, &Limits::default());
    for violation in &findings.violations {
        println!("{:?} of {}: {}", violation.kind, violation.sid, violation.what);
    }
    let Findings { violations, undecided, sessions } = &findings;
    println!("{sessions} sessions, {undecided} undecided, {} violations", violations.len());
    Ok(violations.len())
}

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let first = words.next();
    let result = match first.as_deref() {
        Some("worker") => process::work(&words.next().unwrap_or_default()).map(|()| 0),
        Some("check") => check_again(&words.next().unwrap_or_default()),
        Some("--help" | "-h" | "help") => {
            println!("{USAGE}");
            Ok(0)
        }
        _ => (|| {
            let arguments = arguments(first.into_iter().chain(words))?;
            let reports = runs(&arguments)?;
            println!("\n{}", table(&reports));
            if let Some(path) = &arguments.json {
                fs::write(path, serde_json::to_string_pretty(&reports)? + "\n")?;
            }
            Ok(reports.iter().map(|report| report.violations.len()).sum())
        })(),
    };
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("chaos: {failure}");
            ExitCode::from(2)
        }
    }
}
