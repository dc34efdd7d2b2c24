//! The store's own connection: made on first use, shared by all calls, and replaced when it is lost or silent.
//!
//! Each runtime has its own, because a connection ends with the runtime that drives it. A store in a `static`, for
//! example, is used by the runtime of one test while that of another test shuts down.
//!
//! It uses the `MultiplexedConnection` of the crate `redis` rather than its `ConnectionManager`. The latter returns the
//! old error to the first call after an outage, keeps a rejected login for ever, and does not distinguish a command
//! that was never sent from one whose answer was lost.

mod master;
mod watch;

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cloakroom_backend::{
    Needs, Operation, Runtimes,
    observe::{self, Event},
};
use cloakroom_core::Error;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use redis::{Cmd, Value};
use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use crate::{
    dial::dial,
    error::{self, ConnectFailure},
    live::{Asked, Live, REPLICA},
    pace::{self, Pace},
    stream::Streams,
    target::Route,
    traffic::Traffic,
};
use watch::Spare;

/// The number of connections in a row that a call may lose before its command is sent.
const MOST_UNSENT: usize = 3;

#[derive(Clone)]
pub(crate) struct Own(Arc<Inner>);

struct Inner {
    route: Route,
    streams: Streams,
    runtimes: Runtimes,
    state: Mutex<State>,
    spare: Spare,
}

/// What all runtimes share. It is locked for moments only, never while something is awaited.
#[derive(Default)]
struct State {
    pace: Pace,
    attempts: u64,
    /// The connections by runtime. If a runtime has no entry, its next call connects.
    slots: Vec<(Id, Slot)>,
    /// Whether a connection was lost and none was made since.
    has_lost: bool,
}

/// The connection of one runtime, or the attempt to make it.
enum Slot {
    Connecting(Attempt),
    Connected(Arc<Live>),
}

/// An attempt to connect, for which all calls on its runtime wait.
#[derive(Clone)]
struct Attempt {
    number: u64,
    began: Instant,
    /// Whether no attempt failed just before it.
    is_first: bool,
    traffic: Arc<Traffic>,
    task: AbortHandle,
    outcome: Shared<BoxFuture<'static, Result<Arc<Live>, ConnectFailure>>>,
}

impl Own {
    pub(crate) fn new(route: Route, streams: Streams) -> Self {
        let runtimes = Runtimes::new(Needs::TimeAndIo);
        Self(Arc::new(Inner {
            route,
            streams,
            runtimes,
            state: Mutex::default(),
            spare: Spare::default(),
        }))
    }

    pub(crate) fn route(&self) -> &Route {
        &self.0.route
    }

