//! Servers that fail a command on purpose, and what is said of its outcome.

use std::time::Duration;

use cloakroom_core::{ErrorKind, Store};
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client,
        bson::{Bson, Document, doc},
    },
};
use cloakroom_test_support::{Mongod, Wait};

use crate::{listing, outage::all_operations, session};

/// A server of its own whose commands can be made to fail for the store.
struct FailingServer {
    server: Mongod,
    client: Client,
}

impl FailingServer {
    async fn start() -> Self {
        let server = Mongod::start_with(&["--setParameter", "enableTestCommands=1"]).unwrap();
        let client = Client::with_uri_str(server.url()).await.unwrap();
        Self { server, client }
    }

    /// A store that sends nothing by itself.
    fn store(&self, query: &str) -> MongoStore {
        let mut options = MongoOptions::default();
        options.auto_remove = AutoRemove::Disabled;
        let url = format!("{}/app?appName=store{query}", self.server.url());
        MongoStore::open_with(&url, options).unwrap()
    }

    /// From now on, these commands of the store do so.
    async fn fail(&self, commands: &[&str], how: Document) {
        let mut data = doc! { "failCommands": commands, "appName": "store" };
        data.extend(how);
        self.configure(doc! { "mode": "alwaysOn", "data": data }).await;
    }

    async fn recover(&self) {
        self.configure(doc! { "mode": "off" }).await;
    }

    async fn configure(&self, how: Document) {
        let mut command = doc! { "configureFailPoint": "failCommand" };
        command.extend(how);
        self.client.database("admin").run_command(command).await.unwrap();
    }
}

/// For stores that find no server, which would look for two seconds.
const IMPATIENT: &str = "&serverSelectionTimeoutMS=300";

/// All that a store sends.
const COMMANDS: &[&str] =
    &["find", "update", "delete", "findAndModify", "aggregate", "createIndexes"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn a_full_disk_is_full_and_nothing_was_stored() {
    let server = FailingServer::start().await;
    let store = server.store("");
    store.ping().await.unwrap();
    server.fail(&["update", "findAndModify"], doc! { "errorCode": 14_031 }).await;
    for (operation, _, answer) in all_operations(&store).await {
        let Err(error) = answer else { continue };
        assert_eq!(error.kind(), ErrorKind::Full, "{operation}: {error}");
        assert!(!error.outcome_unknown(), "{operation}: {error}");
    }
    let error = store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.to_string(), "mongodb: set: the server's disk is full");
    server.recover().await;
    store.set("a", &session()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn the_outcome_of_a_read_is_never_unknown_whatever_happened() {
    let server = FailingServer::start().await;
    let store = server.store(IMPATIENT);
    store.ping().await.unwrap();
    for how in [
        doc! { "closeConnection": true },
        doc! { "errorCode": 91 },
        doc! { "errorCode": 11_600 },
        doc! { "errorCode": 11_602 },
        doc! { "errorCode": 50 },
        doc! { "errorCode": 8 },
        doc! { "errorCode": 112 },
    ] {
        server.fail(COMMANDS, how.clone()).await;
        for (operation, writes, answer) in all_operations(&store).await {
            let error = answer.unwrap_err();
            assert!(writes || !error.outcome_unknown(), "{operation}: {how}: {error}");
        }
        // It is known of a write if the server says that it did nothing, and if the driver takes it for gone by then.
        let error = store.set("a", &session()).await.unwrap_err();
        let known = matches!(how.get("errorCode"), Some(Bson::Int32(8 | 112)))
            || error.to_string().contains("cannot reach");
        assert_eq!(error.outcome_unknown(), !known, "{how}: {error}");
        server.recover().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn what_was_not_sent_did_not_happen() {
    // The handshake of a connection fails, and so do those of the driver's monitors.
    for how in [
        doc! { "closeConnection": true },
        doc! { "errorCode": 91 },
        doc! { "blockConnection": true, "blockTimeMS": 60_000 },
    ] {
        let server = FailingServer::start().await;
        server.fail(&["hello", "isMaster"], how.clone()).await;
        let store = server.store(IMPATIENT);
        for (operation, _, answer) in all_operations(&store).await {
            let error = answer.unwrap_err();
            assert!(error.is_retryable(), "{operation}: {how}: {error}");
            assert!(!error.outcome_unknown(), "{operation}: {how}: {error}");
        }
    }
}

/// On one thread, so that the listing has the connection before the write asks for one.
#[tokio::test]
#[ignore = "needs mongod"]
async fn a_write_that_waited_for_a_connection_was_not_sent() {
    let server = FailingServer::start().await;
    let store = server.store("&deadline=3000");
    store.ping().await.unwrap();
    // The one connection is busy with the listing, and another one does not get ready. The driver's monitor has asked
    // before, and has its answer.
    let slow = doc! { "blockConnection": true, "blockTimeMS": 60_000 };
    server.fail(&["hello", "isMaster", "aggregate"], slow).await;
    let listing = crate::listing(&store);
    let written = async {
        tokio::task::yield_now().await;
        store.set("a", &session()).await
    };
    let (read, written) = tokio::join!(listing.length(), written);
    for error in [read.map(drop).unwrap_err(), written.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(!error.outcome_unknown(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn one_slow_answer_breaks_off_nothing_else() {
    let server = FailingServer::start().await;
    let store = server.store("&deadline=2000");
    store.set("a", &session()).await.unwrap();
    let slow = doc! { "blockConnection": true, "blockTimeMS": 20_000 };
    server.fail(&["aggregate"], slow).await;
    let others = async {
        let since = tokio::time::Instant::now();
        while since.elapsed() < Duration::from_secs(3) {
            store.set("a", &session()).await.unwrap();
        }
    };
    let (slow, ()) = tokio::join!(crate::listing(&store).length(), others);
    assert_eq!(slow.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn a_clear_that_the_server_gives_up_half_way_may_have_happened() {
    const SESSIONS: u64 = 100;
    let server = FailingServer::start().await;
    let store = server.store("");
    for number in 0..SESSIONS {
        store.set(&format!("id-{number}"), &session()).await.unwrap();
    }
    let admin = server.client.database("admin");
    let pause = |mode: &str| {
        let data = doc! { "namespace": "app.sessions" };
        doc! { "configureFailPoint": "setYieldAllLocksHang", "mode": mode, "data": data }
    };
    // By itself, a busy server also yields after 10 ms, before the first session is removed.
    for (name, value) in
        [("internalQueryExecYieldIterations", 10), ("internalQueryExecYieldPeriodMS", 3_600_000)]
    {
        admin.run_command(doc! { "setParameter": 1, name: value }).await.unwrap();
    }
    admin.run_command(pause("alwaysOn")).await.unwrap();
    let clearing = tokio::spawn(async move { listing(&store).clear().await });
    let sessions = server.client.database("app").collection::<Document>("sessions");
    let wait = Wait::until("some sessions are gone");
    while sessions.estimated_document_count().await.unwrap() == SESSIONS {
        wait.check();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What is being cleared goes away under the server's hands.
    sessions.drop().await.unwrap();
    admin.run_command(pause("off")).await.unwrap();
    let error = clearing.await.unwrap().unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert!(error.to_string().ends_with("error code 175"), "{error}");
}
