//! Commands that are shown, run and checked.

use std::{
    env,
    ffi::OsStr,
    fmt,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
};

/// Why a task stopped, and the exit code to end with.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    pub(crate) fn with_code(message: impl Into<String>, code: u8) -> Self {
        Self { message: message.into(), code }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        self.code.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The repository's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// A command that runs in the repository's root folder.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Shows the command and runs it. If it fails, its exit code is the failure's.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let text = text(command);
    println!("\n$ {text}");
    let mut child =
        command.spawn().map_err(|error| Failure::new(format!("cannot run `{text}`: {error}")))?;
    ended(&text, &mut child)
}

/// As [`run`], and gives each line that the command prints, its errors too, to `look`. The lines for which that returns
/// false are not shown.
pub(crate) fn run_and_look(
    command: &mut Command,
    mut look: impl FnMut(&str) -> bool,
) -> Result<(), Failure> {
    let text = text(command);
    println!("\n$ {text}");
    let failed = |error: io::Error| Failure::new(format!("cannot run `{text}`: {error}"));
    // One pipe for both, so that their lines stay in order.
    let (output, input) = io::pipe().map_err(failed)?;
    command.stdout(input.try_clone().map_err(failed)?).stderr(input);
    let child = command.spawn().map_err(failed);
    // The command keeps its ends of the pipe, and while it does the output has no end.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = child?;
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if look(&line) {
            println!("{line}");
        }
    }
    ended(&text, &mut child)
}

/// Shows the command, runs it, and returns the lines of its output, which are not shown.
pub(crate) fn lines_of(command: &mut Command) -> Result<Vec<String>, Failure> {
    let text = text(command);
    println!("\n$ {text}");
    let failed = |error: io::Error| Failure::new(format!("cannot run `{text}`: {error}"));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut lines = Vec::new();
    if let Some(output) = child.stdout.take() {
        let read = BufReader::new(output).split(b'\n').map_while(Result::ok);
        lines.extend(read.map(|line| String::from_utf8_lossy(&line).into_owned()));
    }
    ended(&text, &mut child)?;
    Ok(lines)
}

/// Whether the command can be run and succeeds. Its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Waits for the command.
fn ended(text: &str, child: &mut Child) -> Result<(), Failure> {
    let status =
        child.wait().map_err(|error| Failure::new(format!("cannot wait for `{text}`: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure { message: format!("`{text}` failed: {status}"), code })
}

/// The command as one would type it, without the folder of its program.
pub(crate) fn text(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
