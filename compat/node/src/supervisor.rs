//! The thread that starts the child, watches it, ends it and starts it again. It also keeps the deadlines of calls.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use cloakroom_backend::{
    doubled,
    observe::{Event, note},
};
use cloakroom_core::ErrorKind;

use crate::{
    child::Running,
    event::NodeEvent,
    operation::Operation,
    settings::Settings,
    state::{ChildState, ENDED, End, Shared, State, fail, sheltered},
};

/// The store's name in events of all stores. The package's name stands for the server.
const STORE: &str = "node";

/// The pause before a child is started again, which doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A child that lived this long was good, and what failed before it no longer matters.
const LONG_ENOUGH: Duration = Duration::from_secs(10);
/// How long a child may finish what it has begun when the store is dropped.
const GRACE: Duration = Duration::from_secs(1);

/// Starts children one after the other, until no handle is left.
pub(crate) fn supervise(shared: &Arc<Shared>) {
    let mut failures = 0;
    let mut has_lost = false;
    // A child that had a store is replaced at once; one that had none is tried again when it is needed.
    let mut restarts = false;
    let mut not_before = None;
    while is_needed(shared, restarts, not_before) {
        let ended = run(shared, has_lost);
        let Some(end) = ended.why else { break };
        restarts = ended.lived.is_some();
        has_lost |= restarts;
        if ended.lived.is_some_and(|lived| lived >= LONG_ENOUGH) {
            failures = 0;
        }
        not_before = Some(Instant::now() + doubled(FIRST_PAUSE, failures, LONGEST_PAUSE));
        failures = failures.saturating_add(1);
        tell(shared, &end, restarts);
    }
    let mut state = shared.lock();
    let message = "the store was dropped";
    let mut calls = state.calls.lost(ErrorKind::Unavailable, message, &shared.settings);
    calls.extend(state.calls.given_up(ErrorKind::Unavailable, message, &shared.settings));
    drop(state);
    fail(calls);
}

/// Waits until a child is needed. Returns false once no handle is left.
fn is_needed(shared: &Shared, restarts: bool, not_before: Option<Instant>) -> bool {
    watch(shared, |state, now| {
        if state.is_closed {
            return Ok(false);
        }
        if !restarts && !state.calls.is_waiting() {
            return Err(None);
        }
        match not_before.filter(|at| *at > now) {
            Some(at) => Err(Some(at)),
            None => Ok(true),
        }
    })
}

