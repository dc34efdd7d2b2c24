//! The tasks: `test` and `table`.

use std::{env, process::Command};

use crate::{
    command::{Failure, command, run, run_and_look},
    leaks::Leaks,
    setup,
    total::Total,
};

/// Installs what is missing and runs every test, also those that need a server.
pub(crate) fn test(arguments: &[String]) -> Result<(), Failure> {
    setup::install_for_tests()?;
    let mut parts = arguments.splitn(2, |argument| argument == "--");
    let (for_cargo, for_tests) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut test = cargo("test --all-features --no-fail-fast");
    workspace_or_packages(&mut test, for_cargo);
    // The output of tests that pass is looked at, and not shown.
    test.args(["--", "--include-ignored", "--show-output"]).args(for_tests);
    // Most tests wait for servers and for sessions to expire, not for a processor.
    if env::var_os("RUST_TEST_THREADS").is_none() {
        test.env("RUST_TEST_THREADS", "8");
    }
    let left_out = if makes_namespaces() { &[][..] } else { IN_NAMESPACES };
    test.args(left_out.iter().flat_map(|name| ["--skip", name]));
    let mut total = Total::default();
    let mut leaks = Leaks::default();
    let result = run_and_look(&mut test, |line| {
        total.add(line);
        leaks.look(line)
    });
    println!("{total}");
    for name in left_out {
        println!("Left out, since this system lets nobody make namespaces: {name}");
    }
    result?;
    if leaks.is_empty() { Ok(()) } else { Err(Failure::new(leaks.to_string())) }
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
