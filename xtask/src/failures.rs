//! What failed tests said, in short: at the end of a long output it is found at once.

use std::collections::HashSet;

/// How many lines of a test's output are repeated. The whole output stands with its program.
const LINES: usize = 10;

/// In the line that a test program writes, once, of each test that takes long.
pub(crate) const TAKES_LONG: &str = "has been running for over";

/// Returns, for each failed test in the output of a program, its name and what it said when it failed; and the names of
/// those that took long and had not ended, if the program was killed.
pub(crate) fn excerpts(output: &str) -> Vec<String> {
    let mut excerpts: Vec<String> =
        unfinished(output).iter().map(|test| format!("  {test}: it had not ended")).collect();
    let mut lines = output.lines().skip_while(|line| *line != "failures:").skip(1).peekable();
    while let Some(line) = lines.next() {
        let Some(test) = title(line) else { continue };
        let goes_on = |line: &&str| title(line).is_none() && *line != "failures:";
        let said: Vec<&str> = std::iter::from_fn(|| lines.next_if(goes_on)).collect();
        // The output before it has panics that the test expects.
        let its_own = format!("thread '{test}' ");
        let from = said.iter().rposition(|line| line.starts_with(&its_own)).unwrap_or_default();
        let told = said[from..].iter().take_while(|line| **line != "stack backtrace:");
        let told = told.filter(|line| !line.is_empty()).take(LINES);
        excerpts.push(told.fold(format!("  {test}"), |text, line| text + "\n    " + line));
    }
    excerpts
}

fn unfinished(output: &str) -> Vec<&str> {
    let ended: HashSet<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.rsplit_once(" ... "))
        // Behind the name of a test that is to panic, this is said of it.
        .map(|(test, _)| test.strip_suffix(" - should panic").unwrap_or(test))
        .collect();
    let long = output.lines().filter_map(|line| {
        let (test, _) = line.strip_prefix("test ")?.split_once(TAKES_LONG)?;
        Some(test.trim_end())
    });
    long.filter(|test| !ended.contains(test)).collect()
}

fn title(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_test_said_is_told_and_what_others_said_is_not() {
        let output = "\nrunning 3 tests\ntest a ... ok\n\nsuccesses:\n\n---- a stdout ----\nfine\n\n\
                      successes:\n    a\n\nfailures:\n\n---- b stdout ----\n\n\
                      thread 'b' panicked at c.rs:1:2:\nleft: 1\nstack backtrace:\n   0: x\n\n\
                      ---- d stdout ----\nError: \"gone\"\n\n\nfailures:\n    b\n    d\n\n\
                      test result: FAILED. 1 passed; 2 failed\n";
        let wanted =
            ["  b\n    thread 'b' panicked at c.rs:1:2:\n    left: 1", "  d\n    Error: \"gone\""];
        assert_eq!(excerpts(output), wanted);
        assert_eq!(excerpts("test result: ok. 3 passed"), [""; 0]);
    }

    #[test]
    fn a_panic_that_a_test_expects_is_not_why_it_failed() {
        let output = "failures:\n\n---- b stdout ----\n\nthread '<unnamed>' panicked at a.rs:1:2:\n\
                      on purpose\nstack backtrace:\n   0: x\n\nthread 'b' (7) panicked at c.rs:1:2:\n\
                      in earnest\nstack backtrace:\n   0: x\n\n\nfailures:\n    b\n";
        assert_eq!(
            excerpts(output),
            ["  b\n    thread 'b' (7) panicked at c.rs:1:2:\n    in earnest"]
        );
    }

    #[test]
    fn tests_that_had_not_ended_when_their_program_was_killed_are_told() {
        let output = "running 3 tests\ntest a has been running for over 60 seconds\n\
                      test b has been running for over 60 seconds\ntest c ... ok\n\
                      test d has been running for over 60 seconds\ntest d - should panic ... ok\n\
                      test a ... ok\n";
        assert_eq!(excerpts(output), ["  b: it had not ended"]);
    }

    #[test]
    fn a_long_output_is_cut() {
        let output = format!("failures:\n\n---- b stdout ----\n{}", "line\n".repeat(100));
        assert_eq!(excerpts(&output)[0].lines().count(), 1 + LINES);
    }
}
