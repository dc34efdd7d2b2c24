//! One operation in progress.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use tokio::time::Instant;

use crate::{
    Idempotency,
    deadline::{Deadline, FAR},
    observe,
};

/// One operation of a store: its name in errors, what it does, its deadline, and whether an answer was lost. All its
/// round trips share the deadline.
///
/// ```
/// use std::{future::pending, time::Duration};
/// use cloakroom_backend::{Idempotency, Operation};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let limit = Duration::from_millis(20);
/// let operation = Operation::start("redis", "set", Idempotency::Once, limit);
/// operation.check_id("an id")?;
/// let answer = operation.within(pending::<()>()).await;
/// assert!(answer.is_none());
/// // The command was sent.
/// operation.lose_answer();
/// let error = operation.timeout();
/// assert_eq!(error.to_string(), "redis: set: no answer within 20ms");
/// assert!(error.outcome_unknown());
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Operation {
    store: &'static str,
    name: &'static str,
    idempotency: Idempotency,
    began: Instant,
    deadline: Deadline,
    /// The store's own limit, which may be later than the deadline.
    own: Duration,
    /// Whether it was sent and its answer was lost. If so, it may have been carried out, no matter what fails later.
    unanswered: AtomicBool,
    /// Whether it was sent a second time. There is no third: a server that loses two answers in a row is in trouble.
    repeated: AtomicBool,
}

impl Operation {
    /// Starts an operation with the deadline `limit` from now, or earlier if the store's caller has less time left; see
    /// [`within`](crate::within). A limit of more than a year is shortened to a year.
    #[must_use]
    pub fn start(
        store: &'static str,
        name: &'static str,
        idempotency: Idempotency,
        limit: Duration,
    ) -> Self {
        let began = Instant::now();
        Self {
            store,
            name,
            idempotency,
            began,
            deadline: Deadline::since(began, limit),
            own: limit.min(FAR),
            unanswered: AtomicBool::new(false),
            repeated: AtomicBool::new(false),
        }
    }

    /// Returns a part of the same operation with its own outcome, for example the part for another server.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { unanswered: AtomicBool::new(false), repeated: AtomicBool::new(false), ..*self }
    }

    /// Returns a part of the same operation that only reads.
    #[must_use]
    pub fn reading(&self) -> Self {
        Self { idempotency: Idempotency::Read, ..self.part() }
    }

    /// Returns a part of the same operation that may be sent again.
    #[must_use]
    pub fn repeatable(&self) -> Self {
        Self { idempotency: Idempotency::Repeatable, ..self.part() }
    }

    /// Returns the name of the operation, such as `get`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns what the operation does when it is sent.
    #[must_use]
    pub const fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    /// Returns when the operation started.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Returns the deadline.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline.at
    }

    /// Returns the time until the deadline, or zero after it.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.at.saturating_duration_since(Instant::now())
    }

    /// Returns true if the deadline has passed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.time_left().is_zero()
    }

    /// Returns how long a connection may be silent before it is given up: three quarters of the limit that the store
    /// passed to [`start`](Self::start), even if its caller has less time.
    ///
    /// Count it from when something was sent. An operation whose caller is in a hurry, or that first waited for
    /// something else, proves nothing about a connection that others use too.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.own / 4 * 3
    }

    /// Returns the result of `work`. If the deadline passes first, it drops `work` and returns `None`.
    ///
    /// It requires a runtime with timers; [`Runtimes::current`](crate::Runtimes::current) checks for one.
    pub fn within<F: Future + Send>(
        &self,
        work: F,
    ) -> impl Future<Output = Option<F::Output>> + Send + use<F> {
        self.deadline.keep(work)
    }

    /// Notes that the operation was sent and its answer was lost. This has no effect on a read.
    pub fn lose_answer(&self) {
        if self.idempotency != Idempotency::Read {
            self.unanswered.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that the missing answer has arrived.
    pub fn find_answer(&self) {
        self.unanswered.store(false, Ordering::Relaxed);
    }

    /// Returns true if the operation may have written something although it failed.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// Returns true if the operation may be sent again although the first attempt may have succeeded. It returns true
    /// only once.
    pub fn repeat(&self) -> bool {
        let repeats =
            self.idempotency != Idempotency::Once && !self.repeated.swap(true, Ordering::Relaxed);
        if repeats {
            observe::tried_again();
        }
        repeats
    }

    /// Returns an error of this operation. The outcome is unknown if an answer was lost.
    #[must_use]
    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        let error = Error::new(kind, self.store, self.name, message.into());
        if self.outcome_unknown() { error.with_outcome_unknown() } else { error }
    }

    /// Returns the error for a passed deadline.
    #[must_use]
    pub fn timeout(&self) -> Error {
        self.error(ErrorKind::Timeout, self.deadline.message())
    }

    /// Returns an error from elsewhere, such as that of a record that cannot be parsed, under the names of this
    /// operation.
    #[must_use]
    pub fn named(&self, error: Error) -> Error {
        error.with_context(self.store, self.name)
    }
}
