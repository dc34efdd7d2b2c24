//! The connection to a master whose address sentinels know.
//!
//! The address is looked up at each attempt to connect, and the server must say itself that it is a master. While the
//! connection lasts, a task listens to a sentinel, which announces a failover: the connection is left then, although nothing
//! may be wrong with it yet.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cloakroom_backend::{
    Traffic,
    observe::{self, Event},
};
use cloakroom_core::ErrorKind;
use futures::StreamExt;
use redis::{RedisConnectionInfo, Value, aio::PubSub};
use tokio::time::{sleep, timeout};

use super::Inner;
use crate::{
    dial::{CONNECT, dial},
    error::{self, ConnectFailure},
    live::Live,
    race,
    stream::Streams,
    target::{Address, Route, Sentinels, Target},
};

/// The channel on which every sentinel announces that another server is the master.
const SWITCHED: &str = "+switch-master";

/// The channel on which the sentinel that performs a failover announces it earlier: when the new master has taken over,
/// but the other replicas have not been told yet. Until the old master is told, it acknowledges writes that will be lost.
const PROMOTED: &str = "+promoted-slave";

/// How often a sentinel that is listened to must show that it is there. It announces nothing for months, and one that is
/// frozen or cut off would announce nothing either.
const CHECK: Duration = Duration::from_secs(2);

/// The pause before another sentinel is listened to, after the one before was lost.
const PAUSE: Duration = Duration::from_secs(1);

impl Inner {
    /// Looks the master up and connects to it.
    pub(super) async fn connect_to_master(
        &self,
        sentinels: &Sentinels,
        traffic: Arc<Traffic>,
    ) -> Result<Arc<Live>, ConnectFailure> {
        let address = find(sentinels, &self.streams).await?;
        let live = match dial(&sentinels.master.at(address), &self.streams, traffic).await {
            Ok(live) => live,
            Err(failure) => {
                // The sentinel may be cut off from the others and know an old master.
                sentinels.distrust_the_first();
                return Err(failure);
            }
        };
        if live.about().is_replica {
            sentinels.distrust_the_first();
            let message = format!("{} is not the master any more", live.address());
            return Err(ConnectFailure::Refused(ErrorKind::Unavailable, message));
        }
        Ok(Arc::new(live))
    }

    /// Starts the task that leaves the connection when another server becomes the master.
    pub(super) fn watch_master(self: &Arc<Self>, live: &Arc<Live>) {
        let Route::Master(sentinels) = &self.route else { return };
        let (inner, watched) = (Arc::downgrade(self), Arc::downgrade(live));
        let sentinels = sentinels.clone();
        let (streams, address) = (self.streams.clone(), live.address().clone());
        let watcher = tokio::spawn(async move {
            loop {
                for sentinel in sentinels.in_order() {
                    let heard = listen(&sentinels, sentinel, &streams, &address).await;
                    if let Some(master) = heard {
                        follow(&inner, &watched, &master);
                        return;
                    }
                }
                sleep(PAUSE).await;
            }
        });
        live.set_watcher(watcher.abort_handle());
    }

    /// Leaves the connections to all servers but this one. Returns true if there was one that had not been left.
    fn leave_all_but(&self, master: &Address) -> bool {
        let lives = self.lives.connections();
        let old = lives.iter().filter(|live| live.address() != master);
        let left = old.filter(|live| live.leave()).count();
        self.spare.leave_all();
        self.note_change();
        left > 0
    }
}

/// Follows a failover to this server, and tells the operator of it, unless the watcher of another runtime has done so.
fn follow(inner: &Weak<Inner>, watched: &Weak<Live>, master: &Address) {
    let Some(inner) = inner.upgrade() else { return };
    // It is not among the others before its attempt has ended.
    let was_in_use = watched.upgrade().is_some_and(|live| live.leave());
    if inner.leave_all_but(master) || was_in_use {
        observe::note(Event::Failover { store: error::STORE, server: &master.to_string() });
    }
}

/// Asks the sentinels where the master is.
async fn find(sentinels: &Sentinels, streams: &Streams) -> Result<Address, ConnectFailure> {
    let questions = sentinels.in_order().map(|sentinel| ask(sentinels, sentinel, streams));
    race::first(questions.collect()).await.map_err(|failures| {
        // What somebody has to correct comes before what may pass.
        let is_wrong = |failure: &&ConnectFailure| {
            matches!(
                failure,
                ConnectFailure::Refused(ErrorKind::Config, _) | ConnectFailure::Tls(_)
            )
        };
        if let Some(failure) = failures.iter().find(is_wrong) {
            return failure.clone();
        }
        if failures.iter().all(|failure| matches!(failure, ConnectFailure::Timeout)) {
            return ConnectFailure::Timeout;
        }
        let sentinels: Vec<_> =
            sentinels.sentinels.iter().map(|sentinel| sentinel.address.to_string()).collect();
        let message = format!("no sentinel answers: tried {}", sentinels.join(", "));
        ConnectFailure::Refused(ErrorKind::Unavailable, message)
    })
}

