//! The tasks: `test`, `ci` and `bench`.

use std::{env, fs, path::Path, process::Command};

use crate::{
    command::{Failure, command, root, run, run_and_look},
    setup,
    total::Total,
};

/// Installs what is missing and runs every test, also those that need a server.
pub(crate) fn test(arguments: &[String]) -> Result<(), Failure> {
    setup::install_missing()?;
    let mut parts = arguments.splitn(2, |argument| argument == "--");
    let (for_cargo, for_tests) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut test = cargo(&["test", "--all-features", "--no-fail-fast"]);
    if !for_cargo
        .iter()
        .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
    {
        test.arg("--workspace");
    }
    test.args(for_cargo).args(["--", "--include-ignored"]).args(for_tests);
    let mut total = Total::default();
    let result = run_and_look(&mut test, |line| total.add(line));
    println!("{total}");
    result
}

/// Everything that a change has to pass. The tests come last, so that the output ends with their results.
///
/// The features are the same in each step: dependencies are checked once and built once.
pub(crate) fn ci() -> Result<(), Failure> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    run(cargo(&["doc", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    run(&mut cargo(&["run", "--all-features", "--example", "quickstart"]))?;
    test(&[])
}

/// Installs what is missing and runs the benchmarks of every crate that has a folder `benches`.
pub(crate) fn bench(arguments: &[String]) -> Result<(), Failure> {
    setup::install_missing()?;
    let mut bench = cargo(&["bench", "--all-features"]);
    for package in packages_with_benches()? {
        bench.args(["--package", &package]);
    }
    if bench.get_args().len() == 2 {
        return Err(Failure::new("no crate has a folder `benches`"));
    }
    run(bench.args(arguments))
}

fn packages_with_benches() -> Result<Vec<String>, Failure> {
    let failure = |error| Failure::new(format!("cannot read the folder of the crates: {error}"));
    let mut folders = vec![root().join("compat")];
    for entry in fs::read_dir(root().join("crates")).map_err(failure)? {
        folders.push(entry.map_err(failure)?.path());
    }
    folders.sort();
    folders
        .iter()
        .filter(|folder| folder.join("benches").is_dir())
        .map(|folder| package_name(folder))
        .collect()
}

fn package_name(folder: &Path) -> Result<String, Failure> {
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("no name in {}", manifest.display())))
}

/// The cargo that runs this program.
fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments);
    cargo
}
