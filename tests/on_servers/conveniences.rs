//! What `ExpressSession` adds to any store, on real servers: the health check, the end of all sessions of one user, and
//! an end that nothing moves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom::{
    Error, ErrorKind, ExpressSession, ExpressSessionOptions, MemoryStore, SessionData, Store,
    memcached::{MemcachedOptions, MemcachedStore},
    mongodb::{MongoOptions, MongoStore},
    redis::{RedisOptions, RedisStore},
};
use cloakroom_file::{FileOptions, FileStore};
use cloakroom_sql::SqlStore;
use cloakroom_test_support::{Memcached, Mongod, RedisServer};
use futures::TryStreamExt;

/// Longer than any test waits: what ends sooner did not end by the store's own deadline.
const LONG: Duration = Duration::from_secs(120);

/// A server that can be frozen and stopped, and a store on it.
trait Server: Send {
    fn open(&self) -> Arc<dyn Store>;
    fn pause(&mut self);
    fn resume(&mut self);
    fn stop(&mut self);
    fn restart(&mut self);
}

macro_rules! server {
    ($server:ty, $store:ident, $options:ident) => {
        impl Server for $server {
            fn open(&self) -> Arc<dyn Store> {
                let options = $options::default().with_deadline(LONG);
                Arc::new($store::open_with(&self.url(), options).unwrap())
            }
            fn pause(&mut self) {
                Self::pause(self).unwrap();
            }
            fn resume(&mut self) {
                Self::resume(self).unwrap();
            }
            fn stop(&mut self) {
                Self::stop(self);
            }
            fn restart(&mut self) {
                Self::restart(self).unwrap();
            }
        }
    };
}

server!(RedisServer, RedisStore, RedisOptions);
server!(Memcached, MemcachedStore, MemcachedOptions);
server!(Mongod, MongoStore, MongoOptions);

fn of(user: usize) -> SessionData {
    let mut session = SessionData::new();
    session.insert("user", user).unwrap();
    session
}

fn is_of(user: usize) -> impl Fn(&str, &SessionData) -> bool + Copy + Send {
    move |_, session| session.get::<usize>("user").unwrap() == Some(user)
}

async fn signs_out_everywhere(sessions: ExpressSession) {
    for number in 0..250 {
        sessions.set(&format!("id{number}"), &of(number % 5)).await.unwrap();
    }
    assert_eq!(sessions.destroy_where(is_of(3)).await.unwrap(), 50);
    assert_eq!(sessions.length().await.unwrap(), 200);
    for number in 0..250 {
        let is_there = sessions.get(&format!("id{number}")).await.unwrap().is_some();
        assert_eq!(is_there, number % 5 != 3, "{number}");
    }
    assert_eq!(sessions.destroy_where(is_of(3)).await.unwrap(), 0);

    let options = ExpressSessionOptions::default().with_user_path("user");
    let sessions = ExpressSession::with_options(sessions, options);
    assert_eq!(sessions.end_all(4, Some("id4")).await.unwrap(), 49);
    let left: Vec<_> = sessions.of(4).map_ok(|listed| listed.id).try_collect().await.unwrap();
    assert_eq!((left, sessions.length().await.unwrap()), (vec!["id4".to_owned()], 151));
}

/// The server goes while the third session is looked at.
async fn says_how_far_it_came(mut server: impl Server) {
    let sessions = ExpressSession::new(server.open());
    for number in 0..5 {
        sessions.set(&format!("id{number}"), &of(1)).await.unwrap();
    }
    let mut calls = 0;
    let answer = sessions.destroy_where(|_, _| {
        calls += 1;
        if calls == 3 {
            server.stop();
        }
        true
    });
    let error = answer.await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "destroy_where"));
    assert!(error.to_string().ends_with("sessions destroyed before that: 2"), "{error}");
}

async fn pings(mut server: impl Server) {
    let (used, fresh) = (ExpressSession::new(server.open()), ExpressSession::new(server.open()));
    used.ping_within(LONG).await.unwrap();

    server.pause();
    for sessions in [&used, &fresh] {
        let started = Instant::now();
        let error = sessions.ping_within(Duration::from_millis(300)).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, "ping"), "{error}");
        assert!(started.elapsed() < LONG / 2, "the store's own deadline has ended it");
    }
    server.resume();
    answers_again(&used).await;
    answers_again(&fresh).await;

    server.stop();
    for sessions in [&used, &fresh] {
        let started = Instant::now();
        let error = sessions.ping_within(LONG).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "ping"), "{error}");
        assert!(started.elapsed() < LONG / 2, "it waited for its deadline");
    }
    server.restart();
    answers_again(&used).await;
}

