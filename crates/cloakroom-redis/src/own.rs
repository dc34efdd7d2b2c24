//! The store's own connection: made on first use, shared by all calls, and replaced when it is lost or silent.
//!
//! [`Shared`] keeps it for each runtime. Here is how it is made, and what a failure means for a call that waited.
//!
//! It uses the `MultiplexedConnection` of the crate `redis` rather than its `ConnectionManager`. The latter returns the
//! old error to the first call after an outage, keeps a rejected login for ever, and does not distinguish a command
//! that was never sent from one whose answer was lost.

mod master;
mod watch;

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use cloakroom_backend::{
    Connection as _, Joined, Needs, Operation, Pace, Runtimes, Shared, Start, Traffic,
    observe::{self, Event},
};
use cloakroom_core::Error;
use redis::{Cmd, Value};
use tokio::{
    runtime::Handle,
    sync::watch::{Receiver, Sender},
    time::sleep,
};

use crate::{
    dial::dial,
    error::{self, ConnectFailure},
    live::{Asked, LONG_ENOUGH, Live, Login, REPLICA},
    stream::{Peer, Streams},
    target::{Route, Target},
};
use watch::Spare;

/// The number of connections in a row that a call may lose before its command is sent.
const MOST_UNSENT: usize = 3;

/// The pause after the first failure. It is also the longest one after a refused connection, because a refusal costs
/// almost nothing and most outages are of this kind: the server's return is noticed within 100 ms.
const REFUSED: Duration = Duration::from_millis(20);

/// The longest pause after a failure on a connection that the server had accepted.
const ACCEPTED: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(crate) struct Own(Arc<Inner>);

struct Inner {
    route: Route,
    streams: Streams,
    runtimes: Runtimes,
    lives: Shared<Live>,
    past: Mutex<Past>,
    spare: Spare,
    /// Changes when a connection was made or left.
    changes: Sender<()>,
}

/// What happened to the connections of all runtimes.
struct Past {
    pace: Pace,
    /// Whether a connection was lost and none was made since.
    has_lost: bool,
}

