//! What the server refuses.

use std::time::Duration;

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use cloakroom_mongodb::{
    MongoOptions, MongoStore,
    mongodb::{
        Client, IndexModel,
        bson::{Document, doc},
        options::IndexOptions,
    },
};
use cloakroom_test_support::Mongod;

use crate::{Bench, SERVER, atomic, session};

fn print(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text += &format!(" {source} {source:?}");
        cause = source.source();
    }
    text
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn what_the_server_says_is_not_passed_on() {
    let bench = Bench::start().await;
    // The server's text on a doubled key quotes it: here the whole session.
    let unique = IndexOptions::builder().unique(true).build();
    let model = IndexModel::builder().keys(doc! { "session": 1 }).options(unique).build();
    bench.raw.create_index(model).await.unwrap();
    let mut secret = session();
    secret.insert("secret", "squirrel").unwrap();
    bench.store.set("first-sid", &secret).await.unwrap();
    for error in [
        bench.store.set("second-sid", &secret).await.unwrap_err(),
        atomic(&bench.store).create("second-sid", &secret).await.unwrap_err(),
    ] {
        let text = print(&error);
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(text.contains("11000"), "{text}");
        assert!(!text.contains("squirrel") && !text.contains("second-sid"), "{text}");
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_document_that_the_validation_refuses_is_invalid_data() {
    let bench = Bench::start().await;
    let create = doc! { "create": bench.raw.name(), "validator": { "tag": { "$exists": true } } };
    bench.client.database("tests").run_command(create).await.unwrap();
    let error = bench.store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(!print(&error).contains("ann"));
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn more_than_16_mb_is_too_large_and_the_next_call_works() {
    for stringify in [true, false] {
        let bench = Bench::with(|options| options.stringify = stringify).await;
        bench.store.set("a", &session()).await.unwrap();
        let mut large = bench.read().await;
        for bytes in [(16 << 20) - 40, 16 << 20, 30 << 20] {
            large.insert("large", "x".repeat(bytes)).unwrap();
            for error in [
                bench.store.set("a", &large).await.unwrap_err(),
                atomic(&bench.store).create("b", &large).await.unwrap_err(),
                atomic(&bench.store).update("a", &large).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::TooLarge, "{bytes}: {error}");
                assert!(!error.outcome_unknown() && !error.is_retryable());
            }
            assert_eq!(bench.read().await, session());
        }
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_wrong_login_is_a_config_error() {
    let server = Mongod::start_with(&["--auth"]).unwrap();
    // As long as there is no user, whoever is on the same machine can make one.
    let client = Client::with_uri_str(server.url()).await.unwrap();
    let role = doc! { "role": "root", "db": "admin" };
    client
        .database("admin")
        .run_command(doc! { "createUser": "ann", "pwd": "squirrel", "roles": [role] })
        .await
        .unwrap();
    let with_login = |login: &str| {
        let url =
            format!("mongodb://{login}{}/app?authSource=admin&collectionName=s", server.addr());
        MongoStore::open(&url).unwrap()
    };
    for (login, why) in [
        ("", "the user lacks a permission"),
        ("ann:squirre1@", "the server rejected the user name or the password"),
        ("bob:squirrel@", "the server rejected the user name or the password"),
    ] {
        let store = with_login(login);
        for error in
            [store.ping().await.unwrap_err(), store.set("a", &session()).await.unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().contains(why), "{error}");
            assert!(!print(&error).contains("squirre"), "{error:?}");
        }
    }
    let store = with_login("ann:squirrel@");
    store.set("a", &session()).await.unwrap();
    store.ensure_index().await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), Some(session()));
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn more_confirmations_than_servers_is_an_error() {
    let mut options = MongoOptions::default();
    options.deadline = Duration::from_secs(2);
    let store = MongoStore::open_with(&format!("{}/tests?w=3", SERVER.url()), options).unwrap();
    let error = store.set("w", &session()).await.unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    for url in ["/tests?w=majority&journal=true", "/tests?w=1"] {
        let store = MongoStore::open(&format!("{}{url}", SERVER.url())).unwrap();
        store.set("w", &session()).await.unwrap();
        store.destroy("w").await.unwrap();
    }
}

#[test]
#[ignore = "needs mongod"]
fn without_a_runtime_it_is_a_config_error() {
    let store = MongoStore::open(&SERVER.url()).unwrap();
    let error = futures::executor::block_on(store.get("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("must be called from within a tokio runtime"), "{error}");
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_client_of_the_applications_own_can_be_used() {
    let bench = Bench::start().await;
    let client = Client::with_uri_str(format!("{}/mine", SERVER.url())).await.unwrap();
    let store = MongoStore::with_client(client.clone(), bench.options()).unwrap();
    store.set("a", &SessionData::new()).await.unwrap();
    let raw = client.database("mine").collection::<Document>(bench.raw.name());
    assert_eq!(raw.count_documents(doc! {}).await.unwrap(), 1);
}
