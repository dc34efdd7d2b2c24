//! Decides who may connect to a server in trouble, and when.
//!
//! Normally, every call may connect. After a loss, one call at a time may, after a pause that grows with each loss, and
//! the calls that wait share its outcome. The same holds before the server's first answer. A call that nobody polls
//! keeps the others waiting for one attempt, and no longer.

use std::{
    future::Future,
    io, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use cloakroom_backend::Pace;
use memcache::exp::Error as ClientError;
use tokio::time::{sleep, timeout};

use crate::{
    loss::copy,
    silence::Silence,
    turn::{Turn, Turns},
};

/// The losses in a row that have no pause.
const AT_ONCE: u32 = 1;

/// The pause after the next loss. It doubles with each further one.
const SHORTEST: Duration = Duration::from_millis(5);

/// The longest pause, and therefore the delay with which a server's return is noticed.
const LONGEST: Duration = Duration::from_millis(60);

/// The longest pause if nothing listens. It is shorter, because a refusal costs the server nothing.
const LONGEST_REFUSED: Duration = Duration::from_millis(15);

/// The time after a loss from which the server counts as healthy again, if it has answered since.
const CALM: Duration = Duration::from_secs(1);

/// Guards the connections of one runtime to one server.
#[derive(Default)]
pub(crate) struct Gate {
    turns: Turns,
    state: Mutex<State>,
}

struct State {
    /// When the server last answered.
    answered: Option<Instant>,
    /// When connections were lost or could not be made.
    pace: Pace,
    silence: Silence,
    /// The number of new connections that failed, and the error of the last one.
    failed: u64,
    cause: Option<ClientError>,
    /// Why a connection was lost, until the operator is told.
    untold: Option<&'static str>,
    /// Whether a connection was lost and none was made since.
    has_lost: bool,
}

/// The permission to make a connection.
pub(crate) struct Pass<'a>(Option<Turn<'a>>);

impl Gate {
    /// Waits for the permission. Returns the error of another call's attempt if that fails before it is this call's
    /// turn. `patience` is the time limit for connecting.
    pub(crate) async fn pass(&self, patience: Duration) -> Result<Pass<'_>, ClientError> {
        let failed = {
            let state = self.lock();
            if state.is_open() {
                return Ok(Pass(None));
            }
            state.failed
        };
        loop {
            // Before the look at the turn, so that it misses none that is given back.
            let freed = self.turns.freed();
            let taken = self.turns.take(Instant::now(), longest_turn(patience));
            let pause = {
                let state = self.lock();
                if let Some(cause) = state.cause.as_ref().filter(|_| state.failed != failed) {
                    return Err(copy(cause));
                }
                if state.is_open() {
                    return Ok(Pass(None));
                }
                state.pace.pause(Instant::now())
            };
            match taken {
                Ok(turn) => {
                    if !pause.is_zero() {
                        sleep(pause).await;
                    }
                    return Ok(Pass(Some(turn)));
                }
                Err(left) => {
                    let _ = timeout(left, freed).await;
                }
            }
        }
    }

    /// Notes that the server has answered.
    pub(crate) fn answered(&self) {
        self.lock().answered = Some(Instant::now());
    }

    /// Returns true if the server has answered on any connection since then.
    pub(crate) fn has_answered_since(&self, then: Instant) -> bool {
        self.lock().answered.is_some_and(|answered| answered > then)
    }

    /// Notes that a call which asked at this moment ends without an answer. Returns true if the server is silent: it
    /// has answered neither this call nor the calls just before it for `limit`.
    ///
    /// If all callers were in a hurry, one call alone would prove nothing.
    pub(crate) fn is_silent(&self, asked: Instant, limit: Duration) -> bool {
        let mut state = self.lock();
        let answered = state.answered;
        state.silence.waits(answered, asked, Instant::now(), limit)
    }

    /// Notes that a connection was lost whose command was sent at this moment.
    pub(crate) fn lost(&self, asked: Instant) {
        self.lock().lose(asked, Instant::now(), LONGEST);
    }

    /// Notes that a call has lost its connection, for the operator.
    pub(crate) fn left(&self, reason: &'static str) {
        let mut state = self.lock();
        (state.untold, state.has_lost) = (Some(reason), true);
    }

    /// Returns why a connection was lost, if the operator was not told.
    pub(crate) fn take_untold(&self) -> Option<&'static str> {
        self.lock().untold.take()
    }

    /// Notes that a connection was made. Returns true if one was lost before.
    pub(crate) fn returned(&self) -> bool {
        mem::take(&mut self.lock().has_lost)
    }

    /// Notes that the attempt with this pass, which began at this moment, made no connection, or one that gave no
    /// answer.
    pub(crate) fn failed(&self, pass: &Pass<'_>, began: Instant, cause: &ClientError) {
        let mut state = self.lock();
        state.lose(began, Instant::now(), longest_pause(cause));
        if pass.is_turn() {
            state.failed += 1;
            state.cause = Some(copy(cause));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            answered: None,
            pace: Pace::new(AT_ONCE, SHORTEST, CALM),
            silence: Silence::default(),
            failed: 0,
            cause: None,
            untold: None,
            has_lost: false,
        }
    }
}

