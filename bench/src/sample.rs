//! What one subject cost in one round.

use std::io::{Write, stdout};

use serde::{Deserialize, Serialize};

/// What one subject cost in one round, for one kind of work.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sample {
    /// The table that it belongs to, such as `Redis, 500 bytes`.
    pub table: String,
    /// What is done, such as `get`.
    pub work: String,
    /// Who does it.
    pub subject: String,
    /// The subject to which others are compared in this work.
    pub base: String,
    pub round: u32,
    /// What was measured, by the name of its column. The first one is what subjects are compared by.
    pub measured: Vec<(String, f64)>,
    /// What shows that all do the same work, such as the server's count of commands.
    #[serde(default)]
    pub note: String,
}

impl Sample {
    pub fn new(table: &str, work: &str, subject: &str, base: &str, round: u32) -> Self {
        let [table, work, subject, base] = [table, work, subject, base].map(str::to_owned);
        Self { table, work, subject, base, round, measured: Vec::new(), note: String::new() }
    }

    #[must_use]
    pub fn with(mut self, column: &str, value: f64) -> Self {
        self.measured.push((column.to_owned(), value));
        self
    }

    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Prints it for the program that collects samples.
    pub fn print(&self) {
        let line = serde_json::to_string(self).expect("texts and numbers are always JSON");
        writeln!(stdout().lock(), "{line}").expect("whoever runs the area reads its output");
    }
}
