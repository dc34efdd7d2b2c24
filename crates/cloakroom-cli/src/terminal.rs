//! Standard input, output and error.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Read, Write},
    time::Duration,
};

use crate::failure::Failure;

/// Prints a line of a result.
pub(crate) fn say(line: impl Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Prints a line of a result that the exit code tells, too. So it counts even if nobody reads the line.
pub(crate) fn conclude(line: impl Display) -> Result<(), Failure> {
    match say(line) {
        Err(Failure::BrokenPipe) => Ok(()),
        told => told,
    }
}

/// Prints bytes as they are.
pub(crate) fn put(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Prints why the command failed.
pub(crate) fn complain(failure: &Failure) {
    note(format_args!("cloakroom: {failure}"));
}

/// Prints a line that is not a part of the result.
pub(crate) fn note(line: impl Display) {
    // If nobody reads it, there is nobody to be told of that.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Returns true if standard output is a terminal on which a line can be drawn again.
pub(crate) fn is_drawn() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Returns true if both a question can be seen and an answer typed.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a word. Returns what was typed.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    let mut error = io::stderr().lock();
    write!(error, "{question} ")?;
    error.flush()?;
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.map_err(|_| Failure::usage("cannot read the answer"))?;
    Ok(answer.trim().to_owned())
}

/// Returns an argument, or the whole standard input for `-`.
pub(crate) fn argument(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|cause| Failure::usage(format!("cannot read standard input: {}", cause.kind())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Replaces what a terminal would carry out: an id is any text, and can be that of an attacker.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Returns a time as two units, such as `2d 3h`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3_599, "59m 59s"),
            (3_600, "1h 0m"),
            (86_399, "23h 59m"),
            (90_000, "1d 1h"),
            (31_536_000, "365d 0h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn nothing_that_a_terminal_carries_out_is_printed() {
        assert_eq!(plain("a\u{1b}[2Jé\n"), "a\u{fffd}[2Jé\u{fffd}");
    }
}
