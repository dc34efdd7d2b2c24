//! The store of texts behind a network that can fail, with the defects of a bad client.
//!
//! Deadlines pass a hundred times as fast as they say, so that nobody waits for them.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, Faults};
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, FindBy, Listed, SessionData, Store,
    Touched, Updated,
};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;

use crate::text::TextStore;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Runs,
    Stopped,
    Frozen,
}

/// The state of the connections that were made before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Harm {
    Stopped,
    Cut,
    Silent,
    Deaf,
}

pub(crate) struct Network {
    inner: TextStore,
    server: watch::Sender<Server>,
    /// The number of harms so far, and the last one.
    harms: AtomicU64,
    harm: Mutex<Harm>,
    defect: &'static str,
}

impl Network {
    pub(crate) fn new(defect: &'static str, clock: Clock) -> Self {
        let (server, _) = watch::channel(Server::Runs);
        let (inner, harm) = (TextStore::new(clock), Mutex::new(Harm::Cut));
        Self { inner, server, harms: AtomicU64::new(0), harm, defect }
    }

    fn harm(&self, harm: Harm) {
        *self.harm.lock().unwrap() = harm;
        self.harms.fetch_add(1, SeqCst);
    }
}

/// The handle on a network that the cases hold.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Network>);

impl Remote {
    pub(crate) fn new(defect: &'static str, clock: Clock) -> Self {
        Self(Arc::new(Network::new(defect, clock)))
    }
}

#[async_trait]
impl Faults for Remote {
    async fn open(&self, deadline: Duration) -> Result<Box<dyn Store>, AccessError> {
        let connected_at = AtomicU64::new(u64::MAX);
        let network = Arc::clone(&self.0);
        Ok(Box::new(Client { network, deadline, connected_at, failures: AtomicUsize::new(0) }))
    }

    async fn stop(&self) -> Result<(), AccessError> {
        self.0.server.send_replace(Server::Stopped);
        self.0.harm(Harm::Stopped);
        Ok(())
    }

    async fn restart(&self) -> Result<(), AccessError> {
        self.0.server.send_replace(Server::Runs);
        Ok(())
    }

    async fn freeze(&self) -> Result<(), AccessError> {
        self.0.server.send_replace(Server::Frozen);
        Ok(())
    }

    async fn thaw(&self) -> Result<(), AccessError> {
        self.restart().await
    }

    async fn silence(&self) -> Result<(), AccessError> {
        self.0.harm(Harm::Silent);
        Ok(())
    }

    async fn cut(&self) -> Result<(), AccessError> {
        self.0.harm(Harm::Cut);
        Ok(())
    }

    async fn lose_answers(&self) -> Result<(), AccessError> {
        self.0.harm(Harm::Deaf);
        Ok(())
    }
}

const NOT_CONNECTED: u64 = u64::MAX;

/// A store on one connection.
struct Client {
    network: Arc<Network>,
    deadline: Duration,
    /// How many harms the connection has not seen; [`NOT_CONNECTED`] without one.
    connected_at: AtomicU64,
    failures: AtomicUsize,
}

fn only_reads(operation: &str) -> bool {
    matches!(operation, "get" | "ids" | "all" | "length")
}

impl Client {
    fn error(&self, kind: ErrorKind, operation: &'static str, was_sent: bool) -> Error {
        let error = Error::new(kind, "remote", operation, "the backend is away");
        if was_sent && !only_reads(operation) { error.with_outcome_unknown() } else { error }
    }

    fn has_defect(&self, name: &str) -> bool {
        self.network.defect == name
    }

    /// Returns how long a call waits for a frozen server: less than its deadline, so that the tests are quick. A case
    /// with a long deadline stops the server before that.
    fn patience(&self) -> Duration {
        if self.deadline.as_secs() > 10 { self.deadline } else { self.deadline / 100 }
    }

    /// What the defects of this operation in this state of the server make of it.
    fn misbehaviour(&self, operation: &'static str, server: Server) -> Option<Result<(), Error>> {
        let failed = |kind| Some(Err(Error::new(kind, "remote", operation, "it is broken")));
        match self.network.defect {
            "a_server_that_is_gone_is_unavailable" if server == Server::Stopped => {
                failed(ErrorKind::Timeout)
            }
            "without_a_server_no_call_succeeds"
                if server == Server::Stopped && operation == "destroy" =>
            {
                Some(Ok(()))
            }
            "without_a_server_nothing_is_listed"
                if server == Server::Stopped && operation == "length" =>
            {
                Some(Ok(()))
            }
            "without_a_server_nothing_is_cleared"
                if server == Server::Stopped && operation == "clear" =>
            {
                Some(Ok(()))
            }
            "calls_work_again_after_an_outage"
                if server == Server::Runs && self.failures.load(SeqCst) > 3 =>
            {
                failed(ErrorKind::Config)
            }
            _ => None,
        }
    }

