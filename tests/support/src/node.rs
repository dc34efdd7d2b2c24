//! Node.js programs.

use std::{fmt::Display, path::Path, process::Command, str::FromStr};

use crate::{Error, find_program, lines::Lines, node_folder};

/// A program of `tests/node` that runs until it is dropped.
///
/// It prints one line of JSON when it is ready, and then one line of JSON for each line that it is given.
/// What it writes to its standard error is its log.
#[derive(Debug)]
pub struct NodeProgram {
    lines: Lines,
    ready: String,
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
        Self::start_in(&node_folder(), script, arguments, environment)
    }

    /// As [`start`](Self::start), from a folder with npm packages of its own, such as [`next_folder`](crate::next_folder).
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn start_in(
        folder: &Path,
        script: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let node = find_program("node")
            .ok_or_else(|| Error::new("Node.js is missing here: install version 20 or newer"))?;
        let packages = folder.join("node_modules");
        if !packages.is_dir() {
            return Err(Error::missing(&format!("the folder {}", packages.display())));
        }
        let mut command = Command::new(node);
        command.arg(script).args(arguments).envs(environment.iter().copied()).current_dir(folder);
        let lines = Lines::start(command)?;
        let ready = lines.next()?;
        Ok(Self { lines, ready })
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
    /// If the program has ended, does not answer within three minutes, or its answer does not parse.
    pub fn call<T: FromStr<Err: Display>>(&mut self, request: impl Display) -> Result<T, Error> {
        self.lines.send(&request.to_string());
        let answer = self.lines.next()?;
        answer.parse().map_err(|error| {
            Error::new(format!("`{}` answered {answer:?}: {error}", self.lines.command()))
        })
    }

    /// Returns the next line of a program that prints some unasked.
    ///
    /// # Errors
    ///
    /// If the program has ended, or prints none within three minutes.
    pub fn line(&mut self) -> Result<String, Error> {
        self.lines.next()
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.lines.id()
    }

    /// What the program has written to its standard error.
    #[must_use]
    pub fn log(&self) -> String {
        self.lines.log()
    }
}
