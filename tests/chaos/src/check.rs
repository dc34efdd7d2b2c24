//! Finds what no correct store can have answered.
//!
//! A session is a register: it is missing, or has a content. `register` looks for an order of the calls in which every
//! answer is right and which no clock contradicts. If no order exists, `name` says which promise is broken. A violation is
//! reported only if no order exists, so a correct store never has one; a session with too many orders to try is counted
//! as undecided.

mod name;
mod register;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::history::{Call, History, Operation, Outcome, before_last};
use register::Search;

/// What is allowed.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// How long a call of these processes may take. A process without a limit is not listed.
    pub deadline_us: BTreeMap<String, u64>,
    /// When the run was over: a call that began this long before, and was not answered, is stuck.
    pub over_us: u64,
}

/// How many turns a call may have to wait for the processor, each as long as the machine was late.
const TURNS: u64 = 20;
/// What a call may take beyond its deadline.
const SLACK_US: u64 = 1_000_000;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which promise.
    pub kind: Kind,
    /// The session.
    pub sid: String,
    /// What was seen.
    pub what: String,
    /// When, in microseconds.
    pub at_us: u64,
}

/// The promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An acknowledged write is gone, and no other call can have removed it.
    LostWrite,
    /// A session was seen after an acknowledged destroy, and nothing created it again.
    Revived,
    /// A read lacks an acknowledged write that a later read has.
    StaleRead,
    /// No order of the calls explains the answer.
    Unexplained,
    /// A write that failed happened anyway.
    FailedHappened,
    /// A write happened twice.
    Twice,
    /// A member that nobody wrote.
    Invented,
    /// A call took longer than its deadline.
    Late,
    /// A call was never answered.
    Stuck,
    /// A process had no success after the last fault was over.
    NotRecovered,
}

/// What the checker found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The broken promises.
    pub violations: Vec<Violation>,
    /// How many sessions had too many orders to try.
    pub undecided: usize,
    /// How many sessions there were.
    pub sessions: usize,
}

/// Checks a history.
#[must_use]
pub fn check(history: &History, limits: &Limits) -> Findings {
    let sessions = history.by_session();
    let mut findings = Findings { sessions: sessions.len(), ..Findings::default() };
    for (sid, operations) in sessions {
        let earlier = findings.violations.len();
        findings.violations.extend(check_tokens(sid, &operations));
        if findings.violations.len() > earlier {
            // No order explains these either.
            continue;
        }
        match Search::new(&operations, &history.losses).run() {
            Ok(()) => {}
            Err(register::Stop::TooMany) => findings.undecided += 1,
            Err(register::Stop::NoOrder(culprit)) => {
                findings.violations.push(name::violation(culprit, &operations, &history.losses));
            }
        }
    }
    for operation in &history.operations {
        findings.violations.extend(check_time(operation, limits));
    }
    findings
}

/// Checks that each member was written by one call, once, and that this call did not fail.
fn check_tokens(sid: &str, operations: &[&Operation]) -> Vec<Violation> {
    let mut writers: BTreeMap<&str, &Operation> = BTreeMap::new();
    for operation in operations {
        if let Some(token) = operation.call.token() {
            writers.insert(token, operation);
        }
    }
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut violations: BTreeMap<(Kind, &str), Violation> = BTreeMap::new();
    let mut report = |kind, token, operation: &Operation, what: String| {
        violations.entry((kind, token)).or_insert(Violation {
            kind,
            sid: sid.to_owned(),
            what,
            at_us: operation.start_us,
        });
    };
    for operation in operations {
        for content in operation.contents() {
            // The prefixes of a known content are known too.
            let mut prefix = content;
            while !prefix.is_empty() && known.insert(prefix) {
                let token = prefix.rsplit(' ').next().unwrap_or_default();
                match writers.get(token) {
                    None => report(
                        Kind::Invented,
                        token,
                        operation,
                        format!("{token} was seen, which nobody wrote"),
                    ),
                    Some(writer) if matches!(writer.outcome, Outcome::Failed(_)) => {
                        let is_told = operation.call.token() != Some(token);
                        if is_told {
                            report(
                                Kind::FailedHappened,
                                token,
                                operation,
                                format!("{token} was seen, whose write failed: {writer:?}"),
                            );
                        } else {
                            // What the failed call itself would have written shows nothing.
                            known.remove(prefix);
                            prefix = before_last(prefix);
                            continue;
                        }
                    }
                    Some(_) => {
                        if *places.entry(token).or_insert(prefix) != prefix {
                            let what = format!("{token} was added to two contents");
                            report(Kind::Twice, token, operation, what);
                        }
                    }
                }
                prefix = before_last(prefix);
            }
        }
        if let (Call::Modify(token), Outcome::Ok(answer)) = (&operation.call, &operation.outcome)
            && let crate::history::Answer::Modified(Some(content)) = answer
            && content.rsplit(' ').next() != Some(token)
        {
            let what = format!("the answer lacks the write itself: {operation:?}");
            report(Kind::LostWrite, token, operation, what);
        }
    }
    violations.into_values().collect()
}

fn check_time(operation: &Operation, limits: &Limits) -> Option<Violation> {
    let deadline_us = limits.deadline_us.get(&operation.process)?;
    let allowed_us = deadline_us + SLACK_US + operation.late_us * TURNS;
    let report = |kind, what| {
        Some(Violation { kind, sid: operation.sid.clone(), what, at_us: operation.start_us })
    };
    match operation.end_us {
        Some(end_us) => {
            let took_us = end_us.saturating_sub(operation.start_us);
            if took_us <= allowed_us {
                return None;
            }
            report(Kind::Late, format!("took {} ms: {operation:?}", took_us / 1_000))
        }
        None => {
            // A process that was killed has an earlier end than the run: its calls are `Unknown("killed")`.
            let is_killed = matches!(&operation.outcome, Outcome::Unknown(why) if why == "killed");
            let is_due = operation.start_us + allowed_us < limits.over_us;
            if is_killed || !is_due {
                return None;
            }
            report(Kind::Stuck, format!("was never answered: {operation:?}"))
        }
    }
}
