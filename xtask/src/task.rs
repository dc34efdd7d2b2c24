//! The tasks: `test`, `sizes`, `table`, `picture` and `npm-report`.

use std::{env, process::Command};

use crate::{
    command::{Failure, command, run, run_and_look, target},
    leaks::Leaks,
    programs, setup,
    total::Total,
};

/// Installs what is missing and runs every test, also those that need a server.
pub(crate) fn test(arguments: &[String]) -> Result<(), Failure> {
    setup::install_for_tests()?;
    let left_out = if makes_namespaces() { &[][..] } else { IN_NAMESPACES };
    let skipped = left_out.iter().flat_map(|name| ["--skip".to_owned(), (*name).to_owned()]);
    // The output of tests that pass is looked at, and not shown.
    let mut for_tests = vec!["--include-ignored".to_owned(), "--show-output".to_owned()];
    for_tests.extend(skipped);
    // Most tests wait for servers and for sessions to expire, not for a processor.
    let threads = env::var("RUST_TEST_THREADS").unwrap_or_else(|_| "8".to_owned());

    let mut total = Total::default();
    let mut leaks = Leaks::default();
    let look = |line: &str| {
        total.add(line);
        leaks.look(line)
    };
    let result = if arguments.is_empty() {
        programs::run_all(&for_tests, &threads, look)
    } else {
        let mut parts = arguments.splitn(2, |argument| argument == "--");
        let mut test = cargo("test --all-features --no-fail-fast");
        workspace_or_packages(&mut test, parts.next().unwrap_or_default());
        test.arg("--").args(for_tests).args(parts.next().unwrap_or_default());
        run_and_look(test.env("RUST_TEST_THREADS", threads), look)
    };
    println!("{total}");
    for name in left_out {
        println!("Left out, since this system lets nobody make namespaces: {name}");
    }
    if leaks.is_empty() {
        return result;
    }
    println!("{leaks}");
    result.and(Err(Failure::new("the tests printed what must stay secret")))
}

/// Tests that take a network and a name server of their own, or a file system.
const IN_NAMESPACES: &[&str] =
    &["a_cluster_is_found_in_the_dns", "a_full_disk_is_full_and_the_old_record_stays"];

/// Whether they can have them: nothing that could be installed decides that, some containers forbid it.
fn makes_namespaces() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args("--user --map-root-user --mount --net sh -ec".split(' '));
    unshare.arg("ip link set lo up; mount --bind /dev/null /etc/resolv.conf");
    unshare.output().is_ok_and(|output| output.status.success())
}

/// Installs what is missing and writes the README's table of stores.
pub(crate) fn table() -> Result<(), Failure> {
    setup::install_for_tests()?;
    // With the features of the tests, which then need not be built again.
    run(&mut cargo("run --all-features --package cloakroom-tests --bin store_table"))
}

/// Installs what is missing, runs the command's `check` on the stores, and draws the README's picture of it.
pub(crate) fn picture() -> Result<(), Failure> {
    setup::install_for_tests()?;
    run(&mut cargo("build --all-features --package cloakroom-cli"))?;
    let program = target().join("debug/cloakroom");
    run(cargo("run --all-features --package cloakroom-tests --bin check_picture --").arg(program))
}

/// Installs what is missing and runs the suite on the stores of npm.
pub(crate) fn npm_report(stores: &[String]) -> Result<(), Failure> {
    setup::install_for_npm_report()?;
    run(cargo("run --all-features --package cloakroom-tests --bin npm_report --").args(stores))
}

/// Installs what is missing and prints what a session takes on each server.
pub(crate) fn sizes(arguments: &[String]) -> Result<(), Failure> {
    setup::install_for_tests()?;
    let mut program = cargo("run --all-features --package cloakroom-tests --bin sizes --");
    run(program.args(arguments))
}

/// Adds the arguments, and `--workspace` if they name no package.
fn workspace_or_packages(command: &mut Command, arguments: &[String]) {
    let mut options = arguments.iter().take_while(|argument| *argument != "--");
    if !options.any(|option| option.starts_with("-p") || option.starts_with("--package")) {
        command.arg("--workspace");
    }
    command.args(arguments);
}

/// The cargo that runs this program.
pub(crate) fn cargo(arguments: &str) -> Command {
    let mut cargo = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments.split(' '));
    cargo
}
