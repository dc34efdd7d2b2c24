//! The sum over all test programs.

use std::fmt;

/// How many tests passed, failed and were left out, in all programs together.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Total {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Total {
    /// Adds what a line says, if it is the closing line of a test program.
    pub(crate) fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        for count in counts.split(['.', ';']) {
            match count.trim().split_once(' ').map(|(number, what)| (number.parse::<u64>(), what)) {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                Some((Ok(number), "ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Total: {} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 {
            write!(f, ", {} ignored", self.ignored)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up() {
        let mut total = Total::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.64s",
            "test a::b ... FAILED",
            "test result: FAILED. 4 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            total.add(line);
        }
        assert_eq!(total.to_string(), "Total: 16 passed, 1 failed, 2 ignored");
    }
}