/// Waits until `look` finds something, or looks again at the time that it returns. The calls whose deadline passes
/// are answered.
fn watch<T>(
    shared: &Shared,
    mut look: impl FnMut(&mut State, Instant) -> Result<T, Option<Instant>>,
) -> T {
    loop {
        let mut state = shared.lock();
        let now = Instant::now();
        let late = state.calls.late(now, &shared.settings);
        if !late.is_empty() {
            drop(state);
            // Others can be sent in their place.
            shared.write.notify_all();
            fail(late);
            continue;
        }
        let again = match look(&mut state, now) {
            Ok(found) => return found,
            Err(again) => again,
        };
        state.looks_at = [again, state.calls.first_deadline()].into_iter().flatten().min();
        match state.looks_at {
            Some(at) => {
                let wait = shared.supervise.wait_timeout(state, at.saturating_duration_since(now));
                drop(wait.unwrap_or_else(PoisonError::into_inner));
            }
            None => drop(shared.supervise.wait(state).unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// How a child ended.
struct Ended {
    /// `None` if no handle was left.
    why: Option<End>,
    /// How long it had a store, or `None` if it never had.
    lived: Option<Duration>,
}

/// Something to do for a child.
enum Step {
    Announce,
    Close,
    End(End),
}

/// Runs a child from its start to its end.
fn run(shared: &Arc<Shared>, has_lost: bool) -> Ended {
    let settings = &shared.settings;
    shared.lock().child = Some(ChildState::default());
    let running = match Running::start(shared) {
        Ok(running) => running,
        Err(end) => {
            shared.lock().child = None;
            return Ended { why: Some(end), lived: None };
        }
    };
    let starts_until = Instant::now() + settings.start_deadline;
    let mut ready_at = None;
    let why = loop {
        let next = watch(shared, |state, now| {
            let next = step(settings, state, now, starts_until, ready_at);
            if state.child.as_ref().is_some_and(|child| child.asks) {
                shared.write.notify_all();
            }
            next
        });
        match next {
            Step::Announce => {
                ready_at = Some(Instant::now());
                let server = &*settings.name;
                let event = if has_lost {
                    Event::Reconnected { store: STORE, server }
                } else {
                    Event::Connected { store: STORE, server }
                };
                // It runs the application's subscriber and recorder.
                sheltered(|| note(event));
            }
            Step::Close => {
                running.finish(shared, GRACE);
                break None;
            }
            Step::End(end) => break Some(end),
        }
    };
    let status = running.end(shared);
    let why = why.map(|mut end| {
        if end.message == ENDED {
            end.message = format!("{ENDED}: {status}");
        }
        end
    });
    Ended { why, lived: ready_at.map(|at| at.elapsed()) }
}

/// Decides what to do now, or when to look again.
fn step(
    settings: &Settings,
    state: &mut State,
    now: Instant,
    starts_until: Instant,
    ready_at: Option<Instant>,
) -> Result<Step, Option<Instant>> {
    let has_calls = state.calls.is_waiting() || state.calls.is_sent();
    let Some(child) = &mut state.child else { return Err(None) };
    if state.is_closed {
        return Ok(Step::Close);
    }
    if let Some(end) = child.end.clone() {
        return Ok(Step::End(end));
    }
    if !child.is_ready {
        if now < starts_until {
            return Err(Some(starts_until));
        }
        let limit = settings.start_deadline;
        let message = format!("the Node.js process had no store within {limit:?}");
        return Ok(Step::End(End::new(ErrorKind::Timeout, message)));
    }
    if ready_at.is_none() {
        return Ok(Step::Announce);
    }
    // As for connections: three quarters of a deadline without a word, half of which after a question.
    let patience = settings.deadline / 4 * 3;
    let Some(since) = child.silent_since else {
        return Err(has_calls.then(|| now + patience / 2));
    };
    if now >= since + patience {
        let message = format!("the Node.js process did not respond within {patience:?}");
        let end = End::new(ErrorKind::Timeout, message);
        return Ok(Step::End(End { reason: "silent", ..end }));
    }
    if now >= since + patience / 2 && !child.is_asked {
        child.is_asked = true;
        child.asks = true;
    }
    Err(Some(since + if child.is_asked { patience } else { patience / 2 }))
}

/// Answers the calls that end with a child, and reports its end.
fn tell(shared: &Shared, end: &End, had_store: bool) {
    let settings = &shared.settings;
    let mut state = shared.lock();
    // It may have had calls, even if it ended before its store was announced.
    let mut calls = state.calls.lost(end.kind, &end.message, settings);
    if !had_store {
        calls.extend(state.calls.given_up(end.kind, &end.message, settings));
    }
    drop(state);
    fail(calls);
    let server = &*settings.name;
    let event = if had_store {
        Event::ConnectionLost { store: STORE, server, reason: end.reason }
    } else {
        Event::ConnectFailed { store: STORE, server, kind: end.kind }
    };
    sheltered(|| note(event));
    let error = settings.error(end.kind, Operation::Start, end.message.clone());
    shared.report(NodeEvent::Ended(&error));
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use cloakroom_compat::promisify;
    use futures::{FutureExt, executor::block_on};

    use super::*;
    use crate::{NodeStore, calls::Call, reply::Reply};

    /// The thread that reads can note that a child is ready, and that it has ended, before this one looks.
    #[test]
    fn the_calls_of_a_child_that_was_never_announced_fail_at_once() {
        let shared = NodeStore::builder().factory("() => {}").settings().map(Shared::new).unwrap();
        let deadline = Instant::now() + LONG_ENOUGH * 100;
        let call = |operation, sid: &str| {
            let (shared, sid) = (&shared, sid.to_owned());
            promisify(move |callback| {
                let reply = Reply::Done(callback);
                let call = Call { operation, sid, record: String::new(), reply, deadline };
                assert!(shared.lock().calls.add(call, &shared.settings).is_ok());
            })
        };
        let (mut sent, mut waits) =
            (Box::pin(call(Operation::Set, "a")), Box::pin(call(Operation::Set, "b")));
        block_on(poll_fn(|context| {
            assert!(sent.poll_unpin(context).is_pending());
            assert_eq!(shared.lock().calls.send(1).0.len(), 1);
            assert!(waits.poll_unpin(context).is_pending());
            std::task::Poll::Ready(())
        }));
        tell(&shared, &End::new(ErrorKind::Unavailable, ENDED), false);
        for (call, outcome_unknown) in [(sent, true), (waits, false)] {
            let error = call.now_or_never().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert_eq!(error.outcome_unknown(), outcome_unknown);
        }
    }
}
