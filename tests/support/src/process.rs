//! Child processes that never outlive the test.

use std::{
    fs::{self, File, OpenOptions},
    io,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Error, family::children_of, folder::Folder};

/// What the watchdog runs. Its standard input is a pipe that only the test process holds, so `read` ends when that
/// process ends, in whatever way. Ctrl-C reaches the watchdog too, and must not end it first.
const WATCHDOG: &str = r#"trap "" INT HUP TERM; read -r _; kill -9 "$1"; sleep 0.2; rm -rf "$2""#;

/// A child process and its watchdog: a shell that kills the child if the test process is killed.
///
/// A process is killed only as long as it is our child that was not waited for: its id cannot be another's until then.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    watchdog: Child,
    command: String,
    has_children: bool,
}

impl Process {
    /// Starts the command. All that it writes goes to the log.
    pub(crate) fn spawn(mut command: Command, folder: &Folder) -> Result<Self, Error> {
        let log = open_log(folder)?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| io_error(folder, &error))?)
            .stderr(log);
        Self::watched(command, folder)
    }

    /// Starts the command with pipes to and from it. Its standard error goes to the log.
    pub(crate) fn spawn_piped(
        mut command: Command,
        folder: &Folder,
    ) -> Result<(Self, ChildStdin, ChildStdout), Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(open_log(folder)?);
        let mut process = Self::watched(command, folder)?;
        let stdin = process.child.stdin.take().expect("the input is piped");
        let stdout = process.child.stdout.take().expect("the output is piped");
        Ok((process, stdin, stdout))
    }

    fn watched(mut command: Command, folder: &Folder) -> Result<Self, Error> {
        let text = text(&command);
        let failed = |error: io::Error| Error::new(format!("cannot start `{text}`: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "watchdog", &child.id().to_string()])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                end(&mut child);
                failed(error)
            })?;
        Ok(Self { child, watchdog, command: text, has_children: false })
    }

    /// Whether it starts processes of its own, which then are frozen and end with it.
    pub(crate) fn has_children(&mut self, has_children: bool) {
        self.has_children = has_children;
    }

    /// The command as one would type it.
    pub(crate) fn command(&self) -> &str {
        &self.command
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, or `None` while it runs.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().ok().flatten();
        if status.is_some() {
            end(&mut self.watchdog);
        }
        status
    }

    /// Sends a signal, such as `STOP`, to a process that still runs.
    pub(crate) fn signal(&mut self, name: &str) -> Result<(), Error> {
        if let Some(status) = self.exit_status() {
            return Err(Error::new(format!("`{}` has ended: {status}", self.command)));
        }
        if send(name, &[self.id()]) {
            return Ok(());
        }
        Err(Error::new(format!("cannot send the signal {name} to `{}`", self.command)))
    }

    /// Freezes the process, and returns when all of its threads stand still: the signal alone is only on its way.
    pub(crate) fn freeze(&mut self) -> Result<(), Error> {
        self.signal("STOP")?;
        self.wait_until_still(self.id())?;
        // It stands still, so these are all: none is started, and none that has ended is waited for.
        let children = self.children();
        send("STOP", &children);
        children.into_iter().try_for_each(|child| self.wait_until_still(child))
    }

    /// Resumes what was frozen.
    pub(crate) fn resume(&mut self) -> Result<(), Error> {
        send("CONT", &self.children());
        self.signal("CONT")
    }

    fn children(&self) -> Vec<u32> {
        if self.has_children { children_of(self.id()) } else { Vec::new() }
    }

    /// Kills the children, and lets the process itself end at once but in its own way: PostgreSQL gives back a piece of
    /// memory that the system would keep.
    fn end_with_children(&mut self) {
        if self.freeze().is_err() {
            return;
        }
        send("KILL", &self.children());
        send("QUIT", &[self.id()]);
        send("CONT", &[self.id()]);
        let since = Instant::now();
        while self.child.try_wait().is_ok_and(|status| status.is_none())
            && since.elapsed() < Duration::from_secs(60)
        {
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn wait_until_still(&self, id: u32) -> Result<(), Error> {
        let started = Instant::now();
        while !stands_still(id) {
            if started.elapsed() > Duration::from_secs(60) {
                return Err(Error::new(format!("`{}` does not stop", self.command)));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Sends a signal to processes. False if one of them has ended.
fn send(signal: &str, ids: &[u32]) -> bool {
    // The shell's own `kill`: small systems have no other.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"kill -s "$@""#, "signal", signal]);
    shell.args(ids.iter().map(ToString::to_string)).stdin(Stdio::null()).stderr(Stdio::null());
    ids.is_empty() || shell.status().is_ok_and(|status| status.success())
}

/// Returns true if every thread is stopped or has ended, by the state in `/proc/PID/task/TID/stat`: see proc(5).
fn stands_still(id: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { return true };
    // A thread that has ended has no file.
    let mut stats =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    stats.all(|stat| {
        // The state follows the name, which is in brackets and can contain some itself.
        stat.rsplit(')')
            .next()
            .is_none_or(|rest| rest.trim_start().starts_with(['T', 't', 'Z', 'X']))
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_children {
            self.end_with_children();
        }
        // The watchdog first: to wait for the child frees its id.
        end(&mut self.watchdog);
        end(&mut self.child);
    }
}

/// Kills a child and waits until it has ended. A child that has already ended is not an error.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn open_log(folder: &Folder) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.log())
        .map_err(|error| io_error(folder, &error))
}

fn io_error(folder: &Folder, error: &io::Error) -> Error {
    Error::io("write", &folder.log(), error)
}

fn text(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
