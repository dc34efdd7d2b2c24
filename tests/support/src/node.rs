//! Node.js programs.

use std::{
    fmt::Display,
    io::{BufRead, BufReader, Write},
    process::{ChildStdin, Command},
    str::FromStr,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::{Error, find_program, folder::Folder, node_folder, process::Process};

/// How long a program has for each line that it is asked for.
const ANSWER: Duration = Duration::from_secs(30);

/// A program of `tests/node` that runs until it is dropped.
///
/// It prints one line of JSON when it is ready, and then one line of JSON for each line that it is given.
/// What it writes to its standard error is its log.
#[derive(Debug)]
pub struct NodeProgram {
    process: Process,
    input: ChildStdin,
    lines: Receiver<String>,
    ready: String,
    folder: Folder,
}

impl NodeProgram {
    /// Starts a program of the folder `tests/node`, and waits for its first line.
    ///
    /// # Errors
    ///
    /// If Node.js or the npm packages are missing, or the program does not start; the text has the end of its log.
    pub fn start(
        script: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let node = find_program("node")
            .ok_or_else(|| Error::new("Node.js is missing here: install version 20 or newer"))?;
        if !node_folder().join("node_modules").is_dir() {
            return Err(Error::missing("the folder tests/node/node_modules"));
        }
        let folder = Folder::new()?;
        let mut command = Command::new(node);
        command
            .arg(script)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(node_folder());
        let (process, input, output) = Process::spawn_piped(command, &folder)?;
        let (sender, lines) = mpsc::channel();
        // Ends with the program, whose output is closed then.
        thread::spawn(move || {
            BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut program = Self { process, input, lines, ready: String::new(), folder };
        program.ready = program.next_line()?;
        Ok(program)
    }

    /// The line of JSON that the program printed when it was ready.
    #[must_use]
    pub fn ready(&self) -> &str {
        &self.ready
    }

    /// Sends one line and returns the answer. Both can be text, or `serde_json::Value`.
    ///
    /// # Errors
    ///
    /// If the program has ended, does not answer within 30 s, or its answer does not parse.
    pub fn call<T: FromStr<Err: Display>>(&mut self, request: impl Display) -> Result<T, Error> {
        // In one write. A program that has ended is noticed below, with its log.
        let _ = self.input.write_all(format!("{request}\n").as_bytes());
        let answer = self.next_line()?;
        answer.parse().map_err(|error| {
            Error::new(format!("`{}` answered {answer:?}: {error}", self.process.command()))
        })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the program has written to its standard error.
    #[must_use]
    pub fn log(&self) -> String {
        self.folder.read_log()
    }

    fn next_line(&self) -> Result<String, Error> {
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
}
