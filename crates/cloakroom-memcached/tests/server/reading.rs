//! What the store makes of what others wrote.

use cloakroom_core::Store;

use crate::{Bench, atomic};

const RECORD: &str = r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"half":"\ud83d","n":1.0}"#;

#[tokio::test]
#[ignore = "needs memcached"]
async fn records_of_every_version_are_read() {
    let bench = Bench::start();
    // 2 and 3; 0.2 and 1; other clients.
    for flags in [2, 0, 16, 32] {
        bench.raw().plant("s:a", flags, RECORD);
        let session = bench.store.get("a").await.unwrap().unwrap();
        assert_eq!(session.loaded_json(), RECORD, "flags {flags}");
        assert_eq!(session.get_json("half"), Some(r#""\ud83d""#));
        let mut session = atomic(&bench.store).get_and_touch("a", None).await.unwrap().unwrap();
        session.insert("n", 2).unwrap();
        atomic(&bench.store).update("a", &session).await.unwrap();
        let written = RECORD.replace("1.0", "2");
        assert_eq!(bench.raw().item("s:a"), Some((2, written)), "flags {flags}");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_place_that_is_held_free_is_no_session() {
    let bench = Bench::start();
    // By another client, for itself.
    assert!(bench.raw().say("mg s:a v N30").starts_with("VA 0 W"));
    assert_eq!(bench.store.get("a").await.unwrap(), None);
}
