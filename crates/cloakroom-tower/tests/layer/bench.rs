//! One session of one store, and requests that have it at the same time.

use cloakroom_core::{Clock, Error, Secrets, SessionData, Store};
use cloakroom_tower::{RequestHead, Session, SessionEngine, SessionOptions};
use futures::executor::block_on;
use http::Request;

use crate::{log::Log, site::NOW};

pub(crate) const SID: &str = "abc";

pub(crate) struct Bench {
    pub(crate) store: Log,
    pub(crate) engine: SessionEngine,
    /// The id that the browser has.
    pub(crate) sid: String,
}

impl Bench {
    pub(crate) fn new(record: &str) -> Self {
        let clock = Clock::fixed(NOW);
        let store = Log::new(&clock);
        let mut options = SessionOptions::new();
        options.expiry.clock = clock;
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let engine = options.engine(store.clone(), secrets).unwrap();
        block_on(store.memory().set(SID, &SessionData::from_json(record).unwrap())).unwrap();
        Self { store, engine, sid: SID.to_owned() }
    }

    pub(crate) fn load(&self) -> Session {
        let cookie = Secrets::new(["keyboard cat"]).unwrap().cookie_value(&self.sid);
        let request =
            Request::get("/").header("cookie", format!("connect.sid={cookie}")).body(()).unwrap();
        block_on(self.engine.load(RequestHead::from(&request))).unwrap().unwrap()
    }

    pub(crate) fn commit(&self, session: &Session) -> Option<http::HeaderValue> {
        self.try_commit(session).unwrap()
    }

    pub(crate) fn try_commit(&self, session: &Session) -> Result<Option<http::HeaderValue>, Error> {
        block_on(self.engine.commit(session))
    }

    pub(crate) fn record(&self) -> Option<SessionData> {
        block_on(self.store.memory().get(&self.sid)).unwrap()
    }
}

/// Runs what has to wait, for which deadlines need a timer.
pub(crate) fn with_time(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work);
}