    /// Sends one command and returns the server's answer, which may be an error reply.
    ///
    /// It ends at the call's deadline. If the connection is lost, a command that was not sent is sent on the next
    /// connection, and a command that is safe to repeat is repeated once.
    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        self.send_with(operation, command, false).await
    }

    /// Sends one command, after `ASKING` if `is_asking`.
    pub(crate) async fn send_with(
        &self,
        operation: &Operation,
        command: &Cmd,
        is_asking: bool,
    ) -> Result<Value, Error> {
        let mut unsent = 0;
        loop {
            let live = self.live(operation).await?;
            let asked = if is_asking {
                live.ask_asking(operation, command).await
            } else {
                live.ask(operation, command).await
            };
            match asked {
                Asked::Answered(answer) => return Ok(answer),
                Asked::Late => {
                    operation.lose_answer();
                    return Err(operation.timeout());
                }
                Asked::Unsent(cause) => {
                    unsent += 1;
                    if unsent == MOST_UNSENT {
                        return Err(error::lost(operation, cause));
                    }
                    observe::tried_again();
                }
                Asked::Lost(cause) => {
                    operation.lose_answer();
                    if !operation.repeat() {
                        return Err(error::lost(operation, cause));
                    }
                }
                Asked::GivenUp => {
                    operation.lose_answer();
                    if !operation.repeat() {
                        return Err(error::silent(operation));
                    }
                }
            }
        }
    }

    /// Returns true if the server can compare a value with the one that it replaces. An error means that nothing was sent.
    pub(crate) async fn has_ifeq(&self, operation: &Operation) -> Result<bool, Error> {
        Ok(self.live(operation).await?.about().has_ifeq)
    }

    /// Sends a question about the server itself, and again if the connection is lost. The failure belongs to no
    /// operation, so that several can have it.
    pub(crate) async fn consult(
        &self,
        operation: &Operation,
        question: &Cmd,
    ) -> Result<Value, ConnectFailure> {
        let mut is_again = false;
        loop {
            let live = self.try_live(operation).await.map_err(|_| ConnectFailure::Timeout)??;
            match live.ask(operation, question).await {
                Asked::Answered(answer) => return Ok(answer),
                Asked::Late | Asked::GivenUp => return Err(ConnectFailure::Timeout),
                Asked::Unsent(cause) | Asked::Lost(cause) if is_again => {
                    return Err(ConnectFailure::HungUp(cause));
                }
                Asked::Unsent(_) | Asked::Lost(_) => is_again = true,
            }
        }
    }

    /// Leaves the connections that have been silent for too long.
    pub(crate) fn suspect(&self, operation: &Operation) {
        let lives = self.0.state().lives();
        lives.iter().for_each(|live| live.suspect(operation.patience()));
    }

    /// Returns the connection. An error means that nothing was sent.
    async fn live(&self, operation: &Operation) -> Result<Arc<Live>, Error> {
        let live = self.try_live(operation).await?;
        live.map_err(|failure| error::not_connected(operation, &self.0.route, failure))
    }

    /// Returns the connection, or the reason why it could not be made. An error means that the operation is over.
    async fn try_live(
        &self,
        operation: &Operation,
    ) -> Result<Result<Arc<Live>, ConnectFailure>, Error> {
        if let Route::Fixed(target) = &self.0.route {
            target.address.note();
        }
        let runtime = self.0.runtimes.current(operation)?;
        let mut is_again = false;
        loop {
            let attempt = match self.0.live_or_attempt(&runtime) {
                Ok(live) => return Ok(Ok(live)),
                Err(attempt) => attempt,
            };
            match operation.within(attempt.outcome.clone()).await {
                Some(Ok(live)) => return Ok(Ok(live)),
                Some(Err(failure)) => {
                    let is_worth_another = match failure {
                        // Its runtime shut down; this one can try again.
                        ConnectFailure::Cancelled => true,
                        // The server may just be restarting.
                        ConnectFailure::Io(_) => attempt.is_first,
                        // A failure before this call began says nothing about the current state.
                        _ => attempt.began < operation.began(),
                    };
                    if is_again || !is_worth_another {
                        return Ok(Err(failure));
                    }
                    is_again = true;
                }
                None => {
                    if attempt.traffic.silent_for() >= Some(operation.patience()) {
                        self.0.give_up(runtime.id(), &attempt);
                    }
                    return Err(operation.timeout());
                }
            }
        }
    }
}

impl State {
    /// Returns the connections, so that they can be left without the lock: that wakes calls.
    fn lives(&self) -> Vec<Arc<Live>> {
        let lives = self.slots.iter().filter_map(|(_, slot)| match slot {
            Slot::Connected(live) => Some(Arc::clone(live)),
            Slot::Connecting(_) => None,
        });
        lives.collect()
    }

    /// Returns the connection of a runtime, or the attempt to make it. Moves it to `lost` if it is no longer usable.
    fn slot(&mut self, runtime: Id, lost: &mut Option<Arc<Live>>) -> Option<&Slot> {
        let place = self.slots.iter().position(|(id, _)| *id == runtime)?;
        let is_over = match &self.slots[place].1 {
            Slot::Connected(live) if live.is_over() => {
                if live.has_lasted() {
                    self.pace.succeed();
                } else {
                    self.pace.fail(Instant::now(), pace::ACCEPTED);
                }
                (*lost, self.has_lost) = (Some(Arc::clone(live)), true);
                true
            }
            Slot::Connecting(attempt) => attempt.task.is_finished(),
            Slot::Connected(_) => false,
        };
        if is_over {
            self.slots.swap_remove(place);
            return None;
        }
        self.slots.get(place).map(|(_, slot)| slot)
    }

