//! Sessions as documents: nothing that Rust leaves alone changes its type.

use cloakroom_core::{ErrorKind, SessionData, Store, Updated};
use cloakroom_mongodb::mongodb::bson::{
    Binary, Bson, Decimal128, Document, JavaScriptCodeWithScope, Timestamp, doc, oid::ObjectId,
    spec::BinarySubtype,
};

use crate::{Bench, atomic, date};

/// Every type that BSON has.
fn every_type() -> Document {
    let binary = |subtype| Bson::Binary(Binary { subtype, bytes: vec![0, 255, 128] });
    doc! {
        "cookie": {
            "originalMaxAge": 3_600_000.0, "partitioned": Bson::Null, "priority": Bson::Null,
            "expires": date(4_102_448_400_000), "secure": Bson::Null, "httpOnly": true,
            "domain": Bson::Null, "path": "/", "sameSite": Bson::Null,
        },
        "double": 1.0, "nan": f64::NAN, "infinity": f64::NEG_INFINITY, "zero": -0.0,
        "text": "Zoë\0", "array": [1, 2.0, 3_i64, [], {}], "document": { "b": 1, "a": { "c": date(7) } },
        "generic": binary(BinarySubtype::Generic), "uuid": binary(BinarySubtype::Uuid),
        "own": binary(BinarySubtype::UserDefined(0x80)),
        "undefined": Bson::Undefined, "id": ObjectId::from_bytes([7; 12]), "true": true,
        "date": date(-1), "null": Bson::Null,
        "code": Bson::JavaScriptCode("f()".to_owned()),
        "scoped": Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope {
            code: "f()".to_owned(), scope: doc! { "x": 1 },
        }),
        "symbol": Bson::Symbol("s".to_owned()), "int": 7, "time": Timestamp { time: 1, increment: 2 },
        "long": 7_i64, "longest": i64::MAX, "price": "19.99".parse::<Decimal128>().unwrap(),
        "min": Bson::MinKey, "max": Bson::MaxKey,
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn bson_types_survive_rust_unchanged() {
    let bench = Bench::with(|options| options.stringify = false).await;
    bench.plant_session(every_type()).await;
    let before = bench.bytes("a").await;
    let session = bench.read().await;
    for _ in 0..2 {
        bench.store.set("a", &session).await.unwrap();
        // The expiry is the cookie's own, an hour ahead, as it was planted.
        assert_eq!(bench.bytes("a").await, before);
        atomic(&bench.store).update("a", &session).await.unwrap();
        assert_eq!(bench.bytes("a").await, before);
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn one_change_leaves_every_other_value_its_type() {
    let bench = Bench::with(|options| options.stringify = false).await;
    bench.plant_session(every_type()).await;
    let mut session = bench.read().await;
    session.insert("int", 8.5).unwrap();
    session.insert("new", ["2100-01-01T00:00:00.000Z"]).unwrap();
    session
        .insert_json("document", r#"{"b":2,"a":{"c":"1970-01-01T00:00:00.007Z","d":null}}"#)
        .unwrap();
    session.remove("max");
    let updated = atomic(&bench.store).update("a", &session).await.unwrap();
    let Updated::Stored(revision) = updated else { panic!("{updated:?}") };

    let mut expected = every_type();
    expected.insert("int", 8.5);
    expected.insert("new", ["2100-01-01T00:00:00.000Z"].to_vec());
    expected.insert("document", doc! { "b": 2, "a": { "c": date(7), "d": Bson::Null } });
    expected.remove("max");
    let stored = bench.document("a").await.unwrap();
    // NaN is not equal to itself, so it is the print that is compared.
    assert_eq!(stored.get_document("session").unwrap().to_string(), expected.to_string());

    // And on from what was written, without reading it again.
    session.mark_stored(revision);
    session.insert("int", 9).unwrap();
    assert!(matches!(
        atomic(&bench.store).update("a", &session).await.unwrap(),
        Updated::Stored(_)
    ));
    let stored = bench.document("a").await.unwrap();
    let stored = stored.get_document("session").unwrap();
    assert_eq!(stored.get_object_id("id").unwrap(), ObjectId::from_bytes([7; 12]));
    assert_eq!(stored.get_i32("int").unwrap(), 9);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn what_a_document_cannot_say_is_kept_beside_it() {
    let bench = Bench::with(|options| options.stringify = false).await;
    let text = r#"{"cookie":{"path":"/"},"half":"\ud83d","digits":12345678901234567890,"n": 1.0}"#;
    bench.store.set("a", &SessionData::from_json(text).unwrap()).await.unwrap();
    // As the counterpart would have it, for the counterpart.
    let stored = bench.document("a").await.unwrap();
    let expected = doc! {
        "cookie": { "path": "/" }, "half": "\u{fffd}", "digits": 12_345_678_901_234_567_000.0, "n": 1,
    };
    assert_eq!(stored.get_document("session").unwrap(), &expected);
    let mut session = bench.read().await;
    assert_eq!(session.loaded_json(), text);

    // Another writer replaces the document and leaves the text: it does not count any more.
    bench.raw.update_one(doc! {}, doc! { "$set": { "session.n": 2 } }).await.unwrap();
    assert_eq!(bench.read().await.get::<u32>("n").unwrap(), Some(2));
    // And the next write, of something that a document can say, takes it away.
    session.remove("half");
    session.remove("digits");
    session.insert("n", 3).unwrap();
    bench.store.set("a", &session).await.unwrap();
    let keys: Vec<_> = bench.document("a").await.unwrap().keys().cloned().collect();
    assert_eq!(keys, ["_id", "expires", "session", "sessionText"], "a space is left");
    bench.store.set("a", &crate::session()).await.unwrap();
    assert!(!bench.document("a").await.unwrap().contains_key("sessionText"));
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn what_no_document_holds_is_invalid_data() {
    let bench = Bench::with(|options| options.stringify = false).await;
    let nested = |levels| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    for text in [r#"{"a\u0000":1}"#, &nested(198), &nested(400)] {
        let error = bench.store.set("a", &SessionData::from_json(text).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        assert!(!error.outcome_unknown());
    }
    assert_eq!(bench.document("a").await, None);
    bench.store.set("a", &SessionData::from_json(nested(150)).unwrap()).await.unwrap();
}