impl Own {
    pub(crate) fn new(route: Route, streams: Streams) -> Self {
        let past = Past { pace: Pace::new(0, REFUSED, LONG_ENOUGH), has_lost: false };
        Self(Arc::new(Inner {
            route,
            streams,
            runtimes: Runtimes::new(Needs::TimeAndIo),
            lives: Shared::default(),
            past: Mutex::new(past),
            spare: Spare::default(),
            changes: Sender::default(),
        }))
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn route(&self) -> &Route {
        &self.0.route
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// Returns the connection, and the login at its server.
    pub(crate) async fn server(&self, operation: &Operation) -> Result<(Arc<Live>, Target), Error> {
        let live = self.live(operation).await?;
        let target = match &self.0.route {
            Route::Fixed(target) => target.clone(),
            Route::Master(sentinels) => sentinels.master.at(live.address().clone()),
        };
        Ok((live, target))
    }

    /// Returns what tells when a connection was made or left.
    pub(crate) fn changes(&self) -> Receiver<()> {
        self.0.changes.subscribe()
    }

    /// Returns true if the connections that calls use on any runtime lead to this server. Without a connection, the next
    /// one may lead to another.
    pub(crate) fn leads_only_to(&self, peer: Peer) -> bool {
        let lives = self.0.lives.connections();
        let mut peers = lives.iter().filter(|live| !live.is_over()).map(|live| live.peer());
        peers.next() == Some(peer) && peers.all(|other| other == peer)
    }

    /// Sends one command and returns the server's answer, which may be an error reply.
    ///
    /// It ends at the call's deadline. If the connection is lost, a command that was not sent is sent on the next
    /// connection, and a command that is safe to repeat is repeated once.
    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        self.send_with(operation, command, false).await.map(|(answer, _)| answer)
    }

    /// Sends one command, after `ASKING` if `is_asking`. Returns the answer, and the number of the connection on which it
    /// came.
    pub(crate) async fn send_with(
        &self,
        operation: &Operation,
        command: &Cmd,
        is_asking: bool,
    ) -> Result<(Value, u64), Error> {
        let mut unsent = 0;
        loop {
            let live = self.live(operation).await?;
            let asked = if is_asking {
                live.ask_asking(operation, command).await
            } else {
                live.ask(operation, command).await
            };
            match asked {
                Asked::Answered(answer) => return Ok((answer, live.number())),
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
        self.0.lives.connections().iter().for_each(|live| live.suspect(operation.patience()));
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
            let attempt = match self.0.join(&runtime) {
                Joined::Connected(live) => {
                    self.0.announce(&live);
                    return Ok(Ok(live));
                }
                Joined::Connecting(attempt) => attempt,
            };
            let login = attempt.progress();
            match operation.within(attempt.outcome()).await {
                Some(Ok(live)) => {
                    self.0.announce(&live);
                    return Ok(Ok(live));
                }
                Some(Err(failure)) => {
                    let is_worth_another = match failure {
                        // Another call gave it up.
                        None => true,
                        // The server may just be restarting.
                        Some(ConnectFailure::Io(_)) => login.is_first,
                        // A failure before this call began says nothing about the current state.
                        Some(_) => login.began < operation.began().into_std(),
                    };
                    if is_again || !is_worth_another {
                        return Ok(Err(failure.unwrap_or(ConnectFailure::Cancelled)));
                    }
                    is_again = true;
                }
                None => {
                    // A login that got no answer is given up like a silent connection.
                    let is_silent = login.traffic.silent_for() >= Some(operation.patience());
                    if is_silent && self.0.lives.give_up(&attempt) {
                        self.0.fail(&ConnectFailure::Timeout);
                    }
                    return Err(operation.timeout());
                }
            }
        }
    }
}

impl Past {
    /// Notes that an attempt starts. Returns what is known of it, and the pause before it. `lost` is the connection that
    /// it replaces.
    fn begin(&mut self, lost: Option<&Live>) -> (Login, Duration) {
        let began = Instant::now();
        if let Some(live) = lost {
            self.has_lost = true;
            if live.has_lasted() {
                self.pace.succeed();
            } else {
                self.pace.fail(began, ACCEPTED);
            }
        }
        self.pace.forget_old(began);
        let (is_first, traffic) = (self.pace.failures() == 0, Arc::new(Traffic::new()));
        (Login { began, is_first, traffic }, self.pace.pause(began))
    }
}

impl Inner {
    fn past(&self) -> MutexGuard<'_, Past> {
        // Nothing panics while the lock is held.
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a connection before anything is read on it. The first call that gets it does so, because the call that
    /// started the attempt may have been dropped.
    fn announce(&self, live: &Live) {
        live.announce(|| self.note_change());
    }

    fn note_change(&self) {
        self.changes.send_replace(());
    }

    /// Returns the connection of this runtime, or the attempt to make it.
    fn join(self: &Arc<Self>, runtime: &Handle) -> Joined<Live> {
        let mut lost = None;
        let joined = self.lives.join(runtime, |over| {
            let (login, pause) = self.past().begin(over.as_deref());
            lost = over;
            let traffic = Arc::clone(&login.traffic);
            Start::Attempt(login, Arc::clone(self).make(pause, traffic))
        });
        if let Some(live) = lost {
            self.tell_of_loss(&live);
        }
        joined
    }

    /// Makes the shared connection after a pause.
    async fn make(
        self: Arc<Self>,
        pause: Duration,
        traffic: Arc<Traffic>,
    ) -> Result<Arc<Live>, ConnectFailure> {
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let outcome = self.connect(traffic).await;
        match &outcome {
            Ok(live) => {
                self.watch_master(live);
                let (store, server) = (error::STORE, &*self.route.to_string());
                observe::note(if mem::take(&mut self.past().has_lost) {
                    Event::Reconnected { store, server }
                } else {
                    Event::Connected { store, server }
                });
            }
            Err(failure) => self.fail(failure),
        }
        outcome
    }

    /// Notes that an attempt failed, and tells the operator.
    fn fail(&self, failure: &ConnectFailure) {
        let longest = if matches!(failure, ConnectFailure::Io(_)) { REFUSED } else { ACCEPTED };
        self.past().pace.fail(Instant::now(), longest);
        let (store, server) = (error::STORE, &*self.route.to_string());
        observe::note(Event::ConnectFailed { store, server, kind: failure.kind() });
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
