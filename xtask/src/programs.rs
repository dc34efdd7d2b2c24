//! Runs all test programs, several at a time: most of them wait for servers and for sessions to expire, and one after
//! the other they would leave half of the processor's time unused.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, PipeReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    command::{Failure, command, lines_of, root},
    failures::{TAKES_LONG, excerpts},
    in_memory::InMemory,
    task::cargo,
    used::{Stopwatch, Used, processor_time, table},
};

/// How many programs run at a time.
const AT_A_TIME: usize = 2;

/// How long the output of a program may last after its end. A process that it started may have it open.
const OUTPUT: Duration = Duration::from_secs(10);
/// How often a program whose output goes on is asked whether it has ended.
const ASK: Duration = Duration::from_secs(1);
/// After how long without a line a program is killed. The slowest test takes three minutes, and there are machines that
/// are five times slower; but a run that waits for ever is cut off by others, and says nothing.
const SILENCE: Duration = Duration::from_secs(20 * 60);

/// The programs that take longest, which are started first, so that none of them is left alone at the end. The doctests
/// compile, while others wait.
const LONGEST: &[&str] = &[
    "tests tree",
    DOCTESTS,
    "tests cache",
    "tests interop",
    "crates/cloakroom-cli command",
    "tests express",
    "tests on_servers",
    "tests shop",
    "crates/cloakroom-conformance broken",
    "tests replay",
];
const DOCTESTS: &str = "doctests";

/// How many of the programs are told that took longest.
const SLOWEST: usize = 10;

/// What the programs of all packages, and nothing else, are built with.
const ALL: &str = "test --workspace --all-features";

/// A test program, the doctests, or another program whose output is shown when it has ended.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) command: Command,
}

/// How a program ended.
pub(crate) struct Ended {
    name: String,
    pub(crate) output: String,
    pub(crate) used: Used,
    /// `None` if it succeeded.
    pub(crate) failure: Option<String>,
}