impl State {
    /// Notes that a connection was lost, or could not be made, whose command was sent at this moment.
    fn lose(&mut self, asked: Instant, now: Instant, longest: Duration) {
        // Connections that are lost at the same time count as one loss.
        if self.pace.last_failure().is_none_or(|lost| lost < asked) {
            self.pace.forget_old(now);
            self.pace.fail(now, longest);
            self.cause = None;
        }
    }

    /// Returns true if every call may connect: the server has answered, and no connection was lost within the last
    /// second.
    fn is_open(&self) -> bool {
        self.answered > self.pace.last_failure() && self.pace.is_calm(Instant::now())
    }
}

impl Pass<'_> {
    /// Returns true if waiting calls share the outcome of this call's attempt.
    fn is_turn(&self) -> bool {
        self.0.as_ref().is_some_and(Turn::is_current)
    }

    /// Waits for the first answer. Other calls wait as well, but no longer than `patience`; then the next one tries.
    pub(crate) async fn hold<T>(
        &mut self,
        patience: Duration,
        answer: impl Future<Output = T> + Send,
    ) -> T {
        let mut answer = std::pin::pin!(answer);
        if let Some(turn) = self.0.take() {
            turn.keep(Instant::now(), longest_turn(patience));
            if let Ok(answer) = timeout(patience, &mut answer).await {
                // Kept until the outcome is known, because waiting calls look at it.
                self.0 = Some(turn);
                return answer;
            }
            drop(turn);
        }
        answer.await
    }
}

/// Returns how long a turn is kept: longer than a pause and the time limit for connecting, so that only a call that
/// nobody polls loses it.
fn longest_turn(patience: Duration) -> Duration {
    patience.saturating_add(LONGEST * 2)
}

