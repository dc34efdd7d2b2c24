//! What other programs left under a key.

use std::error::Error as _;

use cloakroom_core::{ErrorKind, Store};

use crate::{Bench, atomic, session};

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_express_takes_for_no_session_is_none() {
    let bench = Bench::start();
    assert_eq!(bench.store.get("a").await.unwrap(), None);
    for value in ["", "TOMBSTONE", "null", "false", "0", "\"\""] {
        bench.plant("sess:a", value);
        assert_eq!(bench.store.get("a").await.unwrap(), None, "{value:?}");
        assert_eq!(atomic(&bench.store).get_and_touch("a", None).await.unwrap(), None, "{value:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_record_comes_back_byte_for_byte() {
    let bench = Bench::start();
    let text = r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"a":1.0,"s":"\ud800","n":12345678901234567890,"lastModified":1}"#;
    bench.plant("sess:a", text);
    let session = bench.store.get("a").await.unwrap().unwrap();
    assert_eq!(session.to_json(), text);
    bench.store.set("b", &session).await.unwrap();
    assert_eq!(bench.value("sess:b").unwrap(), text.as_bytes());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_stale_cookie_does_not_end_a_session() {
    let bench = Bench::start();
    bench
        .plant("sess:a", r#"{"cookie":{"originalMaxAge":1,"expires":"2001-01-01T00:00:00.000Z"}}"#);
    assert!(bench.store.get("a").await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_is_no_session_is_corrupt_and_not_quoted() {
    let bench = Bench::start();
    bench.plant("sess:text", "{secret-data");
    bench.plant("sess:number", "42");
    bench.plant("sess:bytes", b"\xffsecret-data");
    bench.raw::<()>(redis::cmd("RPUSH").arg("sess:list").arg("secret-data"));
    for sid in ["text", "number", "bytes", "list"] {
        let updated = session().with_revision(cloakroom_core::Revision::of_text());
        let update = atomic(&bench.store).update(sid, &updated).await;
        for error in [
            bench.store.get(sid).await.unwrap_err(),
            atomic(&bench.store).get_and_touch(sid, None).await.unwrap_err(),
            update.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{sid}: {error}");
            let text = format!("{error} {error:?} {:?}", error.source());
            assert!(!text.contains("secret") && !text.contains("sess:"), "{sid}: {text}");
        }
    }
}
