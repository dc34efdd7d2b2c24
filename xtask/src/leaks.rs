//! Secrets, ids and values in the output of tests that passed.

use std::fmt;

use cloakroom_test_support::leak_in;

/// The number of leaks that are told.
const TOLD: usize = 20;

/// What the output of a run contains that no library may print, and whose output it was.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    program: String,
    test: String,
    found: Vec<String>,
    /// Whether the lines are the output of tests, which `--show-output` adds and nobody has to read.
    is_aside: bool,
    /// Whether a test failed in this program: what it prints then is for whoever repairs it.
    is_failing: bool,
}

impl Leaks {
    /// Looks at one line of the output. Returns false if it is the output of a test that passed.
    pub(crate) fn look(&mut self, line: &str) -> bool {
        let title = line.trim();
        let begins = ["Running ", "Ended ", "Doc-tests "];
        if let Some(program) = begins.iter().find_map(|word| title.strip_prefix(word)) {
            *self = Self {
                program: program.to_owned(),
                found: std::mem::take(&mut self.found),
                ..Self::default()
            };
        } else if line == "successes:" {
            self.is_aside = true;
        } else if line == "failures:" {
            (self.is_aside, self.is_failing) = (false, true);
        } else if line.starts_with("test result: ") {
            (self.is_aside, self.is_failing) = (false, false);
        } else if let Some(test) =
            line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----"))
        {
            test.clone_into(&mut self.test);
        }
        if let Some(leak) = leak_in(line).filter(|_| !self.is_failing) {
            let of = if self.is_aside { &self.test } else { "a thread of its own" };
            self.found.push(format!("{leak} in {}: {of}", self.program));
        }
        !self.is_aside
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines of the output contain a secret, an id or a value:", self.found.len())?;
        self.found.iter().take(TOLD).try_for_each(|leak| write!(f, "\n  {leak}"))
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_test_support::{hushed, unique};

    use super::*;

    fn leaks(lines: &[&str]) -> Leaks {
        let mut leaks = Leaks::default();
        for line in lines {
            leaks.look(line);
        }
        leaks
    }

    #[test]
    fn a_leak_is_told_with_its_program_and_its_test() {
        let (sid, secret) = (unique("sid"), hushed("secret"));
        let output = format!("redis: get: {sid}");
        let found = leaks(&[
            "     Running tests/a.rs (target/debug/deps/a-0123456789abcdef)",
            "test says_nothing ... ok",
            "successes:",
            "---- says_too_much stdout ----",
            &output,
            "successes:",
            "    says_too_much",
            "test result: ok. 2 passed; 0 failed",
            &secret,
        ]);
        let text = found.to_string();
        assert!(text.starts_with("2 lines of the output"), "{text}");
        assert!(
            text.contains(&format!(
                "{sid} in tests/a.rs (target/debug/deps/a-0123456789abcdef): says_too_much"
            )),
            "{text}"
        );
        assert!(
            text.ends_with(&format!(
                "{secret} in tests/a.rs (target/debug/deps/a-0123456789abcdef): a thread of its own"
            )),
            "{text}"
        );
    }

    #[test]
    fn what_a_failing_test_prints_is_for_whoever_repairs_it() {
        let sid = unique("sid");
        assert!(
            leaks(&["failures:", "---- fails stdout ----", &sid, "test result: FAILED."])
                .is_empty()
        );
        assert!(!leaks(&["failures:", "test result: FAILED.", &sid]).is_empty());
    }
}