fn longest_pause(cause: &ClientError) -> Duration {
    match cause {
        ClientError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            LONGEST_REFUSED
        }
        _ => LONGEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn refused() -> ClientError {
        ClientError::Io(io::ErrorKind::ConnectionRefused.into())
    }

    #[tokio::test]
    async fn before_the_first_answer_one_call_tries_and_then_all_may() {
        let gate = Gate::default();
        let first = gate.pass(PATIENCE).await.unwrap();
        assert!(first.0.is_some());
        assert!(
            futures::FutureExt::now_or_never(gate.pass(PATIENCE)).is_none(),
            "the second waits"
        );
        gate.answered();
        drop(first);
        let passes = [gate.pass(PATIENCE).await.unwrap(), gate.pass(PATIENCE).await.unwrap()];
        assert!(passes.iter().all(|pass| pass.0.is_none()));
    }

    #[tokio::test]
    async fn who_waits_for_an_attempt_shares_what_it_meets() {
        let gate = Gate::default();
        let first = gate.pass(PATIENCE).await.unwrap();
        let began = Instant::now();
        let outcomes = {
            let mut waiting: Vec<_> = (0..40).map(|_| Box::pin(gate.pass(PATIENCE))).collect();
            for call in &mut waiting {
                assert!(futures::FutureExt::now_or_never(call.as_mut()).is_none());
            }
            gate.failed(&first, began, &refused());
            drop(first);
            futures::future::join_all(waiting).await
        };
        for outcome in outcomes {
            let Err(ClientError::Io(error)) = outcome else { panic!("it has tried itself") };
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        }
        // A later call tries again.
        assert!(gate.pass(PATIENCE).await.unwrap().0.is_some());
    }

    #[tokio::test]
    async fn nobody_shares_what_an_attempt_meets_that_began_when_all_was_well() {
        let gate = Gate::default();
        gate.answered();
        let (open, began) = (gate.pass(PATIENCE).await.unwrap(), Instant::now());
        gate.lost(began);
        let first = gate.pass(PATIENCE).await.unwrap();
        let mut second = Box::pin(gate.pass(PATIENCE));
        assert!(futures::FutureExt::now_or_never(second.as_mut()).is_none());
        gate.failed(&open, began, &refused());
        drop(first);
        assert!(second.await.unwrap().is_turn());
    }

    #[tokio::test]
    async fn a_turn_that_is_dropped_is_the_next_ones() {
        let gate = Gate::default();
        drop(gate.pass(PATIENCE).await.unwrap());
        assert!(gate.pass(PATIENCE).await.unwrap().0.is_some());
    }

    #[tokio::test]
    async fn a_turn_without_an_answer_ends_before_its_call() {
        let gate = Gate::default();
        let mut first = gate.pass(PATIENCE).await.unwrap();
        let silence = first.hold(Duration::from_millis(1), std::future::pending::<()>());
        let second = async { gate.pass(PATIENCE).await.map(|pass| pass.0.is_some()) };
        let outcome = futures::future::select(Box::pin(silence), Box::pin(second)).await;
        let futures::future::Either::Right((second, _)) = outcome else { panic!() };
        assert!(second.unwrap());
    }

    #[tokio::test]
    async fn calls_that_nobody_polls_hold_up_no_other() {
        let gate = Gate::default();
        let patience = Duration::from_millis(1);
        let turn = gate.pass(patience).await.unwrap();
        let mut waits = Box::pin(gate.pass(patience));
        assert!(futures::FutureExt::now_or_never(waits.as_mut()).is_none());
        let next = timeout(PATIENCE, gate.pass(patience)).await.unwrap().unwrap();
        assert!(next.is_turn() && !turn.is_turn());
        // The first one has lost the turn, so neither its failure nor its end counts.
        gate.failed(&turn, Instant::now(), &refused());
        drop(turn);
        assert!(futures::FutureExt::now_or_never(gate.pass(PATIENCE)).is_none());
        drop(next);
        assert!(gate.pass(PATIENCE).await.unwrap().is_turn());
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let start = Instant::now();
        for (cause, end) in
            [(refused(), LONGEST_REFUSED), (ClientError::Protocol(String::new()), LONGEST)]
        {
            let mut state = State::default();
            let mut longest = Duration::ZERO;
            for losses in 1..100 {
                let lost = start + losses * (CALM / 2);
                state.lose(lost, lost, longest_pause(&cause));
                let pause = state.pace.pause(lost);
                assert_eq!(pause.is_zero(), losses < 2, "{losses}");
                assert!(pause <= end && pause * 2 >= longest, "{losses}: {pause:?}");
                longest = longest.max(pause);
            }
            assert!(longest > end / 2, "{longest:?}");
        }
    }

    #[test]
    fn what_is_lost_at_once_is_one_loss() {
        let gate = Gate::default();
        let asked = Instant::now();
        for _ in 0..40 {
            gate.lost(asked);
        }
        assert_eq!(gate.lock().pace.failures(), 1);
        gate.lost(Instant::now());
        assert_eq!(gate.lock().pace.failures(), 2);
    }

    #[test]
    fn trouble_is_over_when_it_was_calm_for_a_while() {
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds));
        for (answered, lost, open) in [
            (None, None, false),
            (ago(3), None, true),
            (ago(3), ago(2), false),
            (ago(0), ago(2), true),
            (Some(Instant::now() + CALM), ago(0), false),
        ] {
            let mut state = State { answered, ..State::default() };
            if let Some(lost) = lost {
                state.pace.fail(lost, LONGEST);
            }
            assert_eq!(state.is_open(), open, "{answered:?} {lost:?}");
        }
    }
}
