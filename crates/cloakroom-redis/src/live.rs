//! One connection of the store's own.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_backend::{Connection, Idempotency, Operation, Traffic};
use redis::{Cmd, Pipeline, RedisError, Value, aio::MultiplexedConnection};
use tokio::task::AbortHandle;

use crate::{
    batch::batched,
    error::{self, ConnectFailure},
    fate::{Ending, Fate, Waited, closed},
    mode::About,
    stream::Peer,
    target::Address,
};

/// A connection that lasted this long counts as good, and a failure this long ago no longer matters.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// Why a connection was left: its server is not the master.
pub(crate) const REPLICA: &str = "replica";

/// The number of the next connection.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// A connection. Calls in progress hold it, and the last one closes it.
pub(crate) struct Live {
    /// No other connection of the process has it.
    number: u64,
    /// Whether a call has told that the connection was made.
    is_announced: AtomicBool,
    connection: MultiplexedConnection,
    driver: AbortHandle,
    address: Address,
    peer: Peer,
    /// The task that watches for the end of the server's mastership, if there are sentinels.
    watcher: OnceLock<AbortHandle>,
    fate: Arc<Fate>,
    /// Whether the server is not the one to ask any more.
    left: AtomicBool,
    traffic: Arc<Traffic>,
    began: Instant,
    /// What the server said about itself at the login.
    about: About,
    /// Whether it is left because the server is not the master, or no longer.
    is_replica: AtomicBool,
}

/// An attempt to connect.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) began: Instant,
    /// Whether no attempt failed just before it.
    pub(crate) is_first: bool,
    pub(crate) traffic: Arc<Traffic>,
}

impl Connection for Live {
    type Failure = ConnectFailure;
    type Progress = Login;

    fn is_over(&self) -> bool {
        self.fate.is_lost() || self.was_left() || self.traffic.is_silent()
    }
}

/// A command under way. However it ends, the connection is left if it has been silent for too long by then.
struct Asking<'a>(&'a Live, Duration);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.suspect(self.1);
    }
}

/// The outcome of a command, or of several that are sent together.
pub(crate) enum Asked<T> {
    /// The server's answer, which may be an error reply.
    Answered(T),
    /// The deadline passed.
    Late,
    /// The connection was lost before anything of it was sent.
    Unsent(RedisError),
    /// The connection was lost before the answer came.
    Lost(RedisError),
    /// Another call gave the connection up. This happens only to commands that can be sent twice.
    GivenUp,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
        if let Some(watcher) = self.watcher.get() {
            watcher.abort();
        }
    }
}

