//! Counts per operation, as they were accepted and as they are.

use std::fmt::Write;

/// What one run of an operation takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    pub(crate) operation: String,
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    /// What the system's libraries add, which is shown and not compared.
    pub(crate) system: f64,
}

/// The share by which a count may grow.
const LIMIT: f64 = 0.05;

/// Reads the accepted counts: lines of `operation: instructions, allocations`.
pub(crate) fn parse(text: &str) -> Vec<Count> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let counts = lines.filter_map(|line| {
        let (operation, numbers) = line.rsplit_once(" | ")?;
        let (instructions, allocations) = numbers.split_once(',')?;
        Some(Count {
            operation: operation.trim().to_owned(),
            instructions: instructions.trim().parse().ok()?,
            allocations: allocations.trim().parse().ok()?,
            system: 0.0,
        })
    });
    counts.collect()
}

/// The text that [`parse`] reads.
pub(crate) fn format(counts: &[Count], compiler: &str) -> String {
    let mut text = format!(
        "# Instructions and allocations of each operation, counted with {compiler}.\n\
         # `cargo xtask bench instructions` compares them, and with `--accept` writes this file.\n"
    );
    for count in counts {
        let Count { operation, instructions, allocations, .. } = count;
        let _ = writeln!(text, "{operation:<42} | {instructions:>9.0}, {allocations:>6.1}");
    }
    text
}

/// A table of both, and the operations that take too much more.
pub(crate) fn compare(accepted: &[Count], counted: &[Count]) -> (String, Vec<String>) {
    let mut table = format!(
        "{:<42} {:>12} {:>9} {:>7} {:>12} {:>9} {:>13}\n",
        "operation",
        "instructions",
        "accepted",
        "change",
        "allocations",
        "accepted",
        "+ of libraries"
    );
    let mut grown = Vec::new();
    for count in counted {
        let Count { operation, instructions, allocations, system } = count;
        let Some(before) = accepted.iter().find(|before| before.operation == *operation) else {
            grown.push(format!("{operation}: there is no accepted count"));
            continue;
        };
        let change = instructions / before.instructions - 1.0;
        let _ = writeln!(
            table,
            "{operation:<42} {instructions:>12.0} {:>9.0} {:>+6.1}% {allocations:>12.1} {:>9.1} {system:>13.0}",
            before.instructions,
            change * 100.0,
            before.allocations,
        );
        if change > LIMIT {
            grown.push(format!("{operation}: {:.1} % more instructions", change * 100.0));
        }
        if *allocations > before.allocations * (1.0 + LIMIT) {
            let before = before.allocations;
            grown.push(format!("{operation}: {allocations:.1} allocations instead of {before:.1}"));
        }
    }
    let gone = accepted
        .iter()
        .filter(|before| !counted.iter().any(|count| count.operation == before.operation));
    grown.extend(gone.map(|count| format!("{}: it was not counted", count.operation)));
    (table, grown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(operation: &str, instructions: f64, allocations: f64) -> Count {
        Count { operation: operation.to_owned(), instructions, allocations, system: 0.0 }
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let counts = [count("a record: read, write", 1_000.0, 2.0), count("b", 7.0, 0.0)];
        assert_eq!(parse(&format(&counts, "rustc 1.2.3")), counts);
    }

    #[test]
    fn more_than_a_twentieth_more_is_found_and_less_is_not() {
        let before = [count("a", 1_000.0, 10.0)];
        let grown = |instructions, allocations| {
            compare(&before, &[count("a", instructions, allocations)]).1
        };
        assert!(grown(1_049.0, 10.0).is_empty() && grown(10.0, 1.0).is_empty());
        assert!(grown(1_051.0, 10.0)[0].contains("5.1 % more instructions"));
        assert!(grown(1_000.0, 11.0)[0].contains("11.0 allocations instead of 10.0"));
        assert_eq!(compare(&before, &[count("b", 1.0, 1.0)]).1.len(), 2);
    }
}
