//! Listings.

use cloakroom_core::{ErrorKind, Store};
use cloakroom_mongodb::{
    MongoStore, TransformId,
    mongodb::bson::{Document, doc, oid::ObjectId},
};
use futures::{StreamExt, TryStreamExt};

use crate::{Bench, HOUR, NOW, SERVER, date, listing, session};

async fn ids(store: &MongoStore) -> Vec<String> {
    let mut ids: Vec<String> = listing(store).ids().try_collect().await.unwrap();
    ids.sort();
    ids
}

fn document(id: impl Into<cloakroom_mongodb::mongodb::bson::Bson>, text: &str) -> Document {
    doc! { "_id": id.into(), "expires": date(NOW + HOUR), "session": text }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn ten_thousand_sessions_are_listed_in_pages() {
    let bench = Bench::start().await;
    let all = (0..10_000).map(|number| document(format!("{number:05}"), r#"{"n":1}"#));
    bench.raw.insert_many(all).await.unwrap();
    assert_eq!(ids(&bench.store).await.len(), 10_000);
    assert_eq!(listing(&bench.store).length().await.unwrap(), 10_000);
    let mut all = listing(&bench.store).all();
    let mut count = 0;
    while let Some(found) = all.next().await {
        let listed = found.unwrap();
        assert_eq!((listed.id, listed.session.len()), (format!("{count:05}"), 1));
        count += 1;
    }
    assert_eq!(count, 10_000);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn large_sessions_are_listed_a_few_at_a_time() {
    let bench = Bench::start().await;
    let text = format!(r#"{{"large":"{}"}}"#, "x".repeat(1 << 20));
    for number in 0..20 {
        bench.plant(document(number.to_string(), &text)).await;
    }
    let all: Vec<_> = listing(&bench.store).all().try_collect().await.unwrap();
    assert_eq!(all.len(), 20);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn only_live_sessions_are_counted_and_listed() {
    let bench = Bench::start().await;
    for (id, expires) in [("live", Some(NOW + 1)), ("past", Some(NOW)), ("eternal", None)] {
        let mut planted = document(id, "{}");
        match expires {
            Some(expires) => planted.insert("expires", date(expires)),
            None => planted.remove("expires"),
        };
        bench.plant(planted).await;
    }
    assert_eq!(ids(&bench.store).await, ["eternal", "live"]);
    assert_eq!(listing(&bench.store).length().await.unwrap(), 2);
    let all: Vec<_> = listing(&bench.store).all().try_collect().await.unwrap();
    assert_eq!(all.len(), 2);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn documents_whose_id_is_no_string_are_left_out() {
    let bench = Bench::start().await;
    bench.plant(document(42, "{}")).await;
    bench.plant(document(ObjectId::new(), "{}")).await;
    bench.plant(document("a", "{}")).await;
    assert_eq!(ids(&bench.store).await, ["a"]);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_transformed_id_is_listed_by_its_inverse() {
    let bench = Bench::with(|options| {
        options.transform_id = Some(
            TransformId::new(|sid| format!("app:{sid}"))
                .with_inverse(|id| id.strip_prefix("app:").map(str::to_owned)),
        );
    })
    .await;
    bench.store.set("a", &session()).await.unwrap();
    bench.plant(document("other:b", "{}")).await;
    assert_eq!(ids(&bench.store).await, ["a"]);

    let mut options = bench.options();
    options.transform_id = Some(TransformId::new(|sid| format!("app:{sid}")));
    let store = MongoStore::open_with(&format!("{}/tests", SERVER.url()), options).unwrap();
    assert!(store.get("a").await.unwrap().is_some());
    let error = listing(&store).ids().try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(listing(&store).length().await.unwrap(), 2);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn clear_leaves_the_indexes() {
    let bench = Bench::start().await;
    bench.store.set("a", &session()).await.unwrap();
    bench.store.ensure_index().await.unwrap();
    listing(&bench.store).clear().await.unwrap();
    // A second time, where connect-mongo 3 to 5 fail.
    listing(&bench.store).clear().await.unwrap();
    assert_eq!(listing(&bench.store).length().await.unwrap(), 0);
    let names = bench.raw.list_index_names().await.unwrap();
    assert_eq!(names, ["_id_", "expires_1"]);
}
