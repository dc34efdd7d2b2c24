//! The processor time that steps and programs take: on a machine that does other things as well, it says more than a
//! clock.

use std::{fmt, fs, time::Instant};

/// The unit of the times in `/proc`, `USER_HZ` in proc(5): a hundredth of a second on every usual Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The time that something took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) seconds: f64,
    /// The processor time of all its processes that were waited for. `None` where there is no `/proc`.
    pub(crate) processor: Option<f64>,
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.1}", self.seconds)?;
        match self.processor {
            Some(seconds) => write!(f, "{seconds:>8.1}"),
            None => write!(f, "{:>8}", "?"),
        }
    }
}

/// The lines of a table of times, below its heading.
pub(crate) fn table<'a>(heading: &str, rows: impl IntoIterator<Item = (&'a str, Used)>) -> String {
    let mut table = format!("{:>8}{:>8}  {heading}", "seconds", "of CPU");
    for (name, used) in rows {
        table += &format!("\n{used}  {name}");
    }
    table
}

/// Measures what this process and the processes that it waits for take from now on.
pub(crate) struct Stopwatch {
    start: Instant,
    processor: Option<f64>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), processor: processor_time("self") }
    }

    pub(crate) fn used(&self) -> Used {
        let processor = processor_time("self").zip(self.processor).map(|(now, then)| now - then);
        Used { seconds: self.start.elapsed().as_secs_f64(), processor }
    }
}

/// The seconds of processor time of a process and of its children that it has waited for. `None` if it is gone,
/// or where there is no `/proc`.
pub(crate) fn processor_time(process: &str) -> Option<f64> {
    parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// The fields `utime`, `stime`, `cutime` and `cstime`, see proc(5).
fn parse(stat: &str) -> Option<f64> {
    // The second field is a name in parentheses, which may contain anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(11).take(4).map(str::parse::<u64>);
    let ticks = ticks.collect::<Result<Vec<_>, _>>().ok().filter(|ticks| ticks.len() == 4)?;
    Some(ticks.iter().sum::<u64>() as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_process_are_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 200 0 0 150 50 1000 25 20 0 1 0 12345 1 1";
        assert_eq!(parse(stat), Some(12.25));
        assert_eq!(parse("7 (a) S 1 7"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_table_has_a_line_for_each() {
        let rows = [
            ("a", Used { seconds: 1.0, processor: Some(0.25) }),
            ("b", Used { seconds: 200.0, processor: None }),
        ];
        assert_eq!(
            table("step", rows),
            " seconds  of CPU  step\n     1.0     0.2  a\n   200.0       ?  b"
        );
    }
}
