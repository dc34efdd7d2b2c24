//! One MongoDB with connect-mongo and `MongoStore` on it.

use std::{
    future::Future,
    sync::{Arc, LazyLock},
    thread,
};

use cloakroom::ExpressSession;
use cloakroom_conformance::RawAccess;
use cloakroom_core::Clock;
use cloakroom_encryption::Encryption;
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client, Collection,
        bson::{Document, RawDocumentBuf, doc},
    },
};
use cloakroom_test_backends::RawMongo;
use cloakroom_test_support::{Mongod, NodeProgram, unique};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cases::{NodeTouch, Sides};

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
}

impl Raw {
    fn of(database: &str) -> Self {
        let client = wait(Client::with_uri_str(SERVER.url())).unwrap();
        Self { sessions: client.database(database).collection("sessions") }
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

/// The records of one database, for the cases.
fn records(database: &str, encryption: Option<Arc<dyn Encryption>>) -> Box<dyn RawAccess> {
    let raw = RawMongo::new(SERVER.url(), database, "sessions", Clock::system());
    let Some(encryption) = encryption else { return Box::new(raw) };
    let encrypts = Arc::clone(&encryption);
    Box::new(raw.with_encryption(
        move |text| Ok(encrypts.encrypt(text)?),
        move |text| Ok(encryption.decrypt(text)?),
    ))
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
    backend: Box<dyn RawAccess>,
) -> Sides {
    Sides {
        label: format!("connect-mongo {version} with {options}"),
        node,
        rust: ExpressSession::new(rust),
        backend,
        _servers: Box::new(()),
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
    sides(version, both, &options, records(&database, encryption))
}

/// As [`start`], with a plain client that is the test's own.
pub(crate) fn start_with_raw(version: &str, options: Value) -> (Sides, Raw) {
    let database = unique("interop");
    let url = format!("{}/{database}", SERVER.url());
    let both = (node(version, &url, &options), rust(&url, &options, None));
    (sides(version, both, &options, records(&database, None)), Raw::of(&database))
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
    sides(version, (program, store), &options, records(&database, None))
}

fn store_options() -> MongoOptions {
    MongoOptions::default()
}
