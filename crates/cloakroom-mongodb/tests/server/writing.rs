//! What stands in the documents that are written.

use std::time::Duration;

use cloakroom_core::{Created, Store, Updated};
use cloakroom_mongodb::{
    TransformId,
    mongodb::bson::{Bson, doc},
};

use crate::{Bench, HOUR, NOW, atomic, date, expiring, session};

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_document_is_that_of_connect_mongo() {
    let bench = Bench::start().await;
    bench.store.set("a", &expiring(1_500)).await.unwrap();
    let text = expiring(1_500).to_json().into_owned();
    let document = bench.document("a").await.unwrap();
    assert_eq!(document, doc! { "_id": "a", "expires": date(NOW + 1_500), "session": text });
    assert_eq!(document.keys().collect::<Vec<_>>(), ["_id", "expires", "session"]);
    bench.store.set("b", &session()).await.unwrap();
    let fortnight =
        bench.document("b").await.unwrap().get_datetime("expires").unwrap().timestamp_millis();
    assert_eq!(fortnight, NOW + 14 * 24 * HOUR);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn every_option_has_its_fields() {
    let bench = Bench::with(|options| {
        options.stringify = false;
        options.timestamps = true;
        options.touch_after = Duration::from_secs(60);
        options.ttl = Duration::from_secs(60);
        options.transform_id = Some(TransformId::new(|sid| format!("app:{sid}")));
    })
    .await;
    for create in [false, true] {
        if create {
            assert!(matches!(
                atomic(&bench.store).create("b", &session()).await.unwrap(),
                Created::Stored(_)
            ));
        } else {
            bench.store.set("b", &session()).await.unwrap();
        }
        let document = bench.document("app:b").await.unwrap();
        let fields = ["_id", "createdAt", "expires", "lastModified", "session", "updatedAt"];
        assert_eq!(document.keys().collect::<Vec<_>>(), fields, "create: {create}");
        assert_eq!(document.get_datetime("createdAt").unwrap(), &date(NOW));
        assert_eq!(document.get_datetime("expires").unwrap(), &date(NOW + 60_000));
        assert_eq!(document.get_datetime("lastModified").unwrap(), &date(NOW));
        assert!(document.get_datetime("updatedAt").is_ok());
        let stored = document.get_document("session").unwrap();
        assert_eq!(stored.get_str("user").unwrap(), "ann");
        assert_eq!(stored.get_document("cookie").unwrap().len(), 9);
        bench.store.destroy("b").await.unwrap();
        assert_eq!(bench.document("app:b").await, None);
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_creation_has_its_time_and_a_later_write_keeps_it() {
    let bench = Bench::with(|options| options.timestamps = true).await;
    bench.store.set("a", &session()).await.unwrap();
    bench.clock.advance(1_000);
    bench.store.set("a", &session()).await.unwrap();
    assert_eq!(bench.document("a").await.unwrap().get_datetime("createdAt").unwrap(), &date(NOW));
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn fields_of_others_survive_a_write() {
    for stringify in [true, false] {
        let bench = Bench::with(|options| options.stringify = stringify).await;
        bench.plant_session(r#"{"n":1}"#).await;
        bench
            .raw
            .update_one(doc! {}, doc! { "$set": { "tag": { "by": "somebody" } } })
            .await
            .unwrap();
        let mut session = bench.read().await;
        session.insert("n", 2).unwrap();
        let updated = atomic(&bench.store).update("a", &session).await.unwrap();
        assert!(matches!(updated, Updated::Stored(_)));
        bench.store.set("a", &session).await.unwrap();
        bench.store.touch("a", &session).await.unwrap();
        let tag = bench.document("a").await.unwrap().get_document("tag").unwrap().clone();
        assert_eq!(tag, doc! { "by": "somebody" });
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn an_expired_document_is_replaced_as_a_whole() {
    let bench = Bench::start().await;
    for expires in [Bson::DateTime(date(NOW - 1)), Bson::Null, "soon".into(), Bson::Int64(NOW + 1)]
    {
        let shown = expires.to_string();
        bench
            .plant(doc! { "_id": "a", "expires": expires, "session": "{}", "of": "the old one" })
            .await;
        let created = atomic(&bench.store).create("a", &session()).await.unwrap();
        assert!(matches!(created, Created::Stored(_)), "{shown}");
        assert!(!bench.document("a").await.unwrap().contains_key("of"), "{shown}");
        bench.store.destroy("a").await.unwrap();
    }
    // One without `expires` lives for ever.
    bench.plant(doc! { "_id": "a", "session": "{}" }).await;
    assert_eq!(atomic(&bench.store).create("a", &session()).await.unwrap(), Created::Exists);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn an_id_is_never_an_operator() {
    let bench = Bench::start().await;
    bench.store.set("a", &session()).await.unwrap();
    for sid in ["{\"$ne\":null}", "$ne", "{ \"$gt\": \"\" }"] {
        assert_eq!(bench.store.get(sid).await.unwrap(), None);
        bench.store.destroy(sid).await.unwrap();
    }
    assert!(bench.document("a").await.is_some());
}
