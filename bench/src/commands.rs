//! The commands that a server has run, per operation.

use std::{collections::BTreeMap, fmt::Write};

/// How often each command was run so far, by its name.
pub type Counts = BTreeMap<String, f64>;

/// The commands that were run between two counts.
#[derive(Clone, Debug)]
pub struct Commands {
    run: Counts,
    operations: f64,
    /// How many operations the client may have begun and not counted.
    unfinished: f64,
}

impl Commands {
    pub fn between(before: &Counts, after: &Counts, operations: f64, unfinished: usize) -> Self {
        let more = |(name, number): (&String, &f64)| {
            let more = number - before.get(name).copied().unwrap_or_default();
            (more > 0.0).then(|| (name.clone(), more))
        };
        let run = after.iter().filter_map(more).collect();
        Self { run, operations, unfinished: unfinished as f64 }
    }

    /// The commands of an operation, such as `get 1 · set 1`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, number) in &self.run {
            let each = number / self.operations;
            if each > 0.02 {
                let separator = if text.is_empty() { "" } else { " · " };
                let _ = write!(text, "{separator}{name} {}", (each * 100.0).round() / 100.0);
            }
        }
        text
    }

    /// Compares them with a text such as `get 1 · set 1`, and returns what is wrong. `get 2 | get 1 · set 1` allows both,
    /// for servers of several versions.
    ///
    /// What a client does now and then besides, such as a ping, may be 2 % of the operations.
    pub fn differ_from(&self, declared: &str) -> Option<String> {
        let mut wrong = None;
        for alternative in declared.split(" | ") {
            wrong = Some(self.differ_from_one(alternative)?);
        }
        wrong
    }

    fn differ_from_one(&self, declared: &str) -> Option<String> {
        let declared: Counts = declared
            .split(" · ")
            .filter_map(|part| part.rsplit_once(' '))
            .map(|(name, number)| (name.to_owned(), number.parse().expect("a number")))
            .collect();
        let mut names = declared.keys().chain(self.run.keys());
        let wrong = |name: &&String| {
            let each = declared.get(*name).copied().unwrap_or_default();
            let run = self.run.get(*name).copied().unwrap_or_default();
            let besides = 0.02 * self.operations + 20.0;
            run < each * self.operations - besides
                || run > each * (self.operations + self.unfinished) + besides
        };
        let name = names.find(wrong)?;
        let (run, operations) = (self.run.get(name).copied().unwrap_or_default(), self.operations);
        let declared = declared.get(name).copied().unwrap_or_default();
        Some(format!(
            "{run} times {name:?} in {operations} operations, but declared are {declared} each; all: {}",
            self.text()
        ))
    }
}

/// Reads what Redis answers to `INFO commandstats`.
pub fn of_redis(info: &str) -> Counts {
    let lines = info.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'));
    let counts = lines.filter_map(|(name, rest)| {
        let calls = rest.strip_prefix("calls=")?.split(',').next()?;
        Some((name.to_owned(), calls.parse().ok()?))
    });
    counts.filter(|(name, _)| name != "info").collect()
}

/// Adds up what several servers have run.
pub fn of_all(servers: impl IntoIterator<Item = Counts>) -> Counts {
    let mut all = Counts::new();
    for (name, number) in servers.into_iter().flatten() {
        *all.entry(name).or_default() += number;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Counts {
        of_redis(text)
    }

    #[test]
    fn another_number_than_declared_is_found() {
        let before = counts("cmdstat_get:calls=5,usec=1\r\ncmdstat_info:calls=9,usec=1");
        let after = counts(
            "cmdstat_get:calls=1005,usec=1\r\ncmdstat_set:calls=1000,usec=1\r\ncmdstat_ping:calls=3,usec=1",
        );
        let commands = Commands::between(&before, &after, 1_000.0, 0);
        assert_eq!(commands.text(), "get 1 · set 1");
        assert_eq!(commands.differ_from("get 1 · set 1"), None);
        assert_eq!(commands.differ_from("get 2 | get 1 · set 1"), None);
        for wrong in ["get 1", "get 2 · set 1", "get 1 · set 1 · touch 1", "", "get 1 | set 1"] {
            assert!(commands.differ_from(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn the_commands_of_several_servers_are_added_up() {
        let nodes =
            ["cmdstat_get:calls=5,usec=1", "cmdstat_get:calls=7,usec=1\r\ncmdstat_set:calls=1"];
        let expected = Counts::from([("get".to_owned(), 12.0), ("set".to_owned(), 1.0)]);
        assert_eq!(of_all(nodes.map(counts)), expected);
    }

    #[test]
    fn an_operation_that_was_not_counted_may_have_run_its_commands() {
        let after = counts("cmdstat_get:calls=1060,usec=1");
        let commands = |unfinished| Commands::between(&Counts::new(), &after, 1_000.0, unfinished);
        assert_eq!(commands(64).differ_from("get 1"), None);
        assert!(commands(0).differ_from("get 1").is_some());
    }
}
