//! Many requests that write one session at the same time.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation};
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, MemoryStore, Secrets, SessionData, Store, Touched, Updated,
};
use cloakroom_tower::{RequestHead, SessionOptions};
use futures::future::join_all;
use http::Request;
use tokio::time::{Instant, sleep};

use crate::{counting::count, log::Log, site::NOW};

#[tokio::test]
async fn requests_that_meet_need_at_most_two_tries_each() {
    const REQUESTS: usize = 128;
    let store = Log::new(&cloakroom_core::Clock::fixed(NOW)).slow();
    store
        .memory()
        .set("contended", &SessionData::from_json(r#"{"cookie":{}}"#).unwrap())
        .await
        .unwrap();
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let cookie = format!("connect.sid={}", secrets.cookie_value("contended"));
    let mut options = SessionOptions::new();
    // No machine is too slow for it, so that no turn is taken over.
    options.failure.deadline = Some(Duration::from_secs(600));
    let engine = options.engine(store.clone(), secrets).unwrap();
    let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
    let sessions = join_all((0..REQUESTS).map(|_| engine.load(RequestHead::from(&request)))).await;
    store.calls();
    join_all(sessions.into_iter().map(async |session| {
        let session = session.unwrap().unwrap();
        count(&session);
        engine.commit(&session).await.unwrap();
    }))
    .await;
    let record = store.memory().get("contended").await.unwrap().unwrap();
    assert_eq!(record.get::<usize>("count").unwrap(), Some(REQUESTS));
    let tries = store.calls().iter().filter(|call| **call == "update").count();
    // Each but the first was loaded before the others wrote.
    assert_eq!(tries, 2 * REQUESTS - 1);
}

/// A store that is far away, and whose own deadline is longer than the layer's by default.
#[derive(Clone)]
struct Far(MemoryStore);

impl Far {
    async fn answers(&self, operation: &'static str) -> Result<(), Error> {
        let limit = Duration::from_secs(15);
        let operation = Operation::start("far", operation, Idempotency::Once, limit);
        let trip = sleep(Duration::from_millis(300));
        operation.within(trip).await.ok_or_else(|| operation.timeout())
    }
}

#[async_trait]
impl Store for Far {
    fn name(&self) -> &str {
        "far"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.answers("get").await?;
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.answers("set").await?;
        self.0.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.answers("destroy").await?;
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.answers("touch").await?;
        self.0.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[async_trait]
impl Atomic for Far {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.answers("create").await?;
        self.0.create(sid, session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.answers("update").await?;
        self.0.update(sid, session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.answers("get_and_touch").await?;
        self.0.get_and_touch(sid, ttl).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_store_includes_the_wait_for_the_turn() {
    const REQUESTS: usize = 15;
    let store = Far(MemoryStore::new());
    let record = SessionData::from_json(r#"{"cookie":{}}"#).unwrap();
    store.0.set("contended", &record).await.unwrap();
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let cookie = format!("connect.sid={}", secrets.cookie_value("contended"));
    let engine = SessionOptions::new().engine(store.clone(), secrets).unwrap();
    let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
    let sessions = join_all((0..REQUESTS).map(|_| engine.load(RequestHead::from(&request)))).await;
    let began = Instant::now();
    join_all(sessions.into_iter().map(async |session| {
        let session = session.unwrap().unwrap();
        count(&session);
        engine.commit(&session).await.unwrap();
    }))
    .await;
    let record = store.0.get("contended").await.unwrap().unwrap();
    assert_eq!(record.get::<usize>("count").unwrap(), Some(REQUESTS));
    assert!(began.elapsed() > Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_store_includes_the_wait_for_other_handles() {
    const SAVES: u32 = 20;
    let store = Far(MemoryStore::new());
    let record = SessionData::from_json(r#"{"cookie":{}}"#).unwrap();
    store.0.set("a", &record).await.unwrap();
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let cookie = format!("connect.sid={}", secrets.cookie_value("a"));
    let engine = SessionOptions::new().engine(store, secrets).unwrap();
    let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
    let session = engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
    let began = Instant::now();
    let saves = join_all((0..SAVES).map(|_| session.save())).await;
    assert!(saves.iter().all(Result::is_ok), "{saves:?}");
    assert!(began.elapsed() > Duration::from_secs(5), "{:?}", began.elapsed());
    // The end of the request waits for a handle, too.
    session.insert("n", 1).unwrap();
    let (saves, end) = futures::join!(join_all((0..SAVES).map(|_| session.save())), async {
        // Behind the others in the line.
        tokio::task::yield_now().await;
        engine.commit(&session).await
    });
    assert!(end.is_ok(), "{end:?}");
    assert!(saves.iter().any(Result::is_ok), "{saves:?}");
}
