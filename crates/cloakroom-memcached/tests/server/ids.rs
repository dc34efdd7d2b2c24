//! From ids to keys.

use cloakroom_core::{ErrorKind, Store};
use cloakroom_memcached::MemcachedStore;

use crate::{Bench, atomic, listing, options, session};

#[tokio::test]
#[ignore = "needs memcached"]
async fn ids_that_npm_mixes_up_are_refused() {
    let bench = Bench::start();
    let (store, read) = (&bench.store, session());
    for sid in ["", "a b", "a\nb", "a\0b", "a$$b", "a$&", "a\u{1b}b", "\u{feff}a", &"€".repeat(84)]
    {
        for error in [
            store.get(sid).await.unwrap_err(),
            store.set(sid, &read).await.unwrap_err(),
            store.destroy(sid).await.unwrap_err(),
            store.touch(sid, &read).await.unwrap_err(),
            atomic(store).create(sid, &read).await.unwrap_err(),
            atomic(store).update(sid, &read).await.unwrap_err(),
            atomic(store).get_and_touch(sid, None).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidId, "{sid:?}: {error}");
            assert!(!error.to_string().contains('€'), "{error}");
        }
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_long_key_is_the_digest_that_npm_makes_of_it() {
    let bench = Bench::start();
    let sid = "x".repeat(249);
    bench.store.set(&sid, &session()).await.unwrap();
    // `printf 's:%0249d' 0 | tr 0 x | md5sum` says so.
    let text = session().to_json().into_owned();
    assert_eq!(bench.raw().item("03bc7f34d0bd2866cd3a6c099c820e24"), Some((2, text)));
    assert!(bench.store.get(&sid).await.unwrap().is_some());
    assert_eq!(listing(&bench.store).length().await.unwrap(), 0, "its id cannot be told");
    let short = "x".repeat(248);
    bench.store.set(&short, &session()).await.unwrap();
    assert!(bench.raw().item(&format!("s:{short}")).is_some());

    let plain = Bench::with(options(|options| options.key_compression = false));
    let error = plain.store.set(&sid, &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidId);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn the_namespace_stands_before_the_prefix() {
    let bench = Bench::with(options(|options| options.namespace = "n.".to_owned()));
    bench.store.set("a", &session()).await.unwrap();
    assert!(bench.raw().item("n.s:a").is_some());
}

#[test]
fn a_prefix_that_no_key_can_have_is_refused_at_once() {
    for (parameter, named) in [
        ("prefix=my%20app:", "option \"prefix\""),
        ("namespace=a%24", "option \"namespace\""),
        // No URL has a line break in it, so the URL is what is wrong.
        ("prefix=a%0A", "parameter \"prefix\""),
    ] {
        let error = MemcachedStore::open(&format!("memcached://h?{parameter}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{parameter}");
        assert!(error.to_string().contains(named), "{error}");
    }
}