impl Live {
    /// Starts the driver on the caller's runtime.
    pub(crate) fn start(
        connection: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
        address: Address,
        peer: Peer,
        traffic: Arc<Traffic>,
    ) -> Self {
        let fate = Arc::new(Fate::default());
        let ending = Ending(Arc::clone(&fate));
        let driver = tokio::spawn(async move {
            let _ending = ending;
            batched(driver).await;
        });
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            is_announced: AtomicBool::new(false),
            connection,
            driver: driver.abort_handle(),
            address,
            peer,
            watcher: OnceLock::new(),
            fate,
            left: AtomicBool::new(false),
            traffic,
            began: Instant::now(),
            about: About::default(),
            is_replica: AtomicBool::new(false),
        }
    }

    fn connection(&self) -> MultiplexedConnection {
        // The clone is a handle on the same socket.
        self.connection.clone()
    }

    pub(crate) fn set_about(&mut self, about: About) {
        self.about = about;
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns a number that every connection has or exceeds that is made from now on.
    pub(crate) fn next_number() -> u64 {
        NUMBERS.load(Ordering::Relaxed)
    }

    /// Tells of the connection, unless another call has told of it.
    pub(crate) fn announce(&self, tell: impl FnOnce()) {
        if !self.is_announced.load(Ordering::Acquire) {
            tell();
            self.is_announced.store(true, Ordering::Release);
        }
    }

    pub(crate) fn about(&self) -> About {
        self.about
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// Keeps a task that ends with this connection.
    pub(crate) fn set_watcher(&self, watcher: AbortHandle) {
        // There is one for each connection, because only the attempt that made it sets it.
        let _ = self.watcher.set(watcher);
    }

    /// Leaves the connection, because another server has become the master. Calls under way that can be repeated move to
    /// the next connection at once. Returns false if it was left already.
    pub(crate) fn leave(&self) -> bool {
        let was_left = self.left.swap(true, Ordering::AcqRel);
        self.fate.wake();
        !was_left
    }

    /// Returns true if it was left because of another server, whose mastership was announced.
    pub(crate) fn was_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Returns why no further call may use it: the server is a replica now, was silent, or closed it.
    pub(crate) fn reason(&self) -> &'static str {
        if self.is_replica.load(Ordering::Acquire) || self.was_left() {
            REPLICA
        } else if self.traffic.is_silent() {
            "silent"
        } else {
            "closed"
        }
    }

    /// Returns true if the connection has lasted long enough to count as a good one.
    pub(crate) fn has_lasted(&self) -> bool {
        self.began.elapsed() >= LONG_ENOUGH
    }

    /// Leaves the connection if nothing has been received for this long, no matter which calls waited for it.
    pub(crate) fn suspect(&self, patience: Duration) {
        if self.traffic.suspect(patience) {
            self.fate.wake();
        }
    }

    /// Sends one command and waits for its answer until the call's deadline.
    pub(crate) async fn ask(&self, operation: &Operation, command: &Cmd) -> Asked<Value> {
        let mut connection = self.connection();
        let exchange = pin!(connection.send_packed_command(command));
        let asked = self.exchange(operation, exchange).await;
        if let Asked::Answered(answer) = &asked {
            self.heed(answer);
        }
        asked
    }

    /// Sends several commands at once and waits for all answers until the call's deadline.
    pub(crate) async fn ask_all(
        &self,
        operation: &Operation,
        commands: &Pipeline,
    ) -> Asked<Vec<Value>> {
        let mut connection = self.connection();
        let exchange = pin!(connection.send_packed_commands(commands, 0, commands.len()));
        let asked = self.exchange(operation, exchange).await;
        if let Asked::Answered(answers) = &asked {
            answers.iter().for_each(|answer| self.heed(answer));
        }
        asked
    }

    /// Sends one command to a node that is about to get the key's slot. Without `ASKING` before it, the node would send the
    /// store back to the one that has the slot.
    pub(crate) async fn ask_asking(&self, operation: &Operation, command: &Cmd) -> Asked<Value> {
        let mut both = redis::pipe();
        both.cmd("ASKING").add_command(command.clone());
        match self.ask_all(operation, &both).await {
            Asked::Answered(answers) => Asked::Answered(behind_asking(answers)),
            Asked::Late => Asked::Late,
            Asked::Unsent(cause) => Asked::Unsent(cause),
            Asked::Lost(cause) => Asked::Lost(cause),
            Asked::GivenUp => Asked::GivenUp,
        }
    }

    /// Sends one command, and waits for its answer until the connection ends. The caller sees to the time limit.
    pub(crate) async fn ask_unlimited(&self, command: &Cmd) -> Result<Value, RedisError> {
        let mut connection = self.connection();
        let exchange = pin!(connection.send_packed_command(command));
        match self.fate.wait(exchange, || false).await {
            Waited::Answered(answer) => answer,
            Waited::GivenUp | Waited::Ended => Err(closed()),
        }
    }

    async fn exchange<T: Send>(
        &self,
        operation: &Operation,
        exchange: Pin<&mut (impl Future<Output = Result<T, RedisError>> + Send)>,
    ) -> Asked<T> {
        let sent = Instant::now();
        self.traffic.note_asked(sent);
        let _asking = Asking(self, operation.patience());
        let answer = pin!(operation.within(exchange));
        // A write that must not be sent twice waits for its own answer until its deadline, even on a connection that
        // others have given up: it may still come.
        let can_move = operation.idempotency() != Idempotency::Once;
        let is_given_up = || can_move && (self.was_left() || self.traffic.is_silent());
        let answer = match self.fate.wait(answer, is_given_up).await {
            Waited::Answered(answer) => answer,
            Waited::GivenUp => return Asked::GivenUp,
            Waited::Ended => Some(Err(closed())),
        };
        match answer {
            None => Asked::Late,
            Some(Ok(answer)) => Asked::Answered(answer),
            Some(Err(cause)) => {
                self.fate.lose();
                if self.traffic.has_sent_since(sent) {
                    Asked::Lost(cause)
                } else {
                    Asked::Unsent(cause)
                }
            }
        }
    }

    /// Leaves the connection if the answer says that it must be replaced.
    fn heed(&self, answer: &Value) {
        if self.is_parting(answer) {
            self.fate.lose();
        }
    }

    /// Returns true if the connection should be replaced after this answer: the server closes it, or the server used to
    /// be the master, and its name may now lead to the new one.
    fn is_parting(&self, answer: &Value) -> bool {
        let Value::ServerError(refusal) = answer else { return false };
        match error::code_and_detail(refusal) {
            // A server that was a replica from the beginning is replaced only after a while, in case its name now leads
            // to a master.
            ("READONLY" | "MASTERDOWN", _) => {
                let is_left = !self.about.is_replica || self.has_lasted();
                if is_left {
                    self.is_replica.store(true, Ordering::Release);
                }
                is_left
            }
            (_, detail) => {
                detail.starts_with("Protocol error") || detail.starts_with("max number of clients")
            }
        }
    }
}