/// Builds all test programs, runs them and the doctests with these arguments, and gives each line that they print to
/// `look`, which returns false for those that are not shown. What a program prints is shown when it has ended, so that its
/// lines stay together.
pub(crate) fn run_all(
    arguments: &[String],
    threads: &str,
    mut look: impl FnMut(&str) -> bool,
) -> Result<(), Failure> {
    let mut programs = built()?;
    let in_memory = InMemory::new();
    for program in &mut programs {
        program.command.args(arguments).env("RUST_TEST_THREADS", threads);
        if let Some(folder) = &in_memory {
            program.command.env("TMPDIR", folder.path());
        }
    }
    let mut doctests = cargo(&format!("{ALL} --doc --no-fail-fast --"));
    doctests.args(arguments);
    programs.push(Program { name: DOCTESTS.to_owned(), command: doctests });
    programs.sort_by_key(|program| place(&program.name));

    let programs = Mutex::new(VecDeque::from(programs));
    let (sender, ended) = mpsc::channel();
    let (mut failed, mut taken) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            let (programs, sender) = (&programs, sender.clone());
            scope.spawn(move || {
                let next = || programs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some(program) = next() {
                    println!("     Started {}", program.name);
                    if sender.send(program.run()).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for Ended { name, output, used, failure } in ended {
            println!();
            let how = failure.as_deref().unwrap_or("it succeeded");
            let first = format!("     Ended {name} after {:.1} s: {how}", used.seconds);
            for line in std::iter::once(&*first).chain(output.lines()) {
                if look(line) {
                    println!("{line}");
                }
            }
            if failure.is_some() {
                failed.push((name.clone(), excerpts(&output)));
            }
            taken.push((name, used));
        }
    });
    taken.sort_by(|(_, one), (_, other)| other.seconds.total_cmp(&one.seconds));
    let slowest = taken.iter().take(SLOWEST).map(|(name, used)| (&**name, *used));
    println!("\n{}\n", table("test program, the slowest ones", slowest));
    if failed.is_empty() {
        return Ok(());
    }
    for (name, excerpts) in &failed {
        println!("What failed in {name}:\n{}\n", excerpts.join("\n"));
    }
    let names: Vec<&str> = failed.iter().map(|(name, _)| &**name).collect();
    Err(Failure::with_code(format!("these test programs failed: {}", names.join(", ")), 101))
}

impl Program {
    /// Runs the program to its end, and returns how it ended also if it cannot be run.
    pub(crate) fn run(mut self) -> Ended {
        let watch = Stopwatch::start();
        let ended = output(&self.name, &mut self.command, SILENCE);
        let (output, processor, failure) = match ended {
            Ok(ended) => ended,
            Err(error) => (String::new(), None, Some(format!("cannot run it: {error}"))),
        };
        let used = Used { processor, ..watch.used() };
        Ended { name: self.name, output, used, failure }
    }
}

/// Returns what the program wrote to both streams, in that order, its processor time, and why it failed, if it did.
///
/// A program that writes no line for as long as `silence` is killed. The servers of its tests go with it.
fn output(
    name: &str,
    command: &mut Command,
    silence: Duration,
) -> io::Result<(String, Option<f64>, Option<String>)> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command keeps its ends of the pipe open, and the output would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let output = Arc::new(Mutex::new(Vec::new()));
    let (sender, lines) = mpsc::channel();
    let (name, read) = (name.to_owned(), Arc::clone(&output));
    thread::spawn(move || collect(&name, reader, &read, &sender));
    // The output ends with the program, which can be asked for its processor time until it is waited for.
    let (mut last_line, mut killed) = (Instant::now(), false);
    let early = loop {
        match lines.recv_timeout(ASK) {
            Ok(()) => last_line = Instant::now(),
            Err(RecvTimeoutError::Disconnected) => break None,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = child.try_wait()? {
                    break Some(status);
                }
                if last_line.elapsed() >= silence {
                    killed = true;
                    child.kill()?;
                }
            }
        }
    };
    let processor = processor_time(&child.id().to_string()).filter(|_| early.is_none());
    let status = child.wait()?;
    let mut failure = (!status.success()).then(|| status.to_string());
    if killed {
        failure =
            Some(format!("it was killed, since it wrote nothing for {} s", silence.as_secs()));
    } else if early.is_some() && !ends_within(&lines, OUTPUT) {
        failure = Some(format!("{status}, and a process that it started still runs"));
    }
    let output = output.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((String::from_utf8_lossy(&output).into_owned(), processor, failure))
}

/// Whether the output ends in this time.
fn ends_within(lines: &Receiver<()>, time: Duration) -> bool {
    let since = Instant::now();
    loop {
        match lines.recv_timeout(time.saturating_sub(since.elapsed())) {
            Ok(()) => {}
            Err(error) => return error == RecvTimeoutError::Disconnected,
        }
    }
}

/// Reads the output to its end, tells of each line, and shows at once which tests take long: one of them may never end.
fn collect(name: &str, reader: PipeReader, output: &Mutex<Vec<u8>>, lines: &Sender<()>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        if text.contains(TAKES_LONG) {
            println!("     {name}: {}", text.trim_end());
        }
        output.lock().unwrap_or_else(PoisonError::into_inner).append(&mut line);
        // Nobody waits any longer if the program has ended and this is the output of another.
        let _ = lines.send(());
    }
}

/// Where a program stands in the order: behind the longest if it is not one of them.
fn place(name: &str) -> usize {
    LONGEST.iter().position(|long| *long == name).unwrap_or(LONGEST.len())
}

