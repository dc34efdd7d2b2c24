//! What removes expired sessions from the disk.

use std::time::{Duration, Instant};

use cloakroom_core::{Clock, ErrorKind, Store};
use cloakroom_mongodb::{
    AutoRemove, IndexStatus, MongoOptions, MongoStore,
    mongodb::{
        Client, IndexModel,
        bson::{Document, doc},
        options::IndexOptions,
    },
};
use cloakroom_test_support::Mongod;

use crate::{Bench, atomic, session};

/// Waits until the background is done with the index.
async fn settled(store: &MongoStore) -> IndexStatus {
    let since = Instant::now();
    loop {
        match store.index_status() {
            IndexStatus::Pending if since.elapsed() < Duration::from_secs(120) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            status => return status,
        }
    }
}

async fn indexes(bench: &Bench) -> Vec<Document> {
    let database = bench.client.database("tests");
    let listed = database.run_command(doc! { "listIndexes": bench.raw.name() }).await.unwrap();
    let batch = listed.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    batch.iter().map(|index| index.as_document().unwrap().clone()).collect()
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn the_index_is_that_of_connect_mongo_and_made_once() {
    let bench = Bench::start().await;
    assert!(matches!(bench.store.index_status(), IndexStatus::Pending));
    bench.store.set("a", &session()).await.unwrap();
    assert!(matches!(settled(&bench.store).await, IndexStatus::Ready));
    // As in the fixtures.
    let ours = doc! {
        "v": 2, "key": { "expires": 1 }, "name": "expires_1", "background": true, "expireAfterSeconds": 0,
    };
    assert_eq!(indexes(&bench).await[1..], [ours]);
    bench.store.ensure_index().await.unwrap();

    bench.raw.drop_index("expires_1").await.unwrap();
    for _ in 0..20 {
        bench.store.set("a", &session()).await.unwrap();
    }
    assert_eq!(indexes(&bench).await.len(), 1, "it is made once, and not looked after");
}

/// The cases of `mongo-crypto.json`, where connect-mongo fails at each get and set.
#[tokio::test]
#[ignore = "needs mongod"]
async fn an_index_in_the_way_is_told_and_nothing_else_fails() {
    let named = |name: &str| IndexOptions::builder().name(name.to_owned()).build();
    let expiring = |name: &str, seconds| {
        let mut options = named(name);
        options.expire_after = Some(Duration::from_secs(seconds));
        options
    };
    for (keys, options, message) in [
        (
            doc! { "expires": 1 },
            expiring("expires_ttl", 0),
            r#"the index "expires_ttl" on { expires: 1 } with other options or another name conflicts with"#,
        ),
        (
            doc! { "expires": 1 },
            expiring("expires_1", 60),
            r#"the index "expires_1" on { expires: 1 } with expireAfterSeconds 60 conflicts with"#,
        ),
        (
            doc! { "expires": 1 },
            named("expires_1"),
            r#"the index "expires_1" on { expires: 1 } without expireAfterSeconds conflicts with"#,
        ),
        (
            doc! { "user": 1 },
            named("expires_1"),
            r#"the index "expires_1" on { "user": 1 } conflicts with"#,
        ),
        (doc! { "expires": 1 }, expiring("expires_1", 0), ""),
        (doc! { "expires": -1 }, expiring("expires_ttl", 0), ""),
    ] {
        let bench = Bench::start().await;
        let name = options.name.clone().unwrap();
        let model = IndexModel::builder().keys(keys).options(options).build();
        bench.raw.create_index(model).await.unwrap();

        bench.store.set("a", &session()).await.unwrap();
        let status = settled(&bench.store).await;
        // Whatever became of it, everything works.
        assert!(bench.store.get("a").await.unwrap().is_some());
        assert!(atomic(&bench.store).get_and_touch("a", None).await.unwrap().is_some());
        bench.store.destroy("a").await.unwrap();
        if message.is_empty() {
            assert!(matches!(status, IndexStatus::Ready), "{name}: {status:?}");
            continue;
        }
        let error = bench.store.ensure_index().await.unwrap_err();
        let IndexStatus::Failed(seen) = status else { panic!("{name}: {status:?}") };
        for error in [&error, &*seen] {
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(text.contains(message), "{text}");
            let advice = format!(
                r#"db.getSiblingDB("tests").getCollection("{}").dropIndex("{name}"), or set autoRemove=disabled"#,
                bench.raw.name()
            );
            assert!(text.ends_with(&advice), "{text}");
        }
        // And what it says is true.
        bench.raw.drop_index(name).await.unwrap();
        bench.store.ensure_index().await.unwrap();
        assert!(matches!(bench.store.index_status(), IndexStatus::Ready));
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn what_has_expired_leaves_the_disk() {
    let server = Mongod::start_with(&["--setParameter", "ttlMonitorSleepSecs=1"]).unwrap();
    let client = Client::with_uri_str(server.url()).await.unwrap();
    for auto_remove in [AutoRemove::Native, AutoRemove::Interval(Duration::from_millis(300))] {
        let mut options = MongoOptions::default();
        options.auto_remove = auto_remove;
        options.collection_name = format!("{auto_remove:?}").replace(['(', ')', '.'], "");
        let raw = client.database("test").collection::<Document>(&options.collection_name);
        let store = MongoStore::open_with(&server.url(), options).unwrap();
        let mut short = session();
        short.cookie_mut().set_max_age_ms(Some(200), Clock::system().now_ms()).unwrap();
        store.set("short", &short).await.unwrap();
        store.set("long", &session()).await.unwrap();
        let since = Instant::now();
        while raw.count_documents(doc! {}).await.unwrap() > 1 {
            assert!(since.elapsed() < Duration::from_secs(120), "{auto_remove:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(store.get("long").await.unwrap().is_some());
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn disabled_makes_no_index_and_remove_expired_does_it() {
    let bench = Bench::with(|options| options.auto_remove = AutoRemove::Disabled).await;
    bench.store.set("a", &session()).await.unwrap();
    bench.store.set("b", &session()).await.unwrap();
    assert!(matches!(bench.store.index_status(), IndexStatus::Unused));
    assert_eq!(bench.store.remove_expired().await.unwrap(), 0);
    bench.clock.advance(15 * 24 * crate::HOUR);
    assert_eq!(bench.store.remove_expired().await.unwrap(), 2);
    assert_eq!(indexes(&bench).await.len(), 1);
}
