//! What a run says in the end: JSON, and a row of a table.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    check::{Findings, Kind, Violation},
    history::{History, Outcome},
    nemesis::Harm,
    run::{Options, errors},
    target::{Fault, Target},
};

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The name of the target.
    pub target: String,
    /// The server and its version.
    pub version: String,
    /// How long it took.
    pub seconds: u64,
    /// Its seed.
    pub seed: u64,
    /// How many sessions were used.
    pub sessions: usize,
    /// How many calls were made.
    pub operations: usize,
    /// How many of these were made by Node.js.
    pub operations_of_node: usize,
    /// How many calls were answered.
    pub acknowledged: usize,
    /// How many failed without effect.
    pub failed: usize,
    /// How many may have happened.
    pub unknown: usize,
    /// How often each fault happened.
    pub faults: BTreeMap<String, usize>,
    /// The promises that were broken.
    pub violations: Vec<Violation>,
    /// How many sessions had too many orders of calls to try.
    pub undecided: usize,
    /// The time from the end of a fault to the first success of the last Rust process that had one, or from a failover to
    /// the last failure, in milliseconds: the
    /// median of all faults.
    pub recovery_p50_ms: u64,
    /// The longest such time.
    pub recovery_max_ms: u64,
    /// The faults with the three longest times.
    pub slowest_recoveries: Vec<(String, u64)>,
    /// The errors, and how often each occurred.
    pub errors: BTreeMap<String, usize>,
}

impl Report {
    pub(crate) fn of(
        name: &str,
        target: &dyn Target,
        options: &Options,
        history: &History,
        harms: &[Harm],
        mut findings: Findings,
    ) -> Self {
        let mut faults = BTreeMap::new();
        for harm in harms {
            *faults.entry(harm.fault.to_string()).or_default() += 1;
        }
        findings.violations.extend(not_recovered(history, harms));
        let mut recoveries = recoveries(history, harms);
        recoveries.sort_by_key(|(_, ms)| *ms);
        let recovery_ms = |at: usize| recoveries.get(at).map_or(0, |(_, ms)| *ms);
        let slowest = recoveries.iter().rev().take(3);
        let count = |is: fn(&Outcome) -> bool| {
            history.operations.iter().filter(|operation| is(&operation.outcome)).count()
        };
        Self {
            target: name.to_owned(),
            version: target.version(),
            seconds: options.seconds,
            seed: options.seed,
            sessions: findings.sessions,
            operations: history.operations.len(),
            operations_of_node: history
                .operations
                .iter()
                .filter(|operation| operation.process.starts_with('n'))
                .count(),
            acknowledged: count(|outcome| matches!(outcome, Outcome::Ok(_))),
            failed: count(|outcome| matches!(outcome, Outcome::Failed(_))),
            unknown: count(|outcome| matches!(outcome, Outcome::Unknown(_))),
            faults,
            violations: findings.violations,
            undecided: findings.undecided,
            recovery_p50_ms: recovery_ms(recoveries.len() / 2),
            recovery_max_ms: recovery_ms(recoveries.len().saturating_sub(1)),
            slowest_recoveries: slowest.map(|(fault, ms)| (fault.to_string(), *ms)).collect(),
            errors: errors(history),
        }
    }
}

/// When the calls of each Rust process began and ended, of those that succeeded.
fn successes(history: &History) -> BTreeMap<&str, Vec<(u64, u64)>> {
    let mut successes: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for operation in &history.operations {
        if operation.process.starts_with('r') {
            let of_process = successes.entry(&operation.process).or_default();
            if let (true, Some(end_us)) = (operation.is_acknowledged(), operation.end_us) {
                of_process.push((operation.start_us, end_us));
            }
        }
    }
    successes
}

/// The time that each fault took to recover from, in milliseconds: from its end to the first success of the last process,
/// or, if another machine took over, from its beginning to the end of the last failure.
fn recoveries(history: &History, harms: &[Harm]) -> Vec<(Fault, u64)> {
    let successes = successes(history);
    let mut recoveries = Vec::new();
    for (number, harm) in harms.iter().enumerate() {
        if harm.is_failover {
            let next_us = harms.get(number + 1).map_or(u64::MAX, |next| next.start_us);
            let last_us = last_failure(history, harm.start_us, next_us).unwrap_or(harm.start_us);
            recoveries.push((harm.fault, (last_us - harm.start_us) / 1_000));
            continue;
        }
        let first = |ends: &Vec<(u64, u64)>| {
            let later = ends.iter().filter(|(start_us, _)| *start_us >= harm.over_us);
            later.map(|(_, end_us)| end_us - harm.over_us).min()
        };
        let clients = harm.clients.iter().filter_map(|name| successes.get(&**name));
        recoveries.extend(clients.filter_map(first).max().map(|us| (harm.fault, us / 1_000)));
    }
    recoveries
}

/// When the last call of a Rust process failed that began in this time and that was not dropped or killed.
fn last_failure(history: &History, from_us: u64, until_us: u64) -> Option<u64> {
    let failures = history.operations.iter().filter(|operation| {
        let is_failure = match &operation.outcome {
            Outcome::Ok(_) => false,
            Outcome::Failed(_) => true,
            Outcome::Unknown(why) => why != "dropped" && why != "killed",
        };
        is_failure
            && operation.process.starts_with('r')
            && (from_us..until_us).contains(&operation.start_us)
    });
    failures.filter_map(|operation| operation.end_us).max()
}

/// The processes that called after the last fault, and had no success.
fn not_recovered(history: &History, harms: &[Harm]) -> Vec<Violation> {
    let over_us = harms.last().map_or(0, |harm| harm.over_us);
    let mut violations = Vec::new();
    for (process, ends) in successes(history) {
        let calls = history.operations.iter().filter(|operation| {
            operation.process == process
                && operation.start_us >= over_us
                && operation.end_us.is_some()
        });
        let count = calls.count();
        if count > 0 && !ends.iter().any(|(start_us, _)| *start_us >= over_us) {
            violations.push(Violation {
                kind: Kind::NotRecovered,
                sid: String::new(),
                what: format!("{process} called {count} times after the last fault, in vain"),
                at_us: over_us,
            });
        }
    }
    violations
}

/// A table of runs, in Markdown.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut table = "\
| target | server | seconds | operations (of Node.js) | acknowledged | failed | unknown | faults | violations | recovery p50, max |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"
    .to_owned();
    for report in reports {
        let Report { target, version, seconds, operations, operations_of_node: node, .. } = report;
        let Report { acknowledged, failed, unknown, undecided, .. } = report;
        let faults: usize = report.faults.values().sum();
        let violations = match (report.violations.len(), undecided) {
            (count, 0) => count.to_string(),
            (count, undecided) => format!("{count} ({undecided} sessions undecided)"),
        };
        let recovery = format!("{} ms, {} ms", report.recovery_p50_ms, report.recovery_max_ms);
        table += &format!(
            "| {target} | {version} | {seconds} | {operations} ({node}) | {acknowledged} | {failed} | {unknown} | {faults} | {violations} | {recovery} |\n"
        );
    }
    table
}
