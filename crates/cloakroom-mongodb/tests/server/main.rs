//! The store against real servers.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod atomic;
mod documents;
#[cfg(feature = "encryption")]
mod encryption;
mod failover;
mod failures;
mod find;
mod index;
mod listing;
mod load;
mod outage;
mod reading;
mod refusals;
mod replicas;
mod round_trips;
mod runtimes;
mod silence;
mod tls;
mod touching;
mod writing;

use std::sync::LazyLock;

use cloakroom_core::{Atomic, Clock, Enumerate, SessionData, Store};
use cloakroom_mongodb::{
    MongoOptions, MongoStore,
    mongodb::{
        Client, Collection,
        bson::{Bson, DateTime, Document, RawDocumentBuf, doc},
    },
};
use cloakroom_test_backends::session;
use cloakroom_test_support::{Mongod, unique};

/// The server of all tests that leave it running. A static is never dropped; it ends with the test process.
static SERVER: LazyLock<Mongod> = LazyLock::new(|| Mongod::start().unwrap());

/// Where the clock of [`Bench::with`] stands: in 2100, where MongoDB's TTL monitor finds nothing expired.
const NOW: i64 = 4_102_444_800_000;

/// A store on a collection of its own, and a plain client beside it.
struct Bench {
    store: MongoStore,
    client: Client,
    raw: Collection<Document>,
    clock: Clock,
}

impl Bench {
    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut MongoOptions)) -> Self {
        let mut options = MongoOptions::default();
        options.collection_name = unique("sessions");
        options.clock = Clock::fixed(NOW);
        change(&mut options);
        let client = Client::with_uri_str(SERVER.url()).await.unwrap();
        let raw = client.database("tests").collection(&options.collection_name);
        let clock = options.clock.clone();
        let store = MongoStore::open_with(&format!("{}/tests", SERVER.url()), options).unwrap();
        Self { store, client, raw, clock }
    }

    /// The options of another store on the same collection.
    fn options(&self) -> MongoOptions {
        let mut options = MongoOptions::default();
        options.collection_name = self.raw.name().to_owned();
        options.clock = self.clock.clone();
        options
    }

    /// Stores a document as another program would.
    async fn plant(&self, document: Document) {
        self.raw.insert_one(document).await.unwrap();
    }

    /// A live session under `a`, as another program would store it.
    async fn plant_session(&self, session: impl Into<Bson>) {
        self.plant(doc! { "_id": "a", "expires": date(NOW + HOUR), "session": session.into() })
            .await;
    }

    async fn document(&self, id: &str) -> Option<Document> {
        self.raw.find_one(doc! { "_id": id }).await.unwrap()
    }

    /// The bytes of a document as MongoDB has them.
    async fn bytes(&self, id: &str) -> Vec<u8> {
        let raw = self.raw.clone_with_type::<RawDocumentBuf>();
        raw.find_one(doc! { "_id": id }).await.unwrap().unwrap().into_bytes()
    }

    async fn read(&self) -> SessionData {
        self.store.get("a").await.unwrap().unwrap()
    }
}

const HOUR: i64 = 3_600_000;

fn date(ms: i64) -> DateTime {
    DateTime::from_millis(ms)
}

fn atomic(store: &MongoStore) -> &dyn Atomic {
    store.atomic().unwrap()
}

fn listing(store: &MongoStore) -> &dyn Enumerate {
    store.enumerate().unwrap()
}

/// A session whose cookie expires in so many milliseconds.
fn expiring(ms: i64) -> SessionData {
    let mut session = session();
    session.cookie_mut().set_max_age_ms(Some(ms), NOW).unwrap();
    session
}
