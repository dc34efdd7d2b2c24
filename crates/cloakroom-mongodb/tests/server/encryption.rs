//! Sessions that only their owner can read.

use std::sync::Arc;

use cloakroom_core::{ErrorKind, SessionData, Store, Updated};
use cloakroom_encryption::{
    Counterpart, Encryption, KeyRing, Kruptein, KrupteinOptions, WebCrypto, WebCryptoOptions,
};
use cloakroom_mongodb::{MongoOptions, MongoStore, mongodb::bson::doc};
use futures::StreamExt;

use crate::{Bench, HOUR, NOW, SERVER, atomic, listing, session};

fn webcrypto(secret: &str) -> Arc<dyn Encryption> {
    let mut options = WebCryptoOptions::default();
    options.iterations = 1;
    Arc::new(WebCrypto::new(secret, options).unwrap())
}

fn kruptein() -> Arc<dyn Encryption> {
    let options = KrupteinOptions::of(Counterpart::ConnectMongo6);
    Arc::new(Kruptein::new("S3cre+_Squ1rr3l", options).unwrap())
}

async fn encrypted(encryption: &Arc<dyn Encryption>, stringify: bool) -> Bench {
    Bench::with(|options: &mut MongoOptions| {
        options.encryption = Some(Arc::clone(encryption));
        options.stringify = stringify;
    })
    .await
}

fn ann() -> SessionData {
    let mut session = session();
    session.insert("secret", "squirrel").unwrap();
    session
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_session_is_a_ciphertext_under_either_option() {
    for encryption in [webcrypto("s3cret"), kruptein()] {
        for stringify in [true, false] {
            let bench = encrypted(&encryption, stringify).await;
            bench.store.set("a", &ann()).await.unwrap();
            let document = bench.document("a").await.unwrap();
            assert_eq!(document.keys().collect::<Vec<_>>(), ["_id", "expires", "session"]);
            let stored = document.get_str("session").unwrap();
            assert_eq!(encryption.decrypt(stored).unwrap(), ann().to_json());
            // The expiry stays where MongoDB can see it.
            let fortnight = NOW + 14 * 24 * HOUR;
            assert_eq!(document.get_datetime("expires").unwrap().timestamp_millis(), fortnight);
            assert_eq!(bench.read().await, ann());
        }
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn an_update_compares_the_ciphertext() {
    let bench = encrypted(&webcrypto("s3cret"), true).await;
    bench.store.set("a", &ann()).await.unwrap();
    let (mut first, mut second) = (bench.read().await, bench.read().await);
    first.insert("first", 1).unwrap();
    second.insert("second", 2).unwrap();
    let updated = atomic(&bench.store).update("a", &first).await.unwrap();
    let Updated::Stored(revision) = updated else { panic!("{updated:?}") };
    let Updated::Conflict(mut current) = atomic(&bench.store).update("a", &second).await.unwrap()
    else {
        panic!("it was overlooked")
    };
    current.merge(&second);
    assert!(matches!(
        atomic(&bench.store).update("a", &current).await.unwrap(),
        Updated::Stored(_)
    ));
    first.mark_stored(revision);
    assert!(matches!(
        atomic(&bench.store).update("a", &first).await.unwrap(),
        Updated::Conflict(_)
    ));
    assert_eq!(bench.read().await.len(), 4);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn another_secret_is_corrupt_without_a_word_of_the_session() {
    let bench = encrypted(&webcrypto("s3cret"), true).await;
    bench.store.set("a", &ann()).await.unwrap();
    let stored = bench.document("a").await.unwrap().get_str("session").unwrap().to_owned();
    let mut options = bench.options();
    options.encryption = Some(webcrypto("another"));
    let other = MongoStore::open_with(&format!("{}/tests", SERVER.url()), options).unwrap();
    for error in [
        other.get("a").await.unwrap_err(),
        atomic(&other).get_and_touch("a", None).await.unwrap_err(),
        listing(&other).all().next().await.unwrap().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.store(), "mongodb");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("squirrel") && !text.contains(&stored[..16]), "{text}");
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn what_is_not_encrypted_is_corrupt() {
    for encryption in [webcrypto("s3cret"), kruptein()] {
        let bench = encrypted(&encryption, true).await;
        bench.plant_session(r#"{"admin":true}"#).await;
        assert_eq!(bench.store.get("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
        bench.store.destroy("a").await.unwrap();
        // connect-mongo takes a document as it is.
        bench.plant_session(doc! { "admin": true }).await;
        assert_eq!(bench.store.get("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_key_ring_reads_the_old_and_writes_the_new() {
    let old = encrypted(&kruptein(), true).await;
    old.store.set("a", &ann()).await.unwrap();
    let mut options = old.options();
    options.encryption = Some(Arc::new(KeyRing::new(webcrypto("s3cret")).add_reader(kruptein())));
    let store = MongoStore::open_with(&format!("{}/tests", SERVER.url()), options).unwrap();
    let mut read = store.get("a").await.unwrap().unwrap();
    read.insert("n", 1).unwrap();
    assert!(matches!(atomic(&store).update("a", &read).await.unwrap(), Updated::Stored(_)));
    assert_eq!(old.store.get("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.get("a").await.unwrap(), Some(read));
}
