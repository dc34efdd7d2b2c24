//! A mover is killed when only its last write is left, and the new store is full from then on.

use std::{
    future::pending,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom::{
    Atomic, Error, ErrorKind, ExpressSession, Migrating, SessionData, Store, Touched, Updated,
    is_moving, mongodb::MongoStore, redis::RedisStore,
};
use cloakroom_test_backends::{Calls, Instead};
use cloakroom_test_support::{Mongod, RedisServer};

/// A store whose process is killed before its second update is sent: the one that makes a session of the copy.
struct KilledAtTheEnd {
    store: RedisStore,
    updates: AtomicUsize,
}

#[async_trait]
impl Calls for KilledAtTheEnd {
    fn behind(&self) -> &dyn Store {
        &self.store
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        if self.updates.fetch_add(1, SeqCst) == 1 {
            return pending().await;
        }
        self.store.update(sid, session).await
    }
}

#[tokio::test]
#[ignore = "needs redis-server and mongod"]
async fn a_session_can_be_used_while_the_new_store_is_full() {
    let (redis, mongod) = (RedisServer::start().unwrap(), Mongod::start().unwrap());
    let old = MongoStore::open(&mongod.url()).unwrap();
    let new = RedisStore::open(&redis.url()).unwrap();
    let mut session = SessionData::new();
    session.insert("n", 1).unwrap();
    let limit = |bytes: usize| {
        let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).exec(&mut connection).unwrap();
    };
    for sid in ["changed", "ended"] {
        old.set(sid, &session).await.unwrap();
        let killed = KilledAtTheEnd { store: new.clone(), updates: AtomicUsize::new(0) };
        let mover = Migrating::new(old.clone(), Instead(killed));
        let moving = tokio::time::timeout(Duration::from_secs(3), mover.move_session(sid, None));
        assert!(moving.await.is_err(), "it is killed");
        // On a machine that is very slow it is killed earlier, which is as good.
        assert!(is_moving(&old.get(sid).await.unwrap().unwrap()));
    }
    limit(1);
    for handle in
        [Migrating::new(old.clone(), new.clone()), Migrating::before(old.clone(), new.clone())]
    {
        let sessions = ExpressSession::new(handle);
        let found = sessions.get("changed").await.unwrap().expect("it can be read");
        assert_eq!(found.loaded_json(), session.to_json());
        let visited = sessions.get_and_touch("changed", None).await.unwrap();
        assert_eq!(visited.expect("it can be visited").get("n").unwrap(), Some(1));
        assert_eq!(sessions.touch("changed", &found).await.unwrap(), Touched::Extended);
        let change = sessions.modify("changed", |session| session.insert("n", 2)).await;
        assert_eq!(change.unwrap_err().kind(), ErrorKind::Full);
    }
    let sessions = ExpressSession::migrating(old.clone(), new.clone());
    sessions.destroy("ended").await.unwrap();
    assert_eq!(sessions.get("ended").await.unwrap(), None);
    limit(0);
    sessions.modify("changed", |session| session.insert("n", 2)).await.unwrap().unwrap();
    assert_eq!(new.get("changed").await.unwrap().unwrap().get("n").unwrap(), Some(2));
    assert_eq!(old.get("changed").await.unwrap(), None);
}