/// Returns the answer to a command that was sent after `ASKING`. Where `ASKING` is refused, that is the answer: what the
/// node says to the command then, such as a redirect back, hides the reason.
fn behind_asking(mut answers: Vec<Value>) -> Value {
    // Two commands have two answers.
    let last = answers.pop().unwrap_or(Value::Nil);
    let refusal = answers.into_iter().find(|answer| matches!(answer, Value::ServerError(_)));
    refusal.unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    impl Live {
        /// A connection to nobody that never ends.
        pub(crate) async fn of_test(host: &str) -> Arc<Self> {
            Self::of_test_at(host, None).await
        }

        pub(crate) async fn of_test_at(host: &str, peer: Peer) -> Arc<Self> {
            let nobody = redis::RedisConnectionInfo::default().set_skip_set_lib_name();
            let config = redis::AsyncConnectionConfig::new();
            let (stream, _) = tokio::io::duplex(64);
            let made = MultiplexedConnection::new_with_config(&nobody, stream, config).await;
            let address = Address::Tcp { host: host.to_owned(), port: 6_379, tls: false };
            let traffic = Arc::new(Traffic::new());
            Arc::new(Self::start(made.unwrap().0, std::future::pending(), address, peer, traffic))
        }
    }

    /// A driver that ends leaves a command that was put into its queue too late.
    #[tokio::test]
    async fn a_call_does_not_outlive_the_driver() {
        for idempotency in [Idempotency::Read, Idempotency::Repeatable, Idempotency::Once] {
            let nobody = redis::RedisConnectionInfo::default().set_skip_set_lib_name();
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
            let (stream, _server) = tokio::io::duplex(64);
            let made = MultiplexedConnection::new_with_config(&nobody, stream, config).await;
            // It holds the queue, and is never polled.
            let (connection, _queue) = made.unwrap();
            let (end, ended) = tokio::sync::oneshot::channel();
            let address = Address::Tcp { host: "h".to_owned(), port: 6_379, tls: false };
            let driver = ended.map(|_| ());
            let live = Live::start(connection, driver, address, None, Arc::new(Traffic::new()));
            let limit = Duration::from_secs(60);
            let operation = Operation::start("redis", "set", idempotency, limit);
            let command = redis::cmd("PING");
            let mut call = Box::pin(live.ask(&operation, &command));
            assert!(call.as_mut().now_or_never().is_none());
            end.send(()).unwrap();
            assert!(matches!(call.await, Asked::Unsent(_)), "{idempotency:?}");
            live.ask_unlimited(&command).await.unwrap_err();
            assert!(live.is_over());
        }
    }

    #[test]
    fn a_refused_asking_is_the_answer() {
        let value = |text: &str| redis::parse_redis_value(text.as_bytes()).unwrap();
        for (asking, command, answer) in [
            ("+OK\r\n", "+1\r\n", "+1\r\n"),
            ("+OK\r\n", "-MOVED 1 h:2\r\n", "-MOVED 1 h:2\r\n"),
            ("-NOPERM asking\r\n", "-MOVED 1 h:2\r\n", "-NOPERM asking\r\n"),
        ] {
            assert_eq!(behind_asking(vec![value(asking), value(command)]), value(answer));
        }
    }
}
