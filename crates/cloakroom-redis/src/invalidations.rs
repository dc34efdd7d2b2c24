//! Reports changes of the keys, as Redis announces them to a connection that tracks a prefix (`CLIENT TRACKING … BCAST`,
//! since Redis 6).
//!
//! The announcements, and the answers to the questions whether they still arrive, share one connection. So an answer
//! proves that every announcement before it has arrived.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, InvalidationSink, Invalidations, Operation, Traffic};
use cloakroom_core::{Error, ErrorKind, SessionData};
use futures::{
    FutureExt,
    future::{BoxFuture, try_join, try_join3},
};
use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, Value,
    aio::MultiplexedConnection,
};
use tokio::time::{sleep, timeout};

use crate::{
    RedisStore,
    connection::Connection,
    error::{self, ConnectFailure},
    own::Own,
    reply,
    stream::Peer,
    target::Target,
};

const NAME: &str = "report_invalidations";

#[async_trait]
impl Invalidations for RedisStore {
    fn check_invalidations(&self) -> Result<(), Error> {
        self.reporting(&self.operation(NAME, Idempotency::Read)).map(drop)
    }

    async fn report_invalidations(
        &self,
        sink: Arc<dyn InvalidationSink>,
        heartbeat: Duration,
        patience: Duration,
    ) -> Error {
        match self.report(sink, heartbeat, patience).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn get_with_time_left(
        &self,
        sid: &str,
    ) -> Result<Option<(SessionData, Option<Duration>)>, Error> {
        let operation = self.operation("get", Idempotency::Read);
        let key = self.key(&operation, sid)?;
        let (mut get, mut time) = (redis::cmd("GET"), redis::cmd("PTTL"));
        get.arg(&key);
        time.arg(&key);
        // They leave together, so this is one round trip.
        let (again, time) = (operation.part(), &time);
        let (record, time) = try_join(self.send(&operation, &get), self.send(&again, time)).await?;
        let Some(record) = reply::text(&operation, record)? else { return Ok(None) };
        let Some(session) = self.options().parse(&operation, record)? else { return Ok(None) };
        let left = match time {
            Value::Int(-1) => None,
            Value::Int(ms) => Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
            // The user may lack the permission to ask.
            _ => Some(Duration::ZERO),
        };
        Ok(Some((session, left)))
    }
}

impl RedisStore {
    /// Returns the connection if its server can announce changes.
    fn reporting(&self, operation: &Operation) -> Result<&Own, Error> {
        let why = match self.connection() {
            Connection::Own(own) => return Ok(own),
            Connection::Cluster(_) => "changes on a Redis Cluster are not reported",
            Connection::Given(_) => {
                "changes are reported only by a store that was opened with a URL"
            }
        };
        Err(operation.error(ErrorKind::Unsupported, why))
    }

    async fn report(
        &self,
        sink: Arc<dyn InvalidationSink>,
        heartbeat: Duration,
        patience: Duration,
    ) -> Result<Infallible, Error> {
        let operation = self.operation(NAME, Idempotency::Read);
        let own = self.reporting(&operation)?;
        let mut changes = own.changes();
        let (live, target) = own.server(&operation).await?;
        let peer = live.peer();
        drop(live);
        let heard = hearing(self.options().prefix.clone(), Arc::clone(&sink));
        let opened = operation.within(open(own, &target, peer, heard)).await;
        let failed = |failure| error::not_connected(&operation, &target.address, failure);
        let (mut connection, driver) =
            opened.unwrap_or(Err(ConnectFailure::Timeout)).map_err(failed)?;
        let prefix = &*self.options().prefix;
        let answers = async {
            // Reads need it. Its answer is of no interest, and no session has an empty id.
            let mut time = redis::cmd("PTTL");
            time.arg(prefix);
            let answer = ask(&operation, &mut connection, &time, patience).await?;
            permitted(&operation, &answer, "+pttl")?;
            let mut tracking = redis::cmd("CLIENT");
            tracking.arg("TRACKING").arg("ON").arg("BCAST");
            // Without a prefix, all keys are tracked.
            if !prefix.is_empty() {
                tracking.arg("PREFIX").arg(prefix);
            }
            let (mut question, mut permission) = (tracking, "+client|tracking");
            loop {
                sink.asking();
                let answer = ask(&operation, &mut connection, &question, patience).await?;
                permitted(&operation, &answer, permission)?;
                check_peer(&operation, own, peer)?;
                sink.confirmed();
                sleep(heartbeat).await;
                (question, permission) = (redis::cmd("PING"), "+ping");
            }
        };
        // A frozen server answers no question, so a failover from it is noticed here.
        let replaced = async {
            // It fails only when the store is gone.
            while changes.changed().await.is_ok() {
                check_peer(&operation, own, peer)?;
            }
            pending().await
        };
        let lost = async {
            driver.await;
            Err(operation.error(ErrorKind::Unavailable, "the connection was lost"))
        };
        // None of them succeeds.
        try_join3(answers, replaced, lost).await.map(|(never, _, _): Never| never)
    }
}

type Never = (Infallible, Infallible, Infallible);

/// Checks that reads go to the server that announces changes. With sentinels or a name that moves, connections that were
/// made at different times may lead to different servers.
fn check_peer(operation: &Operation, own: &Own, peer: Peer) -> Result<(), Error> {
    if own.leads_only_to(peer) {
        return Ok(());
    }
    let message = "the store's connection was replaced, or leads to another server";
    Err(operation.error(ErrorKind::Unavailable, message))
}

/// Returns an error for an error reply, which names the rule that the user needs if a permission is missing.
fn permitted(operation: &Operation, answer: &Value, rule: &str) -> Result<(), Error> {
    match answer {
        Value::ServerError(refusal) if error::code_and_detail(refusal).0 == "NOPERM" => {
            let message = format!("the user lacks a permission: add the rule {rule}");
            Err(operation.error(ErrorKind::Config, message))
        }
        Value::ServerError(_) => Err(reply::refused_or_unexpected(operation, answer)),
        _ => Ok(()),
    }
}

async fn ask(
    operation: &Operation,
    connection: &mut MultiplexedConnection,
    question: &Cmd,
    patience: Duration,
) -> Result<Value, Error> {
    match timeout(patience, connection.send_packed_command(question)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(cause)) => Err(error::lost(operation, cause)),
        Err(_) => {
            Err(operation.error(ErrorKind::Timeout, format!("no answer within {patience:?}")))
        }
    }
}