/// Builds the programs.
fn built() -> Result<Vec<Program>, Failure> {
    let mut build = cargo(&format!("{ALL} --no-run --message-format json-render-diagnostics"));
    let mut programs = Vec::new();
    for line in lines_of(&mut build)? {
        let Some((executable, manifest)) = test_program(&line) else { continue };
        let folder = Path::new(manifest).parent().unwrap_or(root());
        programs
            .push(Program { name: name(executable, folder), command: program(executable, folder) });
    }
    if programs.is_empty() {
        return Err(Failure::new("cargo named no test program"));
    }
    if let Some(gone) = LONGEST[..]
        .iter()
        .find(|long| **long != DOCTESTS && programs.iter().all(|program| program.name != **long))
    {
        return Err(Failure::new(format!("no test program is called {gone:?}: keep LONGEST true")));
    }
    Ok(programs)
}

/// The program as cargo runs it: in the folder of its package.
fn program(executable: &str, folder: &Path) -> Command {
    let mut command = command(executable);
    command.current_dir(folder).env("CARGO_MANIFEST_DIR", folder);
    command
}

/// The folder of the package and the name of the program, without the digits that cargo appends.
fn name(executable: &str, folder: &Path) -> String {
    let executable = PathBuf::from(executable);
    let file = executable.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = file.rsplit_once('-').map_or(&*file, |(name, _)| name);
    let folder = folder.strip_prefix(root()).unwrap_or(folder);
    format!("{} {name}", folder.display())
}

/// The executable and the manifest in a line of cargo's messages, if it tells of a test program.
///
/// Only paths and one switch are read, and this is the first program that a fresh machine builds: it has no JSON parser.
fn test_program(line: &str) -> Option<(&str, &str)> {
    let (_, profile) = line.split_once("\"profile\":{")?;
    let (profile, _) = profile.split_once('}')?;
    let executable = text_of(line, "executable")?;
    profile.ends_with("\"test\":true").then_some((executable, text_of(line, "manifest_path")?))
}

/// The member's text, if it is one without escapes.
fn text_of<'a>(line: &'a str, member: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{member}\":\""))?;
    let (text, _) = rest.split_once('"')?;
    (!text.contains('\\')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_found_among_cargos_messages() {
        let message = |test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/r/tests/Cargo.toml","target":{{"kind":["test"],"name":"a","doctest":false,"test":true}},"profile":{{"opt_level":"0","test":{test}}},"features":[],"filenames":["/r/a"],"executable":{executable},"fresh":true}}"#
            )
        };
        let found = message(true, "\"/r/target/a-1\"");
        assert_eq!(test_program(&found), Some(("/r/target/a-1", "/r/tests/Cargo.toml")));
        assert_eq!(test_program(&message(false, "\"/r/target/a-1\"")), None, "a program to run");
        assert_eq!(test_program(&message(true, "null")), None, "a library");
        assert_eq!(test_program(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn the_output_of_both_streams_is_kept_and_a_failure_noticed() {
        let script = |text| {
            let mut command = Command::new("sh");
            let (written, _, failure) =
                output("a", command.args(["-c", text]), Duration::MAX).unwrap();
            (written, failure)
        };
        let (written, failure) = script("echo a; echo b >&2; echo c; exit 3");
        assert_eq!((&*written, failure.as_deref()), ("a\nb\nc\n", Some("exit status: 3")));
        assert_eq!(script("echo a"), ("a\n".to_owned(), None));
        let (_, failure) = script("kill -9 $$");
        assert_eq!(failure.as_deref(), Some("signal: 9 (SIGKILL)"));
    }

    #[test]
    fn a_process_that_is_left_behind_is_a_failure() {
        let mut command = Command::new("sh");
        let (written, _, failure) =
            output("a", command.args(["-c", "sleep 60 & echo $!"]), Duration::MAX).unwrap();
        assert!(Command::new("kill").arg(written.trim()).status().unwrap().success());
        assert!(failure.unwrap().contains("still runs"));
    }

    #[test]
    fn a_program_that_has_gone_silent_is_killed() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo a; exec sleep 600"]);
        let (written, _, failure) = output("a", &mut command, Duration::from_millis(10)).unwrap();
        assert_eq!(written, "a\n");
        assert!(failure.unwrap().contains("wrote nothing"));
    }
}
