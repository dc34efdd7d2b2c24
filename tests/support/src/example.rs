//! Examples that serve.

use std::{env, process::Command};

use crate::{Error, lines::Lines};

/// An example of the workspace that prints its URL in its first line, and then serves until this is dropped.
#[derive(Debug)]
pub struct Example {
    lines: Lines,
    url: String,
}

impl Example {
    /// Starts the example of this name on a free port, which it is given as `PORT=0`.
    ///
    /// # Errors
    ///
    /// If it is not built, as `cargo test --workspace` does it beside the tests, or does not start; the text has the end
    /// of its log.
    pub fn start(name: &str, arguments: &[&str]) -> Result<Self, Error> {
        let this = env::current_exe()
            .map_err(|error| Error::new(format!("cannot find this program: {error}")))?;
        // The program of a test is in `deps`, beside the folder of the examples.
        let program = this.ancestors().nth(2).map(|folder| folder.join("examples").join(name));
        let program = program.filter(|program| program.is_file()).ok_or_else(|| {
            let build = "cargo build --all-features --workspace --examples";
            Error::new(format!("the example {name:?} is not built here: run `{build}`"))
        })?;
        let mut command = Command::new(program);
        command.args(arguments).env("PORT", "0");
        let lines = Lines::start(command)?;
        let url = lines.next()?;
        if !url.starts_with("http://") {
            return Err(Error::new(format!("`{}` printed no URL: {url:?}", lines.command())));
        }
        Ok(Self { lines, url })
    }

    /// The URL that it serves, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has written to its standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.lines.log()
    }
}