/// Connects to a server in RESP3, in which announcements may arrive between answers.
async fn open(
    own: &Own,
    target: &Target,
    peer: Peer,
    heard: impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static,
) -> Result<(MultiplexedConnection, BoxFuture<'static, ()>), ConnectFailure> {
    let (stream, _) = own.streams().open_at(target, peer, &Arc::new(Traffic::new())).await?;
    let mut login = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_db(i64::from(target.database))
        .set_skip_set_lib_name();
    if let Some(user) = &target.user {
        login = login.set_username(user);
    }
    if let Some(password) = &target.password {
        login = login.set_password(password.as_str());
    }
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_push_sender(heard);
    let (connection, driver) = MultiplexedConnection::new_with_config(&login, stream, config)
        .await
        .map_err(ConnectFailure::HungUp)?;
    Ok((connection, driver.boxed()))
}

/// Returns what passes announcements on to the sink.
fn hearing(
    prefix: String,
    sink: Arc<dyn InvalidationSink>,
) -> impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static {
    move |push| {
        if push.kind != PushKind::Invalidate {
            return Ok(());
        }
        match push.data.first() {
            Some(Value::Array(keys)) => {
                for key in keys {
                    match key {
                        Value::BulkString(key) => {
                            let sid = key.strip_prefix(prefix.as_bytes());
                            // An id is text, so a key that is not belongs to another program.
                            if let Some(Ok(sid)) = sid.map(str::from_utf8) {
                                sink.changed(sid);
                            }
                        }
                        _ => sink.all_changed(),
                    }
                }
            }
            // `FLUSHALL` is announced without keys.
            _ => sink.all_changed(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl InvalidationSink for Heard {
        fn changed(&self, sid: &str) {
            self.0.lock().unwrap().push(sid.to_owned());
        }

        fn all_changed(&self) {
            self.0.lock().unwrap().push("everything".to_owned());
        }

        fn asking(&self) {}

        fn confirmed(&self) {}
    }

    #[test]
    fn an_announcement_names_ids_or_means_all() {
        let key = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let keys = |keys: Vec<Value>| vec![Value::Array(keys)];
        for (kind, data, expected) in [
            (PushKind::Invalidate, keys(vec![key("sess:a"), key("sess:b")]), vec!["a", "b"]),
            (PushKind::Invalidate, keys(vec![key("other:a"), key("sess:c")]), vec!["c"]),
            (PushKind::Invalidate, keys(vec![Value::BulkString(b"sess:\xff".to_vec())]), vec![]),
            (PushKind::Invalidate, vec![Value::Nil], vec!["everything"]),
            (PushKind::Invalidate, vec![], vec!["everything"]),
            (PushKind::Message, keys(vec![key("sess:a")]), vec![]),
        ] {
            let heard = Arc::new(Heard::default());
            let sink: Arc<dyn InvalidationSink> = Arc::<Heard>::clone(&heard);
            let Ok(()) = hearing("sess:".to_owned(), sink)(PushInfo { kind, data });
            assert_eq!(*heard.0.lock().unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_shared_connection_and_a_cluster_are_refused() {
        let store = RedisStore::open("redis+cluster://127.0.0.1:1").unwrap();
        assert_eq!(store.check_invalidations().unwrap_err().kind(), ErrorKind::Unsupported);
        let store = RedisStore::open("redis://127.0.0.1:1").unwrap();
        store.check_invalidations().unwrap();
    }
}
