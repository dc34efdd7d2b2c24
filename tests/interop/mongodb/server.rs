//! One MongoDB with connect-mongo and `MongoStore` on it.

use std::{
    future::Future,
    sync::{Arc, LazyLock},
    thread,
};

use cloakroom::ExpressSession;
use cloakroom_core::Clock;
use cloakroom_encryption::Encryption;
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client, Collection,
        bson::{Document, RawDocumentBuf, doc},
    },
};
use cloakroom_test_support::{Mongod, NodeProgram, unique};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cases::{Backend, NodeTouch, Sides};

/// All tests share it. A static is never dropped; the server ends with the test process.
static SERVER: LazyLock<Mongod> = LazyLock::new(|| Mongod::start().unwrap());

/// Where the plain client lives, whose answers are waited for in the middle of a test.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn wait<T: Send>(future: impl Future<Output = T> + Send) -> T {
    thread::scope(|scope| scope.spawn(|| RUNTIME.block_on(future)).join().unwrap())
}

/// A plain client on the sessions of one database.
pub(crate) struct Raw {
    pub(crate) sessions: Collection<Document>,
    encryption: Option<Arc<dyn Encryption>>,
}

impl Raw {
    fn of(database: &str, encryption: Option<Arc<dyn Encryption>>) -> Self {
        let client = wait(Client::with_uri_str(SERVER.url())).unwrap();
        Self { sessions: client.database(database).collection("sessions"), encryption }
    }

    pub(crate) fn document(&self, sid: &str) -> Option<Document> {
        wait(async { self.sessions.find_one(doc! { "_id": sid }).await }).unwrap()
    }

    /// The bytes of the session, without those of the document's other fields.
    pub(crate) fn session_bytes(&self, sid: &str) -> Vec<u8> {
        let raw = self.sessions.clone_with_type::<RawDocumentBuf>();
        let found = wait(async { raw.find_one(doc! { "_id": sid }).await }).unwrap().unwrap();
        found.get_document("session").unwrap().as_bytes().to_vec()
    }
}

impl Backend for Raw {
    fn record(&mut self, sid: &str) -> Option<String> {
        let text = self.document(sid)?.get_str("session").unwrap().to_owned();
        Some(match &self.encryption {
            None => text,
            Some(encryption) => encryption.decrypt(&text).unwrap(),
        })
    }

    fn lives_ms(&mut self, sid: &str) -> i64 {
        let document = self.document(sid).unwrap();
        let expires = document.get_datetime("expires").unwrap().timestamp_millis();
        expires - Clock::system().now_ms()
    }
}

fn node(version: &str, url: &str, options: &Value) -> NodeProgram {
    let (store, options) = (format!("mongo-{version}"), options.to_string());
    let arguments = ["--store", &store, "--url", url, "--options", &options];
    NodeProgram::start("store.mjs", &arguments, &[]).unwrap()
}

fn rust(url: &str, options: &Value, encryption: Option<Arc<dyn Encryption>>) -> MongoStore {
    let mut ours = MongoOptions::default();
    ours.stringify = options["stringify"].as_bool().unwrap_or(true);
    ours.encryption = encryption;
    MongoStore::open_with(url, ours).unwrap()
}

fn sides(
    version: &str,
    (node, rust): (NodeProgram, MongoStore),
    options: &Value,
    raw: Raw,
) -> Sides {
    Sides {
        label: format!("connect-mongo {version} with {options}"),
        node,
        rust: ExpressSession::new(rust),
        backend: Box::new(raw),
        node_touch: NodeTouch::Moves,
    }
}

/// Both sides on a database of their own, with these options of connect-mongo.
pub(crate) fn start(
    version: &str,
    options: Value,
    encryption: Option<Arc<dyn Encryption>>,
) -> Sides {
    let database = unique("interop");
    let url = format!("{}/{database}", SERVER.url());
    let both = (node(version, &url, &options), rust(&url, &options, encryption.clone()));
    sides(version, both, &options, Raw::of(&database, encryption))
}

/// As [`start`], with a plain client that is the test's own.
pub(crate) fn start_with_raw(version: &str, options: Value) -> (Sides, Raw) {
    let database = unique("interop");
    let url = format!("{}/{database}", SERVER.url());
    let both = (node(version, &url, &options), rust(&url, &options, None));
    let [raw, own] = [(); 2].map(|()| Raw::of(&database, None));
    (sides(version, both, &options, raw), own)
}

/// Both sides, the second of them started after the first has made its index.
pub(crate) async fn start_in_order(version: &str, rust_first: bool) -> Sides {
    let database = unique("interop");
    let url = format!("{}/{database}", SERVER.url());
    let options = Value::Object(Default::default());
    let store = rust(&url, &options, None);
    assert_eq!(store_options().auto_remove, AutoRemove::Native);
    if rust_first {
        store.ensure_index().await.unwrap();
    }
    let mut program = node(version, &url, &options);
    let answer: Value = program.call(r#"{"op":"get","sid":"a"}"#).unwrap();
    assert_eq!(answer.get("error"), None, "{version}");
    store.ensure_index().await.unwrap();
    sides(version, (program, store), &options, Raw::of(&database, None))
}

fn store_options() -> MongoOptions {
    MongoOptions::default()
}
