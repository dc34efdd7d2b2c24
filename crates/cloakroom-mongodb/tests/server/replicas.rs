//! A replica set whose secondary is behind.

use std::sync::LazyLock;

use cloakroom_core::{Created, ErrorKind, Store, Updated};
use cloakroom_mongodb::{
    MongoOptions, MongoStore,
    mongodb::{
        Client,
        options::{ClientOptions, ReadConcern, ReadPreference},
    },
};
use cloakroom_test_support::{MongoReplicaSet, unique};
use futures::TryStreamExt;

use crate::{atomic, listing, session};

/// Its secondary confirms nothing, so that a majority never does.
static SERVERS: LazyLock<MongoReplicaSet> = LazyLock::new(|| MongoReplicaSet::start().unwrap());

fn options() -> MongoOptions {
    let mut options = MongoOptions::default();
    options.collection_name = unique("sessions");
    options
}

fn url(query: &str) -> String {
    format!("{}&w=1{query}", SERVERS.url("app"))
}

/// All that decides who is logged in, right after it was written.
async fn check(store: &MongoStore, how: &str) {
    let (atomic, listing) = (atomic(store), listing(store));
    assert!(matches!(atomic.create("b", &session()).await.unwrap(), Created::Stored(_)), "{how}");
    store.set("a", &session()).await.unwrap();
    let mut read = store.get("a").await.unwrap().unwrap_or_else(|| panic!("{how}: no session"));
    read.insert("n", 1).unwrap();
    assert!(matches!(atomic.update("a", &read).await.unwrap(), Updated::Stored(_)), "{how}");
    let conflict = atomic.update("a", &read).await.unwrap();
    let Updated::Conflict(current) = conflict else { panic!("{how}: {conflict:?}") };
    assert_eq!(current.get::<i32>("n").unwrap(), Some(1), "{how}");
    assert_eq!(listing.length().await.unwrap(), 2, "{how}");
    assert_eq!(listing.ids().try_collect::<Vec<_>>().await.unwrap(), ["a", "b"], "{how}");
    assert_eq!(listing.all().try_collect::<Vec<_>>().await.unwrap().len(), 2, "{how}");
    store.destroy("a").await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None, "{how}");
    assert!(matches!(atomic.update("a", &read).await.unwrap(), Updated::Gone), "{how}");
    listing.clear().await.unwrap();
    assert_eq!(listing.length().await.unwrap(), 0, "{how}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn decisions_come_from_the_primary_whatever_the_url_says() {
    for query in [
        "",
        "&readPreference=secondary",
        "&readPreference=secondaryPreferred",
        "&readPreference=nearest",
        "&readPreference=secondaryPreferred&maxStalenessSeconds=90",
        "&readConcernLevel=available",
        "&readConcernLevel=majority",
        "&readConcernLevel=snapshot",
        "&readPreference=secondaryPreferred&stringify=false&touchAfter=1",
        #[cfg(feature = "encryption")]
        "&readPreference=secondaryPreferred&secret=squirrel",
    ] {
        check(&MongoStore::open_with(&url(query), options()).unwrap(), query).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn decisions_come_from_the_primary_whatever_the_applications_client_says() {
    let mut client = ClientOptions::parse(url("")).await.unwrap();
    client.selection_criteria = Some(ReadPreference::Secondary { options: None }.into());
    client.read_concern = Some(ReadConcern::majority());
    let client = Client::with_options(client).unwrap();
    check(&MongoStore::with_client(client, options()).unwrap(), "a client").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn a_url_of_a_secondary_alone_reads_nothing() {
    let url = format!("mongodb://{}/app?directConnection=true", SERVERS.secondary().addr());
    for query in ["", "&readPreference=secondary"] {
        let store = MongoStore::open(&format!("{url}{query}")).unwrap();
        let (read, counted) = (store.get("a").await, listing(&store).length().await);
        for error in [read.map(drop).unwrap_err(), counted.map(drop).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains("no primary found among 127.0.0.1:"), "{error}");
        }
        let error = store.set("a", &session()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(!error.outcome_unknown());
    }
    // The primary alone is as good as the set.
    let url = format!("mongodb://{}/app?directConnection=true&w=1", SERVERS.primary().addr());
    check(&MongoStore::open_with(&url, options()).unwrap(), "the primary alone").await;
}
