//! Conditional writes beside writers who know nothing of them.

use std::time::Duration;

use cloakroom_core::{Created, ErrorKind, Revision, Store, Updated};
use cloakroom_test_support::RedisServer;

use crate::{Bench, atomic, session};

#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_update_of_a_tombstone_is_gone() {
    let bench = Bench::start();
    for left_behind in ["TOMBSTONE", ""] {
        bench.store.set("a", &session()).await.unwrap();
        let read = bench.store.get("a").await.unwrap().unwrap();
        bench.store.destroy("a").await.unwrap();
        bench.plant("sess:a", left_behind);
        assert!(matches!(atomic(&bench.store).update("a", &read).await.unwrap(), Updated::Gone));
        assert_eq!(bench.value("sess:a").as_deref(), Some(left_behind.as_bytes()));
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_revision_of_stored_serves_the_next_update() {
    let bench = Bench::start();
    let created = atomic(&bench.store).create("a", &session()).await.unwrap();
    let Created::Stored(revision) = created else { panic!("{created:?}") };
    let mut session = session();
    session.mark_stored(revision);
    for n in 0..3 {
        session.insert("n", n).unwrap();
        let updated = atomic(&bench.store).update("a", &session).await.unwrap();
        let Updated::Stored(revision) = updated else { panic!("{updated:?}") };
        session.mark_stored(revision);
    }
    assert_eq!(bench.store.get("a").await.unwrap(), Some(session));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_lost_its_scripts_is_taught_again() {
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    for _ in 0..2 {
        let read = bench.store.get("a").await.unwrap().unwrap();
        assert!(matches!(
            atomic(&bench.store).update("a", &read).await.unwrap(),
            Updated::Stored(_)
        ));
        bench.raw::<()>(redis::cmd("SCRIPT").arg("FLUSH"));
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn get_and_touch_works_without_getex() {
    let server = RedisServer::start_with(&["--rename-command", "GETEX", ""]).unwrap();
    let bench = Bench::on(server, Default::default());
    bench.store.set("a", &session()).await.unwrap();
    for ttl in [10, 20] {
        let ttl_given = Some(Duration::from_millis(ttl * 1_000 - 500));
        let read = atomic(&bench.store).get_and_touch("a", ttl_given).await.unwrap();
        assert_eq!(read, Some(session()));
        assert_eq!(bench.ttl("sess:a"), ttl as i64);
    }
    assert_eq!(atomic(&bench.store).get_and_touch("missing", None).await.unwrap(), None);
    assert_eq!(bench.value("sess:missing"), None);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_update_needs_a_session_that_was_read() {
    let bench = Bench::start();
    for session in [session(), session().with_revision(Revision::from_number(1))] {
        let error = atomic(&bench.store).update("a", &session).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
    let error = atomic(&bench.store).get_and_touch("a", Some(Duration::ZERO)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}
