//! Logouts that race with moves to a new id, on real stores: after the logout is answered, nothing is alive that
//! descends from the session. Every order of their calls to the store is tried in `cloakroom-tower`; here they really
//! run at once.

use std::{sync::Arc, time::Duration};

use cloakroom::{
    Error, MemoryStore, Secrets, SessionData, Store, generate_id,
    memcached::{MemcachedOptions, MemcachedStore},
    mongodb::{MongoOptions, MongoStore},
    redis::{RedisOptions, RedisStore},
    tower::{RequestHead, Session, SessionEngine, SessionOptions},
};
use cloakroom_core::marker_name;
use cloakroom_file::{FileOptions, FileStore};
use cloakroom_test_support::{Memcached, Mongod, RedisServer};
use futures::TryStreamExt;

const RACES: usize = 2_000;

/// Two cores that are busy with other things are no reason to give up.
const DEADLINE: Duration = Duration::from_secs(120);

fn secrets() -> Secrets {
    Secrets::new(["keyboard cat"]).unwrap()
}

fn engine(store: impl Store + 'static) -> SessionEngine {
    let mut options = SessionOptions::new();
    options.failure.deadline = Some(DEADLINE);
    options.engine(store, secrets()).unwrap()
}

async fn load(engine: &SessionEngine, sid: &str) -> Session {
    let request = http::Request::get("/")
        .header("cookie", format!("connect.sid={}", secrets().cookie_value(sid)))
        .body(())
        .unwrap();
    engine.load(RequestHead::from(&request)).await.unwrap().unwrap()
}

/// A login that keeps the cart. The id that it has moved to, if it was answered as done.
async fn login(engine: SessionEngine, session: Session) -> Result<Option<String>, Error> {
    if session.is_new() {
        return Ok(None);
    }
    session.regenerate_keeping_data().await?;
    session.insert("user", "ann")?;
    Ok(engine.commit(&session).await?.map(|_| session.id()))
}

async fn logout(engine: SessionEngine, session: Session) -> Result<(), Error> {
    session.destroy().await?;
    engine.commit(&session).await.map(drop)
}

async fn start(engine: &SessionEngine) -> String {
    let sid = generate_id().unwrap();
    let mut record = SessionData::new();
    record.insert("cart", ["tea"]).unwrap();
    engine.store().set(&sid, &record).await.unwrap();
    sid
}

/// Races on one store with connections of its own for each side. Returns how many sessions outlived their logout.
async fn outlived(login_side: SessionEngine, logout_side: SessionEngine) -> usize {
    let mut outlived = 0;
    for race in 0..RACES {
        let first = start(&login_side).await;
        // Every third chain begins with a move that is done: a -> b, and b -> c races with a logout of a.
        let moved = match race % 3 {
            0 => login(login_side.clone(), load(&login_side, &first).await).await.unwrap().unwrap(),
            _ => first.clone(),
        };
        let gate = Arc::new(tokio::sync::Barrier::new(2));
        let logins = tokio::spawn({
            let (engine, gate, is_early) = (login_side.clone(), Arc::clone(&gate), race % 2 == 0);
            async move {
                let early = if is_early { Some(load(&engine, &moved).await) } else { None };
                gate.wait().await;
                let session = match early {
                    Some(session) => session,
                    None => load(&engine, &moved).await,
                };
                login(engine, session).await
            }
        });
        let logouts = tokio::spawn({
            let (engine, is_early) = (logout_side.clone(), race % 4 < 2);
            async move {
                let early = if is_early { Some(load(&engine, &first).await) } else { None };
                gate.wait().await;
                let session = match early {
                    Some(session) => session,
                    None => load(&engine, &first).await,
                };
                logout(engine, session).await
            }
        });
        // One that panics before the gate would leave the other there.
        let (login, logout) = futures::try_join!(logins, logouts).unwrap();
        logout.unwrap();
        // A login that found its session logged out is an error, and leaves nothing either.
        if let Ok(Some(sid)) = login
            && login_side.store().get(&sid).await.unwrap().is_some()
        {
            outlived += 1;
        }
    }
    lists_no_marker(&login_side).await;
    outlived
}

/// The logouts have left markers, which are not sessions.
async fn lists_no_marker(engine: &SessionEngine) {
    let ended = start(engine).await;
    let lives = start(engine).await;
    logout(engine.clone(), load(engine, &ended).await).await.unwrap();
    let marker = marker_name(&ended);
    assert!(engine.store().get(&marker).await.unwrap().is_some(), "a marker is there");
    let enumerate = engine.store().enumerate().unwrap();
    assert_eq!(enumerate.ids().try_collect::<Vec<_>>().await.unwrap(), [&*lives]);
    let all: Vec<_> = enumerate.all().try_collect().await.unwrap();
    assert_eq!(all.iter().map(|listed| &listed.id).collect::<Vec<_>>(), [&lives]);
    assert_eq!(enumerate.length().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_outlives_its_logout_in_memory() {
    let store = MemoryStore::new();
    assert_eq!(outlived(engine(store.clone()), engine(store)).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_outlives_its_logout_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    // Whether a write is on the disk makes no other order.
    let options = FileOptions::default().with_durable(false).with_deadline(DEADLINE);
    let open = || engine(FileStore::in_folder(folder.path(), options.clone()).unwrap());
    assert_eq!(outlived(open(), open()).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn no_session_outlives_its_logout_on_redis() {
    let server = RedisServer::start().unwrap();
    let options = RedisOptions::default().with_deadline(DEADLINE);
    let open = || engine(RedisStore::open_with(&server.url(), options.clone()).unwrap());
    assert_eq!(outlived(open(), open()).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs memcached"]
async fn no_session_outlives_its_logout_on_memcached() {
    let server = Memcached::start().unwrap();
    let options = MemcachedOptions::default().with_deadline(DEADLINE);
    let open = || engine(MemcachedStore::open_with(&server.url(), options.clone()).unwrap());
    assert_eq!(outlived(open(), open()).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mongod"]
async fn no_session_outlives_its_logout_on_mongodb() {
    let server = Mongod::start().unwrap();
    let options = MongoOptions::default().with_deadline(DEADLINE);
    let open = || engine(MongoStore::open_with(&server.url(), options.clone()).unwrap());
    assert_eq!(outlived(open(), open()).await, 0);
}
