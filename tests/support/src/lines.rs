//! A program that is talked to line by line.

use std::{
    io::{BufRead, BufReader, Write},
    process::{ChildStdin, Command},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::{Error, folder::Folder, process::Process};

/// How long a program has for each line that it is asked for.
const ANSWER: Duration = Duration::from_secs(180);

/// A running program, what it is told and what it prints. Its standard error is its log.
#[derive(Debug)]
pub(crate) struct Lines {
    process: Process,
    input: ChildStdin,
    lines: Receiver<String>,
    folder: Folder,
}

impl Lines {
    /// Starts the program.
    pub(crate) fn start(command: Command) -> Result<Self, Error> {
        let folder = Folder::new()?;
        let (process, input, output) = Process::spawn_piped(command, &folder)?;
        let (sender, lines) = mpsc::channel();
        // Ends with the program, whose output is closed then.
        thread::spawn(move || {
            BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Ok(Self { process, input, lines, folder })
    }

    /// Sends a line, in one write. A program that has ended is noticed by `next`, with its log.
    pub(crate) fn send(&mut self, line: &str) {
        let _ = self.input.write_all(format!("{line}\n").as_bytes());
    }

    /// The next line that the program prints.
    pub(crate) fn next(&self) -> Result<String, Error> {
        self.lines.recv_timeout(ANSWER).map_err(|error| {
            let what = match error {
                RecvTimeoutError::Disconnected => "has ended".to_owned(),
                RecvTimeoutError::Timeout => {
                    format!("did not answer within {} s", ANSWER.as_secs())
                }
            };
            Error::new(format!("`{}` {what}; {}", self.process.command(), self.folder.end_of_log()))
        })
    }

    /// The command as one would type it.
    pub(crate) fn command(&self) -> &str {
        self.process.command()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn log(&self) -> String {
        self.folder.read_log()
    }
}
