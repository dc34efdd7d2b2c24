//! The search by a value: what Node.js stored is found in every type that is read as the value, and in either form.

use cloakroom_core::{ErrorKind, FindBy};
use cloakroom_mongodb::mongodb::bson::{Binary, oid::ObjectId, spec::BinarySubtype};
use futures::TryStreamExt;

use super::*;

const PATH: &str = "passport.user";

async fn with_documents() -> Bench {
    let bench = Bench::with(|options| options.stringify = false).await;
    bench.store.create_index(PATH).await.unwrap();
    bench
}

/// Returns the ids of what is found, or `None` if no index tells.
async fn found(store: &MongoStore, value: &str) -> Option<Vec<String>> {
    let found = FindBy::find(store, PATH, value).await.unwrap()?;
    let mut ids: Vec<_> = found.map_ok(|listed| listed.id).try_collect().await.unwrap();
    ids.sort();
    Some(ids)
}

fn ids(ids: &[&str]) -> Option<Vec<String>> {
    Some(ids.iter().map(|id| (*id).to_owned()).collect())
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_user_is_found_in_every_type_that_is_read_as_the_value() {
    let bench = with_documents().await;
    let id = ObjectId::parse_str("507f1f77bcf86cd799439011").unwrap();
    let binary = Binary { subtype: BinarySubtype::UserDefined(200), bytes: b"ann".to_vec() };
    for (sid, user) in [
        ("id", Bson::from(id)),
        ("text", "507f1f77bcf86cd799439011".into()),
        ("date", date(NOW).into()),
        ("binary", binary.into()),
        ("long", Bson::Int64(7)),
        ("int", Bson::Int32(7)),
        ("double", Bson::Double(7.0)),
        ("list", Bson::from(vec![7])),
        ("nan", Bson::Double(f64::NAN)),
    ] {
        let session = doc! { "cookie": {}, "passport": { "user": user } };
        bench.plant(doc! { "_id": sid, "expires": date(NOW + HOUR), "session": session }).await;
    }
    let value = "\"507f1f77bcf86cd799439011\"";
    assert_eq!(found(&bench.store, value).await, ids(&["id", "text"]));
    assert_eq!(found(&bench.store, "\"2100-01-01T00:00:00.000Z\"").await, ids(&["date"]));
    assert_eq!(found(&bench.store, "\"YW5u\"").await, ids(&["binary"]));
    assert_eq!(found(&bench.store, "7").await, ids(&["double", "int", "long"]));
    assert_eq!(found(&bench.store, "\"7\"").await, ids(&[]));
}

/// As after a change of `stringify`, or beside a connect-mongo that kept its default.
#[tokio::test]
#[ignore = "needs mongod"]
async fn a_session_that_is_stored_as_text_is_found_beside_documents() {
    let bench = with_documents().await;
    for (sid, user) in [("text", 7), ("other", 8)] {
        let session = format!(r#"{{"cookie":{{}},"passport":{{"user":{user}}}}}"#);
        bench.plant(doc! { "_id": sid, "expires": date(NOW + HOUR), "session": session }).await;
    }
    let session = doc! { "cookie": {}, "passport": { "user": 7 } };
    bench.plant(doc! { "_id": "document", "expires": date(NOW + HOUR), "session": session }).await;
    assert_eq!(found(&bench.store, "7").await, ids(&["document", "text"]));
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn without_one_of_its_indexes_nothing_is_looked_for() {
    let bench = with_documents().await;
    bench.plant_session(doc! { "cookie": {}, "passport": { "user": 7 } }).await;
    assert_eq!(found(&bench.store, "7").await, ids(&["a"]));
    for name in ["cloakroom_texts", "cloakroom_passport.user"] {
        bench.raw.drop_index(name).await.unwrap();
        assert_eq!(found(&bench.store, "7").await, None, "{name}");
        bench.store.create_index(PATH).await.unwrap();
        assert_eq!(found(&bench.store, "7").await, ids(&["a"]));
    }
    assert!(FindBy::find(&bench.store, "user", "7").await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn sessions_that_are_stored_as_text_get_no_index() {
    let bench = Bench::start().await;
    let error = bench.store.create_index(PATH).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("set stringify=false"), "{error}");
    assert_eq!(found(&bench.store, "7").await, None);
}