async fn answers_again(sessions: &ExpressSession) {
    let started = Instant::now();
    while let Err(error) = sessions.ping_within(LONG).await {
        assert!(error.is_retryable() && started.elapsed() < LONG, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every write gives the store a life of an hour, or of the store's default, but for the end.
async fn ends(store: Arc<dyn Store>) {
    let sessions = ExpressSession::new(Arc::clone(&store));
    let (started, now_ms) = (Instant::now(), sessions.options().clock.now_ms());
    for (sid, max_age) in [("browser", None), ("hour", Some(Duration::from_secs(3_600)))] {
        let mut session = SessionData::new();
        session.cookie_mut().set_max_age(max_age, now_ms).unwrap();
        session.set_ends_at_ms(Some(now_ms + 3_000)).unwrap();
        sessions.set(sid, &session).await.unwrap();
        session.touch(now_ms);
        sessions.touch(sid, &session).await.unwrap();
        // On a slow machine it has ended by now.
        sessions.modify(sid, |session| session.insert("n", 1)).await.unwrap();
    }
    for sid in ["browser", "hour"] {
        while store.get(sid).await.unwrap().is_some() {
            assert!(started.elapsed() < LONG, "{sid}: it is still there");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert!(started.elapsed() >= Duration::from_millis(2_900), "nothing ends before its time");
}

#[tokio::test]
async fn the_memory_store_has_all_conveniences() {
    let sessions = ExpressSession::new(MemoryStore::new());
    sessions.ping().await.unwrap();
    signs_out_everywhere(sessions).await;
    ends(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_all_conveniences() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let options = FileOptions::default().with_deadline(LONG);
        FileStore::in_folder(folder.path().join(name), options).unwrap()
    };
    let sessions = ExpressSession::new(open("sessions"));
    sessions.ping().await.unwrap();
    signs_out_everywhere(sessions).await;
    ends(Arc::new(open("others"))).await;
}

macro_rules! on {
    ($module:ident, $server:ty, $needs:literal) => {
        mod $module {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = $needs]
            async fn all_sessions_of_one_user_end() {
                let server = <$server>::start().unwrap();
                signs_out_everywhere(ExpressSession::new(server.open())).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = $needs]
            async fn a_server_that_goes_half_way_is_an_error_with_the_number() {
                says_how_far_it_came(<$server>::start().unwrap()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = $needs]
            async fn a_ping_tells_a_frozen_server_from_one_that_is_down() {
                pings(<$server>::start().unwrap()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = $needs]
            async fn the_store_ends_a_session_at_its_end() {
                let server = <$server>::start().unwrap();
                ends(server.open()).await;
            }
        }
    };
}

on!(redis_, RedisServer, "needs redis-server");
on!(memcached_, Memcached, "needs memcached");
on!(mongodb_, Mongod, "needs mongod");

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_record_that_cannot_be_read_keeps_no_other_session_alive() -> Result<(), Error> {
    let server = RedisServer::start().unwrap();
    let sessions = ExpressSession::new(server.open());
    for number in 0..150 {
        sessions.set(&format!("id{number}"), &of(1)).await?;
    }
    let mut client = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("SET").arg("sess:id7").arg("not JSON").exec(&mut client).unwrap();
    let error = sessions.destroy_where(is_of(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().ends_with("destroyed: 149, records that cannot be read: 1"),
        "{error}"
    );
    Ok(())
}

/// By an index, which is made when sessions are there already.
async fn signs_out_by_an_index(store: Arc<dyn Store>) {
    let options = ExpressSessionOptions::default().with_deadline(LONG).with_user_path("user");
    let sessions = ExpressSession::with_options(store, options);
    for number in 0..20 {
        sessions.set(&format!("id{number}"), &of(number % 5)).await.unwrap();
    }
    sessions.index_users().await.unwrap();
    let mut bob = SessionData::new();
    bob.insert("user", "bob'; --").unwrap();
    sessions.set("bob", &bob).await.unwrap();
    assert_eq!(sessions.end_all(4, Some("id4")).await.unwrap(), 3);
    let left: Vec<_> = sessions.of(4).map_ok(|listed| listed.id).try_collect().await.unwrap();
    assert_eq!(left, ["id4"]);
    assert_eq!(sessions.end_all("bob'; --", None).await.unwrap(), 1);
    assert_eq!(sessions.length().await.unwrap(), 17);
}

#[tokio::test]
async fn a_user_is_signed_out_by_an_index_of_sqlite() {
    signs_out_by_an_index(Arc::new(SqlStore::open("sqlite::memory:").unwrap())).await;
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_user_is_signed_out_by_an_index_of_mongodb() {
    let server = Mongod::start().unwrap();
    let options = MongoOptions::default().with_deadline(LONG).with_stringify(false);
    signs_out_by_an_index(Arc::new(MongoStore::open_with(&server.url(), options).unwrap())).await;
}