    /// Stores the outcome of an attempt, unless the attempt was given up.
    fn settle(&mut self, runtime: Id, number: u64, outcome: &Result<Arc<Live>, ConnectFailure>) {
        let place = self.slots.iter().position(|(id, slot)| {
            *id == runtime && matches!(slot, Slot::Connecting(attempt) if attempt.number == number)
        });
        let Some(place) = place else { return };
        match outcome {
            Ok(live) => self.slots[place].1 = Slot::Connected(Arc::clone(live)),
            Err(failure) => {
                self.slots.swap_remove(place);
                let is_refused = matches!(failure, ConnectFailure::Io(_));
                let longest = if is_refused { pace::REFUSED } else { pace::ACCEPTED };
                self.pace.fail(Instant::now(), longest);
            }
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the connection of this runtime, or the attempt to make it. Starts an attempt if no attempt is in
    /// progress.
    fn live_or_attempt(self: &Arc<Self>, runtime: &Handle) -> Result<Arc<Live>, Attempt> {
        let mut lost = None;
        let outcome = self.look(runtime, &mut lost);
        if let Some(live) = lost {
            self.tell_of_loss(&live);
        }
        outcome
    }

    fn look(
        self: &Arc<Self>,
        runtime: &Handle,
        lost: &mut Option<Arc<Live>>,
    ) -> Result<Arc<Live>, Attempt> {
        let id = runtime.id();
        let mut state = self.state();
        match state.slot(id, lost) {
            Some(Slot::Connected(live)) => return Ok(Arc::clone(live)),
            Some(Slot::Connecting(attempt)) => return Err(attempt.clone()),
            None => {}
        }
        // Remove what other runtimes left behind when they shut down.
        state.slots.retain(|(_, slot)| match slot {
            Slot::Connected(live) => !live.is_over(),
            Slot::Connecting(attempt) => !attempt.task.is_finished(),
        });
        state.attempts += 1;
        let number = state.attempts;
        let (start, is_first) = state.pace.begin(Instant::now());
        let traffic = Arc::new(Traffic::new());
        let (inner, heard) = (Arc::clone(self), Arc::clone(&traffic));
        // A separate task, so that it continues if the call that started it is dropped.
        let task = runtime.spawn(async move {
            if start > Instant::now() {
                sleep_until(start).await;
            }
            let outcome = inner.connect(heard).await;
            if let Ok(live) = &outcome {
                inner.watch_master(live);
            }
            inner.state().settle(id, number, &outcome);
            inner.tell(outcome.as_ref().err());
            outcome
        });
        let attempt = Attempt {
            number,
            began: Instant::now(),
            is_first,
            traffic,
            task: task.abort_handle(),
            outcome: async move { task.await.unwrap_or(Err(ConnectFailure::Cancelled)) }
                .boxed()
                .shared(),
        };
        state.slots.push((id, Slot::Connecting(attempt.clone())));
        Err(attempt)
    }

    /// Gives up an attempt whose login got no answer, like a silent connection.
    fn give_up(&self, runtime: Id, attempt: &Attempt) {
        self.state().settle(runtime, attempt.number, &Err(ConnectFailure::Timeout));
        attempt.task.abort();
        self.tell(Some(&ConnectFailure::Timeout));
    }

    /// Tells the operator that a connection was made, or why not.
    fn tell(&self, failure: Option<&ConnectFailure>) {
        let (store, server) = (error::STORE, &*self.route.to_string());
        observe::note(match failure {
            Some(failure) => Event::ConnectFailed { store, server, kind: failure.kind() },
            None if mem::take(&mut self.state().has_lost) => Event::Reconnected { store, server },
            None => Event::Connected { store, server },
        });
    }

    fn tell_of_loss(&self, live: &Live) {
        let (store, server, reason) = (error::STORE, &*self.route.to_string(), live.reason());
        observe::note(Event::ConnectionLost { store, server, reason });
        // One that was left was told of then.
        if reason == REPLICA && !live.was_left() {
            observe::note(Event::Failover { store, server });
        }
    }

    /// Connects and logs in.
    async fn connect(&self, traffic: Arc<Traffic>) -> Result<Arc<Live>, ConnectFailure> {
        match &self.route {
            Route::Fixed(target) => dial(target, &self.streams, traffic).await.map(Arc::new),
            Route::Master(sentinels) => self.connect_to_master(sentinels, traffic).await,
        }
    }
}
