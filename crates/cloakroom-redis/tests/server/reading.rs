//! What other programs left under a key.

use std::error::Error as _;

use cloakroom_core::{ErrorKind, Store};

use crate::{Bench, atomic, session};

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_tombstone_is_no_session() {
    let bench = Bench::start();
    bench.plant("sess:a", "TOMBSTONE");
    assert_eq!(bench.store.get("a").await.unwrap(), None);
    assert_eq!(atomic(&bench.store).get_and_touch("a", None).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn bytes_and_other_types_are_corrupt_and_not_quoted() {
    let bench = Bench::start();
    bench.plant("sess:bytes", b"\xffsecret-data");
    bench.raw::<()>(redis::cmd("RPUSH").arg("sess:list").arg("secret-data"));
    for sid in ["bytes", "list"] {
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
