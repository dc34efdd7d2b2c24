//! What is found in the collection, whoever put it there.

use cloakroom_core::{ErrorKind, Store, Touched};
use cloakroom_mongodb::mongodb::bson::{Bson, doc};

use crate::{Bench, HOUR, NOW, atomic, date, session};

#[tokio::test]
#[ignore = "needs mongod"]
async fn what_has_expired_is_not_there_whatever_the_monitor_did() {
    let bench = Bench::start().await;
    bench.store.set("a", &session()).await.unwrap();
    for (expires, lives) in [
        (Bson::DateTime(date(NOW + 1)), true),
        (Bson::DateTime(date(NOW)), false),
        (Bson::Null, false),
        (Bson::Int64(NOW + HOUR), false),
        (Bson::from("2200-01-01T00:00:00.000Z"), false),
    ] {
        let shown = expires.to_string();
        let set = doc! { "$set": { "expires": expires } };
        bench.raw.update_one(doc! {}, set).await.unwrap();
        assert_eq!(bench.store.get("a").await.unwrap().is_some(), lives, "{shown}");
        let mut read = bench.store.get("a").await.unwrap().unwrap_or_else(session);
        read.insert("x", 1).unwrap();
        if !lives {
            // And nothing brings it back.
            assert_eq!(bench.store.touch("a", &session()).await.unwrap(), Touched::Missing);
            assert_eq!(atomic(&bench.store).get_and_touch("a", None).await.unwrap(), None);
            assert_eq!(bench.store.get("a").await.unwrap(), None, "{shown}");
        }
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_document_without_expires_lives_and_can_be_touched() {
    let bench = Bench::start().await;
    bench.plant(doc! { "_id": "a", "session": r#"{"n":1}"# }).await;
    assert!(bench.store.get("a").await.unwrap().is_some());
    assert!(atomic(&bench.store).get_and_touch("a", None).await.unwrap().is_some());
    assert!(bench.document("a").await.unwrap().get_datetime("expires").is_ok());
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn what_is_no_session_is_corrupt_and_what_express_takes_for_none_is_none() {
    let bench = Bench::start().await;
    for (stored, kind) in [
        (Bson::Null, None),
        (Bson::from("null"), None),
        (Bson::from(""), None),
        (Bson::from("no json"), Some(ErrorKind::Corrupt)),
        (Bson::from("[1]"), Some(ErrorKind::Corrupt)),
        (Bson::Int32(7), Some(ErrorKind::Corrupt)),
        (Bson::Array(vec![Bson::Int32(7)]), Some(ErrorKind::Corrupt)),
    ] {
        let shown = stored.to_string();
        bench.plant_session(stored).await;
        let read = bench.store.get("a").await;
        match kind {
            None => assert_eq!(read.unwrap(), None, "{shown}"),
            Some(kind) => assert_eq!(read.unwrap_err().kind(), kind, "{shown}"),
        }
        // It can still be overwritten and removed.
        bench.store.set("a", &session()).await.unwrap();
        assert_eq!(bench.read().await, session());
        bench.store.destroy("a").await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn either_form_is_read_under_either_option() {
    for stringify in [true, false] {
        let bench = Bench::with(|options| options.stringify = stringify).await;
        for stored in [Bson::from(r#"{"n":[1,2.5]}"#), Bson::Document(doc! { "n": [1, 2.5] })] {
            bench.plant_session(stored).await;
            let mut read = bench.read().await;
            assert_eq!(read.loaded_json(), r#"{"n":[1,2.5]}"#);
            // It is written back in the form that the option asks for, and `update` compares with the other one.
            read.insert("m", 1).unwrap();
            atomic(&bench.store).update("a", &read).await.unwrap();
            let written = bench.document("a").await.unwrap().get("session").unwrap().clone();
            assert_eq!(written.as_str().is_some(), stringify);
            assert_eq!(bench.read().await.get::<u32>("m").unwrap(), Some(1));
            bench.store.destroy("a").await.unwrap();
        }
    }
}
