//! Requests that meet, in every order that their calls to the store can have.

use std::{
    cell::Cell,
    collections::BTreeSet,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, MemoryOptions, MemoryStore, SessionData,
    Store, Touched, Updated,
};

use crate::site::NOW;

thread_local! {
    /// How often a request was given its turn.
    static TURNS: Cell<usize> = const { Cell::new(0) };
}

/// Gives a request its turn: each call of it that waits is carried out.
pub(crate) fn next_turn() {
    TURNS.set(TURNS.get() + 1);
}

/// A memory store each call of which waits until its request is given another turn.
#[derive(Clone)]
pub(crate) struct Steps {
    pub(crate) memory: MemoryStore,
    has_atomic: bool,
    /// How often a call was begun or carried out.
    calls: Arc<AtomicUsize>,
    /// What creates a session is carried out, and its answer is lost.
    pub(crate) loses_answers: Arc<AtomicBool>,
}

impl Steps {
    pub(crate) fn new(has_atomic: bool) -> Self {
        let mut options = MemoryOptions::default();
        options.clock = Clock::fixed(NOW);
        let memory = MemoryStore::with_options(options);
        Self { memory, has_atomic, calls: Arc::default(), loses_answers: Arc::default() }
    }

    async fn step(&self) {
        // A request that gets here has gone on, such as when it was its turn.
        self.calls.fetch_add(1, Ordering::Relaxed);
        let begun = TURNS.get();
        // A deadline polls twice in one turn.
        poll_fn(|_| if TURNS.get() == begun { Poll::Pending } else { Poll::Ready(()) }).await;
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Store for Steps {
    fn name(&self) -> &str {
        "steps"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.step().await;
        self.memory.get(sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.step().await;
        self.memory.set(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.step().await;
        self.memory.destroy(sid).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.step().await;
        self.memory.touch(sid, session).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        self.has_atomic.then_some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[async_trait]
impl Atomic for Steps {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.step().await;
        let created = self.memory.create(sid, session).await;
        if self.loses_answers.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Timeout, "steps", "create", "no answer")
                .with_outcome_unknown());
        }
        created
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.step().await;
        self.memory.update(sid, session).await
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.step().await;
        self.memory.get_and_touch(sid, ttl).await
    }
}

/// A request on its way.
pub(crate) type Request<T> = Pin<Box<dyn Future<Output = T>>>;

/// Runs requests that begin together in every order in which no more than `most_switches` of them are interrupted, and
/// checks each outcome: what the requests gave, in their order. Returns the number of orders.
pub(crate) fn in_every_order<T>(
    most_switches: usize,
    begin: impl Fn() -> (Steps, Vec<Request<T>>),
    check: impl Fn(&Steps, Vec<T>),
) -> usize {
    // Deadlines need a timer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    let (mut orders, mut prefix) = (0, Vec::new());
    loop {
        let (steps, requests) = begin();
        let (outcome, chosen) = run(&steps, requests, &prefix, most_switches);
        check(&steps, outcome);
        orders += 1;
        // The last choice that can be made otherwise is.
        let Some(at) = chosen.iter().rposition(|choice| !choice.others.is_empty()) else {
            return orders;
        };
        prefix = chosen[..at].iter().map(|choice| (choice.taken, choice.others.clone())).collect();
        let mut others = chosen[at].others.clone();
        let next = others.pop_first().unwrap();
        prefix.push((next, others));
    }
}

/// Which request went on, and which others are still to be tried in its place.
struct Choice {
    taken: usize,
    others: BTreeSet<usize>,
}

fn run<T>(
    steps: &Steps,
    mut requests: Vec<Request<T>>,
    prefix: &[(usize, BTreeSet<usize>)],
    most_switches: usize,
) -> (Vec<T>, Vec<Choice>) {
    let mut outcome: Vec<Option<T>> = requests.iter().map(|_| None).collect();
    let mut cx = Context::from_waker(Waker::noop());
    let mut chosen: Vec<Choice> = Vec::new();
    // Those that wait for another request, such as for its turn.
    let mut waiting: BTreeSet<usize> = BTreeSet::new();
    let (mut last, mut switches) = (None, 0);
    while outcome.iter().any(Option::is_none) {
        let can_run: BTreeSet<usize> = (0..requests.len())
            .filter(|at| outcome[*at].is_none() && !waiting.contains(at))
            .collect();
        assert!(!can_run.is_empty(), "the requests wait for each other");
        let goes_on = last.filter(|last| can_run.contains(last));
        let (taken, others) = match prefix.get(chosen.len()) {
            Some(given) => given.clone(),
            None => {
                let taken = goes_on.unwrap_or_else(|| *can_run.first().unwrap());
                let mut others = can_run.clone();
                others.remove(&taken);
                if goes_on.is_some() && switches == most_switches {
                    others.clear();
                }
                (taken, others)
            }
        };
        if goes_on.is_some_and(|last| last != taken) {
            switches += 1;
        }
        let before = steps.calls.load(Ordering::Relaxed);
        next_turn();
        let polled = requests[taken].as_mut().poll(&mut cx);
        chosen.push(Choice { taken, others });
        if let Poll::Ready(value) = polled {
            outcome[taken] = Some(value);
            waiting.clear();
        } else if steps.calls.load(Ordering::Relaxed) > before {
            waiting.clear();
        } else {
            waiting.insert(taken);
        }
        last = Some(taken);
    }
    (outcome.into_iter().flatten().collect(), chosen)
}
