//! Sessions that nobody can read at the server.

use std::sync::Arc;

use cloakroom_core::{ErrorKind, SessionData, Store, Updated};
use cloakroom_encryption::{Counterpart, Encryption, KeyRing, Kruptein, KrupteinOptions};
use cloakroom_memcached::{MemcachedOptions, MemcachedStore};
use futures::TryStreamExt;

use crate::{Bench, atomic, listing, options, session};

const SECRET: &str = "S3cre+_Squ1rr3l";

fn kruptein(secret: &str, counterpart: Counterpart) -> Arc<dyn Encryption> {
    Arc::new(Kruptein::new(secret, KrupteinOptions::of(counterpart)).unwrap())
}

fn with(encryption: Arc<dyn Encryption>) -> MemcachedOptions {
    options(|options| options.encryption = Some(encryption))
}

fn encrypted() -> Bench {
    Bench::with(with(kruptein(SECRET, Counterpart::ConnectMemcached3)))
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn every_operation_encrypts_and_decrypts() {
    let bench = encrypted();
    let store = &bench.store;
    atomic(store).create("a", &session()).await.unwrap();
    let (flags, value) = bench.raw().item("s:a").unwrap();
    assert_eq!(flags, 0);
    assert!(value.starts_with("MII") && !value.contains("ann"), "{value}");
    let mut first = store.get("a").await.unwrap().unwrap();
    let mut second = atomic(store).get_and_touch("a", None).await.unwrap().unwrap();
    assert_eq!(first, session());
    first.insert("n", 1).unwrap();
    assert!(matches!(atomic(store).update("a", &first).await.unwrap(), Updated::Stored(_)));
    second.insert("n", 2).unwrap();
    let updated = atomic(store).update("a", &second).await.unwrap();
    let Updated::Conflict(current) = updated else { panic!("{updated:?}") };
    assert_eq!(current, first);
    let all: Vec<_> = listing(store).all().try_collect().await.unwrap();
    let all: Vec<_> = all.into_iter().map(|listed| (listed.id, listed.session)).collect();
    assert_eq!(all, [("a".to_owned(), first.clone())]);
    store.set("a", &first).await.unwrap();
    assert!(!bench.raw().item("s:a").unwrap().1.contains("ann"));
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn the_parameter_secret_is_the_option_of_connect_memcached_3() {
    let bench = encrypted();
    let url = format!("{}?prefix=s:&secret=S3cre%2B_Squ1rr3l", bench.server.url());
    let of_url = MemcachedStore::open(&url).unwrap();
    bench.store.set("a", &session()).await.unwrap();
    assert_eq!(of_url.get("a").await.unwrap(), Some(session()));
    of_url.set("b", &session()).await.unwrap();
    assert_eq!(bench.store.get("b").await.unwrap(), Some(session()));
    assert!(!format!("{of_url:?}").contains("Squ1rr3l"));
}

#[test]
fn a_weak_secret_is_refused_and_nothing_is_stored_in_plain_text() {
    for secret in ["", "hunter2", "correct horse battery staple"] {
        let error = MemcachedStore::open(&format!("memcached://h?secret={secret}")).unwrap_err();
        assert_eq!((error.kind(), error.store()), (ErrorKind::Config, "memcached"), "{error}");
        if !secret.is_empty() {
            assert!(!format!("{error} {error:?}").contains(secret), "{error}");
        }
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_record_that_cannot_be_decrypted_is_corrupt() {
    let bench = encrypted();
    let other = options(|options| {
        options.prefix = "s:".to_owned();
        options.encryption = Some(kruptein("0ther-S3Cre+_", Counterpart::ConnectMemcached3));
    });
    let other = MemcachedStore::open_with(&bench.server.url(), other).unwrap();
    other.set("other-secret", &session()).await.unwrap();
    let mut raw = bench.raw();
    let plain = r#"{"cookie":{},"secret":"hush"}"#;
    // connect-memcached 3 stores it so when it refuses its secret.
    raw.plant("s:plain-2", 2, plain);
    raw.plant("s:plain-0", 0, plain);
    raw.plant("s:torn", 0, "MIIBwQRoZ2J0");
    for sid in ["other-secret", "plain-2", "plain-0", "torn"] {
        for error in [
            bench.store.get(sid).await.unwrap_err(),
            atomic(&bench.store).get_and_touch(sid, None).await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.store()), (ErrorKind::Corrupt, "memcached"), "{sid}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }
    let without = MemcachedStore::open(&format!("{}?prefix=s:", bench.server.url())).unwrap();
    bench.store.set("a", &session()).await.unwrap();
    assert_eq!(without.get("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_key_ring_reads_the_old_and_writes_the_new() {
    let old = kruptein(SECRET, Counterpart::ConnectMemcached2);
    let bench = Bench::with(with(Arc::clone(&old)));
    bench.store.set("a", &session()).await.unwrap();
    let new = kruptein("0ther-S3Cre+_", Counterpart::ConnectMemcached3);
    let ring = options(|options| {
        options.prefix = "s:".to_owned();
        options.encryption = Some(Arc::new(KeyRing::new(new).add_reader(old)));
    });
    let rotated = MemcachedStore::open_with(&bench.server.url(), ring).unwrap();
    let read = rotated.get("a").await.unwrap().unwrap();
    assert_eq!(read, session());
    rotated.set("a", &read).await.unwrap();
    assert_eq!(bench.store.get("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(rotated.get("a").await.unwrap(), Some(session()));
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn what_is_encrypted_is_the_record_byte_for_byte() {
    let bench = encrypted();
    // Line breaks harm nobody here.
    let text = "{ \"cookie\" : {\"path\":\"/\"},\r\n\t\"half\":\"\\ud83d\", \"n\": 1.0 }";
    bench.store.set("a", &SessionData::from_json(text).unwrap()).await.unwrap();
    let read = bench.store.get("a").await.unwrap().unwrap();
    assert_eq!(read.loaded_json(), text);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn the_limit_counts_what_is_stored() {
    let bench = encrypted();
    // In base64 twice, as kruptein 3 has it.
    let error = bench.store.set("a", &crate::large(900_000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    bench.store.set("a", &crate::large(500_000)).await.unwrap();
    assert_eq!(bench.store.get("a").await.unwrap(), Some(crate::large(500_000)));
}
