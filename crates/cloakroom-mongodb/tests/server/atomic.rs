//! Two writers at once.

use cloakroom_core::{SessionData, Store, Updated};
use cloakroom_mongodb::mongodb::bson::{Bson, DateTime, Document, doc, oid::ObjectId};

use crate::{Bench, NOW, atomic, date, session};

#[tokio::test]
#[ignore = "needs mongod"]
async fn an_update_compares_texts_with_documents() {
    for (first, second) in [
        (Bson::from(r#"{"n":1}"#), Bson::from(r#"{"n":2}"#)),
        (Bson::from(r#"{"n":1}"#), Bson::Document(doc! { "n": 1 })),
        (Bson::Document(doc! { "n": 1 }), Bson::Document(doc! { "n": 1, "m": 1 })),
        (Bson::Document(doc! { "a": 1, "b": 1 }), Bson::Document(doc! { "b": 1, "a": 1 })),
        (
            Bson::Document(doc! { "d": date(1) }),
            Bson::Document(doc! { "d": "1970-01-01T00:00:00.001Z" }),
        ),
    ] {
        let bench = Bench::with(|options| options.stringify = false).await;
        bench.plant_session(first).await;
        let mut ours = bench.read().await;
        ours.insert("ours", true).unwrap();
        bench.raw.update_one(doc! {}, doc! { "$set": { "session": &second } }).await.unwrap();
        let Updated::Conflict(mut current) = atomic(&bench.store).update("a", &ours).await.unwrap()
        else {
            panic!("{second} was overlooked")
        };
        assert_eq!(bench.document("a").await.unwrap().get("session"), Some(&second));
        current.merge(&ours);
        let updated = atomic(&bench.store).update("a", &current).await.unwrap();
        assert!(matches!(updated, Updated::Stored(_)), "{second}");
        assert_eq!(bench.read().await.get::<bool>("ours").unwrap(), Some(true));
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn an_update_never_revives_what_is_still_on_the_disk() {
    let bench = Bench::start().await;
    bench.store.set("a", &session()).await.unwrap();
    let read = bench.read().await;
    bench.clock.set(NOW + 15 * 24 * crate::HOUR);
    assert!(matches!(atomic(&bench.store).update("a", &read).await.unwrap(), Updated::Gone));
    assert!(bench.document("a").await.is_some());
    assert_eq!(bench.store.get("a").await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_touch_in_between_is_no_conflict() {
    let bench =
        Bench::with(|options| options.touch_after = std::time::Duration::from_secs(1)).await;
    bench.store.set("a", &session()).await.unwrap();
    let mut read = bench.read().await;
    bench.clock.advance(2_000);
    assert!(atomic(&bench.store).get_and_touch("a", None).await.unwrap().is_some());
    read.insert("n", 1).unwrap();
    assert!(matches!(atomic(&bench.store).update("a", &read).await.unwrap(), Updated::Stored(_)));
}

/// What JavaScript and BSON have no common word for, and names that mean something in a query.
fn odd() -> Document {
    doc! {
        "cookie": { "path": "/" },
        "$set": 1, "a.b": { "$gt": "" }, "": [], "$where": "1",
        "nan": f64::NAN, "zero": -0.0, "long": i64::MAX, "date": DateTime::MAX, "id": ObjectId::new(),
        "undefined": Bson::Undefined, "min": Bson::MinKey, "symbol": Bson::Symbol("s".to_owned()),
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn an_update_compares_any_document() {
    let bench = Bench::with(|options| options.stringify = false).await;
    for first in ["$set", "$where", ""] {
        let mut stored = odd();
        let value = stored.remove(first).unwrap();
        let mut reordered = doc! { first: value };
        reordered.extend(stored);
        bench.plant_session(reordered).await;
        for n in 0..3 {
            let mut session: SessionData = bench.read().await;
            session.insert("n", n).unwrap();
            let updated = atomic(&bench.store).update("a", &session).await.unwrap();
            assert!(matches!(updated, Updated::Stored(_)), "{first:?}: {updated:?}");
        }
        bench.store.destroy("a").await.unwrap();
    }
}
