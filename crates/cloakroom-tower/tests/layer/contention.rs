//! Many requests that write one session at the same time.

use std::time::Duration;

use cloakroom_core::{Secrets, SessionData, Store};
use cloakroom_tower::{RequestHead, SessionOptions};
use futures::future::join_all;
use http::Request;

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
