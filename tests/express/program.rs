//! Programs of Node.js and npm that run to their end.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use cloakroom_test_support::{find_program, node_folder};

/// How long a program may take. Nothing here waits for a time, so it is for machines that are very slow.
const LONGEST: Duration = Duration::from_secs(1_200);

/// The folder of the npm package.
pub(crate) fn package_folder() -> PathBuf {
    node_folder().join("../../compat/express")
}

/// A program, such as `node`, that runs in a folder.
pub(crate) fn command(program: &str, folder: PathBuf, arguments: &[&str]) -> Command {
    let path = find_program(program).unwrap_or_else(|| panic!("{program} is not on the PATH"));
    let mut command = Command::new(path);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program to its end. One that hangs is killed, and the test fails.
pub(crate) fn run(mut command: Command) -> Output {
    let child = command.spawn().unwrap();
    let (id, (sender, receiver)) = (child.id(), mpsc::channel());
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(LONGEST) else {
        let _ = Command::new("/bin/sh").args(["-c", r#"kill -9 "$0""#, &id.to_string()]).status();
        panic!("{command:?} did not end");
    };
    output.unwrap()
}

/// Runs a program that has to succeed, and returns what it has printed.
pub(crate) fn succeed(command: Command) -> String {
    let text = format!("{command:?}");
    let output = run(command);
    let printed = String::from_utf8_lossy(&output.stdout);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}: {}\n{printed}\n{log}", output.status);
    printed.into_owned()
}
