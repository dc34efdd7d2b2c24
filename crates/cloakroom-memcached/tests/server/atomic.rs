//! Writes that meet.

use cloakroom_core::{Created, Revision, SessionData, Store, Updated};
use cloakroom_memcached::MemcachedStore;

use crate::{
    Bench, atomic,
    fake::{Fake, Then},
    session,
};

#[tokio::test]
#[ignore = "needs memcached"]
async fn the_same_record_written_again_is_no_conflict() {
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    let mut ours = bench.store.get("a").await.unwrap().unwrap();
    ours.insert("theme", "dark").unwrap();
    // As connect-memcached's `touch` does with a browser session.
    let text = session().to_json().into_owned();
    bench.raw().plant("s:a", 2, &text);
    let updated = atomic(&bench.store).update("a", &ours).await.unwrap();
    assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
    assert_eq!(bench.raw().item("s:a").unwrap().1, ours.to_json());
}

#[tokio::test]
async fn an_update_that_never_gets_through_is_a_conflict_in_the_end() {
    const SAME: &str = r#"{"cookie":{},"n":1}"#;
    let fake = Fake::start(|_, command| match command.split(' ').next() {
        Some("ms") => Then::Answer("EX\r\n"),
        _ => Then::Answer("VA 19 f2 c8\r\n{\"cookie\":{},\"n\":1}\r\n"),
    });
    let store = MemcachedStore::open(&fake.url).unwrap();
    let ours = SessionData::from_json(SAME).unwrap().with_revision(Revision::from_number(7));
    let updated = atomic(&store).update("a", &ours).await.unwrap();
    let Updated::Conflict(current) = updated else { panic!("{updated:?}") };
    assert_eq!(current.loaded_json(), SAME);
    assert_eq!(fake.commands().len(), 2 * 8);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn what_was_created_as_expired_is_gone_for_an_update() {
    let bench = Bench::start();
    let mut past = session();
    past.cookie_mut().set_max_age_ms(Some(-1_000), 0).unwrap();
    let created = atomic(&bench.store).create("a", &past).await.unwrap();
    let Created::Stored(revision) = created else { panic!("{created:?}") };
    past.mark_stored(revision);
    past.cookie_mut().set_max_age_ms(None, 0).unwrap();
    let updated = atomic(&bench.store).update("a", &past).await.unwrap();
    assert!(matches!(updated, Updated::Gone), "{updated:?}");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_touch_is_no_conflict() {
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    let mut ours = bench.store.get("a").await.unwrap().unwrap();
    bench.store.touch("a", &session()).await.unwrap();
    atomic(&bench.store).get_and_touch("a", None).await.unwrap();
    bench.raw().say("touch s:a 500");
    ours.insert("theme", "dark").unwrap();
    let updated = atomic(&bench.store).update("a", &ours).await.unwrap();
    assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_session_of_another_store_is_refused() {
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    for foreign in [SessionData::new(), session().with_revision(Revision::of_text())] {
        let error = atomic(&bench.store).update("a", &foreign).await.unwrap_err();
        assert_eq!(error.kind(), cloakroom_core::ErrorKind::InvalidData);
    }
}
