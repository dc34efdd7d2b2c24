//! Says which promise an answer breaks that no order explains.

use super::{Kind, Violation};
use crate::history::{Call, Loss, Lost, Operation, Outcome, has};

/// The violation that this operation shows.
pub(super) fn violation(
    culprit: &Operation,
    operations: &[&Operation],
    losses: &[Loss],
) -> Violation {
    let (kind, why) = match culprit.saw() {
        Some(Some(content)) if let Some(destroy) = revived(content, culprit, operations) => {
            (Kind::Revived, format!("although {}", shown(destroy)))
        }
        Some(seen) => match lost(seen, culprit, operations, losses) {
            Some((token, true)) => (Kind::StaleRead, format!("without {token}, which came back")),
            Some((token, false)) => (Kind::LostWrite, format!("without {token}")),
            None => (Kind::Unexplained, "which no order explains".to_owned()),
        },
        None => (Kind::Unexplained, "which no order explains".to_owned()),
    };
    Violation {
        kind,
        sid: culprit.sid.clone(),
        what: format!("{} {why}\n{}", shown(culprit), around(culprit, operations)),
        at_us: culprit.start_us,
    }
}

/// The destroy that should have ended what this content descends from.
fn revived<'a>(
    content: &str,
    culprit: &Operation,
    operations: &[&'a Operation],
) -> Option<&'a Operation> {
    let is_source = |operation: &&&Operation| match &operation.call {
        Call::Create(written) | Call::Set { content: written, .. } => {
            operation.may_have_happened()
                && operation.start_us <= culprit.end_us.unwrap_or(u64::MAX)
                && (content == written || content.starts_with(&format!("{written} ")))
        }
        _ => false,
    };
    // When the last call that can have stored the beginning of it was over.
    let sources = operations.iter().filter(is_source);
    let stored_us = sources.map(|source| source.end_us.unwrap_or(u64::MAX)).max()?;
    let destroys = operations.iter().filter(|operation| {
        operation.call == Call::Destroy
            && operation.is_acknowledged()
            && operation.start_us > stored_us
            && operation.end_us.is_some_and(|end_us| end_us < culprit.start_us)
    });
    destroys.copied().max_by_key(|destroy| destroy.end_us)
}

/// The token of an acknowledged write that was not seen although nothing can have removed it, and whether it is seen
/// again later.
fn lost<'a>(
    seen: Option<&str>,
    culprit: &Operation,
    operations: &[&'a Operation],
    losses: &[Loss],
) -> Option<(&'a str, bool)> {
    let until_us = culprit.end_us.unwrap_or(u64::MAX);
    let removes = |other: &Operation, token: &str| match &other.call {
        Call::Destroy => other.may_have_happened(),
        Call::Set { content, .. } => other.may_have_happened() && !has(content, token),
        _ => false,
    };
    for write in operations.iter().filter(|operation| operation.is_acknowledged()) {
        let Some(token) = write.call.token() else { continue };
        let has_changed = !matches!(
            write.outcome,
            Outcome::Ok(crate::history::Answer::Exists)
                | Outcome::Ok(crate::history::Answer::Missing)
                | Outcome::Ok(crate::history::Answer::Conflict(_))
        );
        let is_earlier = write.end_us.is_some_and(|end_us| end_us < culprit.start_us);
        if !has_changed || !is_earlier || seen.is_some_and(|content| has(content, token)) {
            continue;
        }
        let overlaps = |start_us: u64, end_us: Option<u64>| {
            start_us < until_us && end_us.is_none_or(|end_us| end_us > write.start_us)
        };
        let may_be_lost = losses.iter().any(|loss| {
            let is_all = matches!(loss.lost, Lost::All | Lost::Any | Lost::Recent);
            is_all && loss.concerns(&culprit.sid) && overlaps(loss.start_us, Some(loss.end_us))
        });
        let is_removed = operations.iter().any(|other| {
            let end_us = other.end_us.filter(|_| other.is_acknowledged());
            removes(other, token) && overlaps(other.start_us, end_us)
        });
        if !is_removed && !may_be_lost {
            let comes_back = operations.iter().any(|other| {
                other.start_us > until_us
                    && other.saw().flatten().is_some_and(|content| has(content, token))
            });
            return Some((token, comes_back));
        }
    }
    None
}

fn shown(operation: &Operation) -> String {
    let end_us = operation.end_us.map_or("-".to_owned(), |end_us| end_us.to_string());
    let Operation { process, start_us, call, outcome, .. } = operation;
    format!("[{start_us}..{end_us} {process}] {call:?} => {outcome:?}")
}

/// The calls that end or begin around this one, for whoever looks into it.
fn around(culprit: &Operation, operations: &[&Operation]) -> String {
    let mut near: Vec<&&Operation> = operations
        .iter()
        .filter(|operation| operation.start_us <= culprit.end_us.unwrap_or(u64::MAX))
        .filter(|operation| operation.may_have_happened())
        .collect();
    near.sort_by_key(|operation| operation.end_us.unwrap_or(u64::MAX).min(culprit.start_us));
    let last = near.len().saturating_sub(30);
    let lines: Vec<String> = near[last..].iter().map(|operation| shown(operation)).collect();
    lines.join("\n")
}