/// Asks one sentinel where the master is.
async fn ask(
    sentinels: &Sentinels,
    sentinel: &Target,
    streams: &Streams,
) -> Result<Address, ConnectFailure> {
    let refused = |message: String| ConnectFailure::Refused(ErrorKind::Config, message);
    let address = &sentinel.address;
    let live = match dial(sentinel, streams, Arc::new(Traffic::new())).await {
        // The login at a sentinel is not that at the master.
        Err(ConnectFailure::Refused(kind, message)) => {
            return Err(ConnectFailure::Refused(
                kind,
                format!("the sentinel {address}: {message}"),
            ));
        }
        live => live?,
    };
    let mut question = redis::cmd("SENTINEL");
    question.arg("get-master-addr-by-name").arg(&sentinels.name);
    let answer = timeout(CONNECT, live.ask_unlimited(&question)).await;
    match answer.map_err(|_| ConnectFailure::Timeout)?.map_err(ConnectFailure::HungUp)? {
        Value::Array(place) => match &place[..] {
            [host, port] => read(host, port, address).ok_or_else(|| {
                refused(format!("the sentinel {address} sent an unexpected answer"))
            }),
            _ => Err(refused(format!("the sentinel {address} sent an unexpected answer"))),
        },
        Value::Nil => {
            Err(refused(format!("the sentinel {address} watches no master {:?}", sentinels.name)))
        }
        Value::ServerError(refusal) if error::is_unknown_command(&refusal) => {
            Err(refused(format!("{address} is not a Redis Sentinel")))
        }
        Value::ServerError(refusal) => {
            let (kind, message) = error::judge(&refusal);
            Err(ConnectFailure::Refused(kind, format!("the sentinel {address}: {message}")))
        }
        _ => Err(refused(format!("the sentinel {address} sent an unexpected answer"))),
    }
}

/// Reads the address of a master, which has TLS where its sentinel does.
fn read(host: &Value, port: &Value, sentinel: &Address) -> Option<Address> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    };
    Some(Address::Tcp {
        host: text(host)?,
        port: text(port)?.parse().ok()?,
        tls: sentinel.is_tls(),
    })
}

/// Listens to a sentinel until it is lost or silent. Returns the address of the master once that is another than `current`.
async fn listen(
    sentinels: &Sentinels,
    sentinel: &Target,
    streams: &Streams,
    current: &Address,
) -> Option<Address> {
    let subscribed = timeout(CONNECT, subscribe(sentinel, streams)).await.ok()??;
    let (mut question, mut messages) = subscribed.split();
    // A failover before the subscription was not announced to it.
    match ask(sentinels, sentinel, streams).await {
        Ok(master) if master != *current => return Some(master),
        _ => {}
    }
    loop {
        let Ok(message) = timeout(CHECK, messages.next()).await else {
            // Whatever it answers, it is there. After a connection that was closed, no message comes.
            let _: redis::RedisResult<Value> = timeout(CONNECT, question.ping()).await.ok()?;
            continue;
        };
        let message = message?;
        let Ok(text) = str::from_utf8(message.get_payload_bytes()) else { continue };
        let tls = sentinel.address.is_tls();
        match new_master(text, &sentinels.name, tls) {
            Some(master) if master != *current => return Some(master),
            _ => {}
        }
    }
}

/// Reads an announcement of another master under this name: `mymaster 10.0.0.1 6379 10.0.0.2 6379` on the first channel,
/// `slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379` on the second.
fn new_master(text: &str, name: &str, tls: bool) -> Option<Address> {
    let words: Vec<_> = text.split(' ').collect();
    let (host, port) = match words[..] {
        [of, _, _, host, port] if of == name => (host, port),
        ["slave", _, host, port, "@", of, _, _] if of == name => (host, port),
        _ => return None,
    };
    Some(Address::Tcp { host: host.to_owned(), port: port.parse().ok()?, tls })
}