    /// Carries out a call, or does not.
    async fn over<T>(
        &self,
        operation: &'static str,
        sid: &str,
        call: impl Future<Output = Result<T, Error>> + Send,
        by_mistake: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        let mut server = self.network.server.subscribe();
        let state = *server.borrow_and_update();
        if let Some(outcome) = self.misbehaviour(operation, state) {
            return outcome.map(|()| by_mistake());
        }
        let harms = self.network.harms.load(SeqCst);
        let connected_at = self.connected_at.load(SeqCst);
        let is_connected = connected_at != NOT_CONNECTED;
        let is_harmed = is_connected && connected_at < harms;
        let harm = *self.network.harm.lock().unwrap();
        let failed = |kind, was_sent| {
            self.failures.fetch_add(1, SeqCst);
            self.connected_at.store(NOT_CONNECTED, SeqCst);
            Err(self.error(kind, operation, was_sent))
        };
        match state {
            Server::Stopped => {
                let error = failed(ErrorKind::Unavailable, false);
                return match self.network.defect {
                    "an_outage_quotes_nothing" => Err(Error::new(
                        ErrorKind::Unavailable,
                        "remote",
                        operation,
                        format!("no answer about {sid}"),
                    )),
                    _ => error,
                };
            }
            Server::Frozen => {
                if self.has_defect("a_frozen_server_is_a_timeout_by_the_deadline")
                    && (operation, sid) == ("touch", "id")
                {
                    std::future::pending::<()>().await;
                }
                let stopped = server.wait_for(|state| *state == Server::Stopped);
                let waited = tokio::time::timeout(self.patience(), stopped).await;
                let is_deaf = self.has_defect("calls_under_way_end_with_the_server");
                return match waited {
                    Ok(_) if !is_deaf => failed(ErrorKind::Unavailable, is_connected),
                    _ => failed(ErrorKind::Timeout, is_connected),
                };
            }
            Server::Runs => {}
        }
        if is_harmed {
            match harm {
                Harm::Silent => {
                    let error = failed(ErrorKind::Timeout, true);
                    if self.has_defect("a_silent_connection_is_left_after_one_deadline") {
                        self.connected_at.store(connected_at, SeqCst);
                    }
                    return error;
                }
                Harm::Deaf => return self.lost(operation, call).await,
                Harm::Cut if self.has_defect("a_connection_that_was_cut_is_made_again") => {
                    return Err(Error::new(ErrorKind::Other, "remote", operation, "broken pipe"));
                }
                Harm::Cut | Harm::Stopped => {}
            }
        }
        if self.has_defect("one_call_at_most_notices_a_restart")
            && is_harmed
            && harm == Harm::Stopped
            && self.failures.fetch_add(1, SeqCst) < 2
        {
            return Err(self.error(ErrorKind::Unavailable, operation, true));
        }
        self.connected_at.store(harms, SeqCst);
        call.await
    }

    /// The call is carried out, and its answer does not arrive.
    async fn lost<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.connected_at.store(self.network.harms.load(SeqCst), SeqCst);
        let answer = call.await;
        if only_reads(operation) {
            return answer;
        }
        let is_told = !self.has_defect("a_write_whose_answer_was_lost_is_not_told_as_undone")
            || operation != "set";
        Err(self.error(ErrorKind::Unavailable, operation, is_told))
    }

    fn is_listing_cut(&self) -> bool {
        self.has_defect("a_listing_that_breaks_off_is_an_error")
    }
}

#[async_trait]
impl Store for Client {
    fn name(&self) -> &str {
        "remote"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.over("get", sid, self.network.inner.get(sid), || None).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.over("set", sid, self.network.inner.set(sid, session), || ()).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.over("destroy", sid, self.network.inner.destroy(sid), || ()).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let call = self.network.inner.touch(sid, session);
        self.over("touch", sid, call, || Touched::Missing).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

#[async_trait]
impl Atomic for Client {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let inner = &self.network.inner;
        let call = inner.create(sid, session);
        let created = self.over("create", sid, call, || Created::Exists).await;
        match created {
            // It asks again, and finds what it has stored.
            Err(error)
                if error.outcome_unknown() && self.has_defect("a_lost_answer_is_no_conflict") =>
            {
                inner.create(sid, session).await
            }
            created => created,
        }
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let call = self.network.inner.update(sid, session);
        self.over("update", sid, call, || Updated::Gone).await
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let call = self.network.inner.get_and_touch(sid, ttl);
        self.over("get_and_touch", sid, call, || None).await
    }
}

#[async_trait]
impl Enumerate for Client {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.all_in_parts("ids").map(|item| item.map(|listed| listed.id)).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.all_in_parts("all")
    }

    async fn length(&self) -> Result<u64, Error> {
        self.over("length", "", self.network.inner.length(), || 0).await
    }

    async fn clear(&self) -> Result<(), Error> {
        if self.has_defect("a_clear_that_breaks_off_may_have_happened") {
            return self.clear_in_steps().await;
        }
        self.over("clear", "", self.network.inner.clear(), || ()).await
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

impl Client {
    /// Tells the error of the last step, whatever the others have removed.
    async fn clear_in_steps(&self) -> Result<(), Error> {
        for step in self.network.inner.ids().chunks(100).collect::<Vec<_>>().await {
            for sid in step {
                self.network.inner.destroy(&sid?).await?;
            }
            let mut server = self.network.server.subscribe();
            let stopped = server.wait_for(|state| *state == Server::Stopped);
            let _ = tokio::time::timeout(Duration::from_millis(20), stopped).await;
            let listed = self.over("ids", "", async { Ok(()) }, || ()).await;
            listed.map_err(|error| error.with_context("remote", "clear"))?;
        }
        Ok(())
    }

    /// Ten sessions a call.
    fn all_in_parts(&self, operation: &'static str) -> BoxStream<'_, Result<Listed, Error>> {
        stream::once(async { self.network.inner.all().chunks(10).collect::<Vec<_>>().await })
            .flat_map(|parts| stream::iter(if parts.is_empty() { vec![Vec::new()] } else { parts }))
            .enumerate()
            .then(move |(number, part)| async move {
                match self.over(operation, "", async { Ok(part) }, Vec::new).await {
                    Ok(part) => part,
                    Err(_) if self.is_listing_cut() && number > 0 => Vec::new(),
                    Err(error) => vec![Err(error)],
                }
            })
            .flat_map(stream::iter)
            .boxed()
    }
}
