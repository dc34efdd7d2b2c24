//! The limit on the size of a record, on every store: a larger one is neither written nor read, and costs nobody else
//! anything.

use std::time::Duration;

use cloakroom::{
    Atomic, Created, Enumerate, Error, ErrorKind, SessionData, Store,
    memcached::{MemcachedOptions, MemcachedStore},
    mongodb::{MongoOptions, MongoStore},
    redis::{RedisOptions, RedisStore},
};
use cloakroom_file::{FileOptions, FileStore};
use cloakroom_test_support::{Memcached, Mongod, RedisServer, unique};
use futures::{StreamExt, future::join_all};

const MOST: u64 = 100_000;
const LARGE: usize = 5_000_000;

/// No machine is too slow for it.
const LONG: Duration = Duration::from_secs(120);

/// A session of about this many bytes.
fn session_of(bytes: usize) -> SessionData {
    let mut session = SessionData::new();
    session.insert("text", "x".repeat(bytes)).unwrap();
    session
}

fn check(error: &Error, sid: &str) {
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let text = format!("{error} {error:?}");
    assert!(text.contains(" bytes long; the limit is 100000 (maxRecord)"), "{text}");
    assert!(!text.contains(sid) && !text.contains("xxx"), "{text}");
    assert!(
        text.contains("the record is 5000") && !error.outcome_unknown() && !error.is_retryable(),
        "{text}"
    );
}

/// `limited` is a store with a limit of [`MOST`], `open` a store in the same place that accepts all.
async fn holds(limited: &(impl Store + Atomic + Enumerate), open: &impl Store) {
    let (sid, other) = (unique("hushed"), unique("other"));
    let fitting = session_of(MOST as usize - 1_000);
    limited.set(&other, &fitting).await.unwrap();
    let mut read = limited.get(&other).await.unwrap().unwrap();
    assert_eq!(read, fitting);

    // Nothing too large is written.
    let large = session_of(LARGE);
    check(&limited.set(&sid, &large).await.unwrap_err(), &sid);
    check(&limited.create(&sid, &large).await.unwrap_err(), &sid);
    read.insert("text", "x".repeat(LARGE)).unwrap();
    check(&limited.update(&other, &read).await.unwrap_err(), &sid);
    assert_eq!(open.get(&sid).await.unwrap(), None);
    assert_eq!(limited.get(&other).await.unwrap(), Some(fitting.clone()));

    // Nor is it read, and who reads something else at the same time does not notice.
    limited.set(&sid, &session_of(10)).await.unwrap();
    let mut before = limited.get(&sid).await.unwrap().unwrap();
    before.insert("n", 1).unwrap();
    open.set(&sid, &large).await.unwrap();
    let reads = join_all((0..40).map(|number| {
        let sid = if number % 2 == 0 { &sid } else { &other };
        async move { limited.get(sid).await }
    }));
    for (number, answer) in reads.await.into_iter().enumerate() {
        match answer {
            Err(error) if number % 2 == 0 => check(&error, &sid),
            answer => assert_eq!(answer.unwrap(), Some(fitting.clone())),
        }
    }
    check(&limited.get_and_touch(&sid, None).await.unwrap_err(), &sid);
    check(&limited.update(&sid, &before).await.unwrap_err(), &sid);
    assert!(matches!(limited.create(&sid, &session_of(1)).await.unwrap(), Created::Exists));

    // It can be found and removed.
    let ids: Vec<_> = limited.ids().map(Result::unwrap).collect().await;
    assert!(ids.contains(&sid) && ids.contains(&other), "{ids:?}");
    let mut found = 0;
    let mut all = limited.all();
    while let Some(next) = all.next().await {
        match next {
            Ok(listed) => {
                found += usize::from(listed.id == other && listed.session == fitting);
            }
            Err(error) => check(&error, &sid),
        }
    }
    assert_eq!(found, 1);
    drop(all);
    limited.destroy(&sid).await.unwrap();
    assert_eq!(open.get(&sid).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_record_beyond_the_limit_is_refused_in_redis() {
    let server = RedisServer::start().unwrap();
    let options = RedisOptions::default().with_deadline(LONG);
    let open = RedisStore::open_with(&server.url(), options).unwrap();
    for protocol in ["resp2", "resp3"] {
        let url = format!("{}?protocol={protocol}&maxRecord={MOST}&deadline=120000", server.url());
        holds(&RedisStore::open(&url).unwrap(), &open).await;
    }
    // The application's connection reads it whole, and the store refuses to parse it.
    let client = redis::Client::open(server.url()).unwrap();
    // A busy machine takes longer than its 500 ms.
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    let options = RedisOptions::default().with_max_record(MOST).with_deadline(LONG);
    holds(&RedisStore::with_connection(connection, options).unwrap(), &open).await;
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_record_beyond_the_limit_is_refused_in_memcached() {
    let server = Memcached::start_with(&["-I", "16m"]).unwrap();
    let open = MemcachedOptions::default().with_deadline(LONG);
    let limited = open.clone().with_max_record(MOST);
    holds(
        &MemcachedStore::open_with(&server.url(), limited).unwrap(),
        &MemcachedStore::open_with(&server.url(), open).unwrap(),
    )
    .await;
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_record_beyond_the_limit_is_refused_in_mongodb() {
    let server = Mongod::start().unwrap();
    for stringify in [true, false] {
        let options = |collection| {
            MongoOptions::default()
                .with_stringify(stringify)
                .with_collection_name(collection)
                .with_deadline(LONG)
        };
        let name = if stringify { "texts" } else { "documents" };
        holds(
            &MongoStore::open_with(&server.url(), options(name).with_max_record(MOST)).unwrap(),
            &MongoStore::open_with(&server.url(), options(name)).unwrap(),
        )
        .await;
    }
}

#[tokio::test]
async fn a_record_beyond_the_limit_is_refused_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = FileOptions::default().with_durable(false).with_deadline(LONG);
    holds(
        &FileStore::in_folder(folder.path(), options.clone().with_max_record(MOST)).unwrap(),
        &FileStore::in_folder(folder.path(), options).unwrap(),
    )
    .await;
}

/// The scanner of records does not recurse, and what converts to BSON has a limit: no depth overflows the stack.
#[tokio::test]
async fn a_record_nested_deeply_is_read() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!("{{\"cookie\":{{\"deep\":{deep}}},\"deep\":{deep}}}");
    let folder = tempfile::tempdir().unwrap();
    let store =
        FileStore::in_folder(folder.path(), FileOptions::default().with_deadline(LONG)).unwrap();
    let mut session = SessionData::from_json(text).unwrap();
    session.insert("n", 1).unwrap();
    store.set("deep", &session).await.unwrap();
    let found = store.get("deep").await.unwrap().unwrap();
    assert_eq!(found.to_json(), session.to_json());
    assert_eq!(found.cookie(), session.cookie());
    let error = found.get::<Vec<serde_json::Value>>("deep").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);

    let options = MongoOptions::default().with_stringify(false);
    let store = MongoStore::open_with("mongodb://127.0.0.1:9", options).unwrap();
    assert_eq!(store.set("deep", &session).await.unwrap_err().kind(), ErrorKind::InvalidData);
}
