//! The layer coordinates processes by marker records, so nothing about them is answered from memory.

use cloakroom_core::{Atomic, Store, Touched, marker_name};
use futures::executor::block_on;

use crate::{HOUR, cached, session, text};

#[test]
fn a_marker_that_another_process_writes_is_seen_at_once() {
    let (cached, far, _) = cached();
    let marker = &*marker_name("a");
    block_on(async {
        assert_eq!(cached.get(marker).await.unwrap(), None);
        far.store.set(marker, &session("ended")).await.unwrap();
        assert_eq!(text(cached.get(marker).await.unwrap()).unwrap(), "ended");
        far.store.destroy(marker).await.unwrap();
        assert_eq!(cached.get(marker).await.unwrap(), None);
        assert_eq!(cached.touch(marker, &session("")).await.unwrap(), Touched::Missing);
        assert_eq!(cached.get_and_touch(marker, Some(HOUR)).await.unwrap(), None);
        far.store.set(marker, &session("again")).await.unwrap();
        let found = cached.get_and_touch(marker, Some(HOUR)).await.unwrap();
        assert_eq!(text(found).unwrap(), "again");
        assert_eq!(cached.touch(marker, &session("")).await.unwrap(), Touched::Extended);
        far.store.destroy(marker).await.unwrap();
        assert_eq!(cached.get_and_touch(marker, Some(HOUR)).await.unwrap(), None);
        assert_eq!(cached.touch(marker, &session("")).await.unwrap(), Touched::Missing);
    });
    for (operation, calls) in [("get", 3), ("touch", 3), ("get_and_touch", 3)] {
        assert_eq!(far.calls(operation), calls, "{operation}");
    }
    assert_eq!((cached.stats().hits, cached.stats().bytes), (0, 0));
}
