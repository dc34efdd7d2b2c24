//! What a process writes down: a line when a call begins, and one when it ends. So a process that is killed leaves the
//! calls that were in progress.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    history::{Call, Operation, Outcome},
    worker::Sink,
};

/// A line of the file. `tests/node/chaos.mjs` writes the same.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Begin { n: usize, sid: String, start_us: u64, call: Call },
    End { n: usize, end_us: u64, late_us: u64, outcome: Outcome },
}

/// Writes the file of this process.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: Mutex<(File, usize)>,
}

impl LogFile {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Mutex::new((File::create(path)?, 0)) })
    }

    fn write(file: &mut File, line: &Line) {
        let mut text = serde_json::to_string(line).unwrap_or_default();
        text.push('\n');
        // In one write, so that a killed process leaves whole lines. A full disk ends the run elsewhere.
        let _ = file.write_all(text.as_bytes());
    }
}

impl Sink for LogFile {
    fn begin(&self, sid: &str, start_us: u64, call: &Call) -> usize {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, count) = &mut *guard;
        *count += 1;
        let n = *count;
        let line = Line::Begin { n, sid: sid.to_owned(), start_us, call: call.clone() };
        Self::write(file, &line);
        n
    }

    fn end(&self, n: usize, end_us: u64, late_us: u64, outcome: Outcome) {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        Self::write(&mut guard.0, &Line::End { n, end_us, late_us, outcome });
    }
}

/// Reads what a process wrote. `killed` says why calls have no end, if the process was killed.
pub(crate) fn read(path: &Path, process: &str, killed: bool) -> io::Result<Vec<Operation>> {
    let text = fs::read_to_string(path)?;
    let mut operations: Vec<Operation> = Vec::new();
    let mut places = HashMap::new();
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Line::Begin { n, sid, start_us, call }) => {
                places.insert(n, operations.len());
                let why = if killed { "killed" } else { "never answered" };
                operations.push(Operation {
                    process: process.to_owned(),
                    sid,
                    start_us,
                    end_us: None,
                    late_us: 0,
                    call,
                    outcome: Outcome::Unknown(why.to_owned()),
                });
            }
            Ok(Line::End { n, end_us, late_us, outcome }) => {
                let operation = places.get(&n).and_then(|place| operations.get_mut(*place));
                let operation = operation.ok_or_else(|| io::Error::other("an end of no call"))?;
                (operation.end_us, operation.late_us) = (Some(end_us), late_us);
                operation.outcome = outcome;
            }
            // The process was killed while it wrote its last line.
            Err(_) if killed => {}
            Err(error) => {
                return Err(io::Error::other(format!("{process} wrote {line:?}: {error}")));
            }
        }
    }
    Ok(operations)
}