async fn subscribe(sentinel: &Target, streams: &Streams) -> Option<PubSub> {
    let (stream, _) = streams.open(sentinel, &Arc::new(Traffic::new())).await.ok()?;
    let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(user) = &sentinel.user {
        login = login.set_username(user);
    }
    if let Some(password) = &sentinel.password {
        login = login.set_password(password.as_str());
    }
    let mut subscribed = PubSub::new(&login, stream).await.ok()?;
    subscribed.subscribe(&[SWITCHED, PROMOTED]).await.ok()?;
    Some(subscribed)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use cloakroom_backend::{Connection as _, Idempotency, Operation, Start};
    use tokio::runtime::Handle;

    use super::*;
    use crate::{
        RedisStore,
        connection::Connection,
        live::{Login, REPLICA},
    };

    #[tokio::test]
    async fn a_failover_leaves_the_old_master_and_is_told_of_once() {
        let store = RedisStore::open("redis+sentinel://sentinel/mymaster").unwrap();
        let Connection::Own(own) = store.connection() else { panic!("it is the store's own") };
        let (old, runtime) = (Live::of_test("old").await, Handle::current());
        own.0.lives.get_or_insert(&runtime, || Arc::clone(&old));
        let new = Address::Tcp { host: "new".to_owned(), port: 6_379, tls: false };
        assert_eq!(old.reason(), "closed");
        assert!(own.0.leave_all_but(&new), "the first watcher tells of it");
        assert!(!own.0.leave_all_but(&new), "and that of another runtime does not");
        // The call that notices the loss says why, and tells of no second failover.
        assert_eq!((old.reason(), old.was_left()), (REPLICA, true));
        let current = Live::of_test("new").await;
        let kept = own.0.lives.get_or_insert(&runtime, || Arc::clone(&current));
        assert!(Arc::ptr_eq(&kept, &current), "the old master's is not used any more");
        assert!(!own.0.leave_all_but(&new));
        assert!(!current.is_over(), "the new master's is kept");
    }

    /// The listener of the coherent mode is on one runtime, and the reads are on all.
    #[test]
    fn the_connections_of_all_runtimes_lead_to_one_server_or_not() {
        let store = RedisStore::open("redis+sentinel://sentinel/mymaster").unwrap();
        let Connection::Own(own) = store.connection() else { panic!("it is the store's own") };
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (first, second) = (runtime(), runtime());
        let connect = |runtime: &tokio::runtime::Runtime, address: &str| {
            let live = runtime.block_on(Live::of_test_at("h", Some(address.parse().unwrap())));
            own.0.lives.get_or_insert(runtime.handle(), || live)
        };
        let changes = own.changes();
        let peer = Some("10.0.0.1:6379".parse().unwrap());
        assert!(!own.leads_only_to(peer), "the next connection may lead anywhere");
        connect(&first, "10.0.0.1:6379");
        connect(&second, "10.0.0.1:6379").leave();
        assert!(own.leads_only_to(peer), "the other one is not used any more");
        let other = connect(&second, "10.0.0.2:6379");
        assert!(!own.leads_only_to(peer));
        assert!(!changes.has_changed().unwrap());
        let new = Address::Tcp { host: "new".to_owned(), port: 6_379, tls: false };
        own.0.leave_all_but(&new);
        assert!(changes.has_changed().unwrap() && !own.leads_only_to(peer));
        assert!(other.was_left());
    }

    /// The call that started the attempt may have been dropped.
    #[tokio::test]
    async fn whichever_call_gets_a_new_connection_first_tells_of_it() {
        let store = RedisStore::open("redis://h").unwrap();
        let Connection::Own(own) = store.connection() else { panic!("it is the store's own") };
        let made = Live::of_test("h").await;
        let traffic = Arc::new(Traffic::new());
        let login = Login { began: Instant::now(), is_first: true, traffic };
        let attempt = Start::Attempt(login, std::future::ready(Ok(made)));
        drop(own.0.lives.join(&Handle::current(), |_| attempt));
        while own.0.lives.connections().is_empty() {
            tokio::task::yield_now().await;
        }
        let mut changes = own.changes();
        let operation = Operation::start("redis", "get", Idempotency::Read, CHECK);
        for is_first in [true, false] {
            own.server(&operation).await.unwrap();
            assert_eq!(changes.has_changed().unwrap(), is_first);
            changes.mark_unchanged();
        }
    }

    #[test]
    fn an_announcement_names_the_new_master() {
        let there = |port| Some(Address::Tcp { host: "10.0.0.2".to_owned(), port, tls: false });
        for (text, master) in [
            ("mymaster 10.0.0.1 6379 10.0.0.2 6380", there(6_380)),
            ("slave 10.0.0.2:6380 10.0.0.2 6380 @ mymaster 10.0.0.1 6379", there(6_380)),
            ("yours 10.0.0.1 6379 10.0.0.2 6380", None),
            ("slave 10.0.0.2:6380 10.0.0.2 6380 @ yours 10.0.0.1 6379", None),
            ("mymaster 10.0.0.1 6379 10.0.0.2 x", None),
            ("mymaster", None),
            ("", None),
        ] {
            assert_eq!(new_master(text, "mymaster", false), master, "{text}");
        }
    }
}
