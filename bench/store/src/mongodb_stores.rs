//! Stores on MongoDB, and the bare client.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use cloakroom::mongodb::{MongoOptions, MongoStore};
use cloakroom_bench::{commands::Counts, cpu, tasks::Task};
use cloakroom_test_support::Mongod;
use mongodb::{
    Collection,
    bson::{Bson, DateTime, Document, RawDocumentBuf, doc},
};
use time::OffsetDateTime;
use tower_sessions_core_of_mongodb::{
    SessionStore,
    session::{Id, Record},
};

use crate::{
    backend::{Answer, Backend, without_cookie},
    case::{Case, KEYS, Place, key, with_clone},
    cloakroom_store::{self, Declared, PATIENCE},
    node::NodeStore,
};

const BARE: &str = "mongodb";

fn sid(number: usize) -> String {
    format!("{number:032x}")
}

pub(crate) struct OnMongoDb(Mongod);

impl Backend for OnMongoDb {
    const NAME: &str = "MongoDB";

    fn start() -> Self {
        let server = Mongod::start().expect("mongod is installed");
        cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
        Self(server)
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        // For all subjects as many connections as our store has by default: one per task.
        let url = |database: &str| {
            format!("{}/{database}?directConnection=true&maxPoolSize=64", self.0.url())
        };
        let client = mongodb::Client::with_uri_str(url("bare")).await.expect("it is a URL");
        let counted = client.clone();
        let table = format!("{}, {size}", Self::NAME);
        let place = Place::new(table, self.0.id(), BARE, move || count(counted.clone()));

        let sessions: Collection<Document> = client.database("bare").collection("sessions");
        let mut cases = bare(&place, &sessions, text).await;
        let store = MongoStore::open_with(
            &url("cloakroom"),
            MongoOptions::default().with_deadline(PATIENCE),
        );
        let store = store.expect("it is a URL");
        let commands = Declared {
            get: "query 1",
            set: "update 1",
            touch: "update 1",
            // Versions differ in whether `findAndModify` counts as an update, too.
            get_and_touch: "command 1 | command 1 · update 1",
            update: "update 1",
        };
        let (ours, our_answer) = cloakroom_store::cases(&place, store, text, sid, commands).await;
        let (peers, peers_answer) = tower_sessions(&place, &url("tower"), text).await;
        let node = Arc::new(NodeStore::start("connect-mongo", &url("node"), text));
        cases.extend(ours);
        cases.extend(peers);
        cases.extend(["get", "set", "touch"].map(|work| Case::node(&place, &node, work)));
        let bare_answer = Answer::new(BARE, move || {
            let sessions = sessions.clone();
            async move {
                let found = sessions.find_one(doc! { "_id": sid(0) }).await;
                let found = found.expect("MongoDB answers").expect("it is there");
                serde_json::from_str(found.get_str("session").expect("a text")).expect("it is JSON")
            }
        });
        (cases, vec![bare_answer, our_answer, peers_answer, node.answer()])
    }
}

/// What clients have asked for. The drivers' own commands are among `command`.
async fn count(client: mongodb::Client) -> Counts {
    let status = client.database("admin").run_command(doc! { "serverStatus": 1 }).await;
    let status = status.expect("MongoDB answers");
    let counters = status.get_document("opcounters").expect("a standalone server has them");
    let number = |value: &Bson| match value {
        Bson::Int32(number) => f64::from(*number),
        Bson::Int64(number) => *number as f64,
        _ => f64::NAN,
    };
    let counts = counters.iter().filter(|(name, _)| *name != "deprecated");
    counts.map(|(name, value)| (name.clone(), number(value))).collect()
}

/// What a session that lives has: as connect-mongo asks for it.
fn live(number: usize, now: i64) -> Document {
    let expires = DateTime::from_millis(now);
    doc! { "_id": sid(number), "$or": [{ "expires": { "$exists": false } }, { "expires": { "$gt": expires } }] }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_millis()).expect("it is before 292278994")
}

fn in_an_hour() -> DateTime {
    DateTime::from_millis(now() + 3_600_000)
}

async fn bare(place: &Place, sessions: &Collection<Document>, text: &str) -> Vec<Case> {
    let text: Arc<str> = text.into();
    for number in 0..KEYS {
        set(sessions, number, &text).await;
    }
    let bytes = text.len();
    let raw = sessions.clone_with_type::<RawDocumentBuf>();
    let check = move |found: Option<RawDocumentBuf>| {
        let found = found.expect("it is there");
        assert_eq!(found.get_str("session").expect("it is a text").len(), bytes);
    };
    let get = with_clone(&raw, move |sessions, mut task| async move {
        while let Some(number) = task.next() {
            let found = sessions.find_one(live(key(&task, number), now())).await;
            check(found.expect("MongoDB answers"));
        }
    });
    let set = {
        let text = Arc::clone(&text);
        with_clone(sessions, move |sessions, mut task: Task| {
            let text = Arc::clone(&text);
            async move {
                while let Some(number) = task.next() {
                    set(&sessions, key(&task, number), &text).await;
                }
            }
        })
    };
    let touch = with_clone(sessions, |sessions, mut task| async move {
        while let Some(number) = task.next() {
            let change = doc! { "$set": { "expires": in_an_hour() } };
            let done = sessions.update_one(live(key(&task, number), now()), change).await;
            assert_eq!(done.expect("MongoDB answers").matched_count, 1);
        }
    });
    let get_and_touch = with_clone(&raw, move |sessions, mut task| async move {
        while let Some(number) = task.next() {
            let change = doc! { "$set": { "expires": in_an_hour() } };
            let found = sessions.find_one_and_update(live(key(&task, number), now()), change).await;
            check(found.expect("MongoDB answers"));
        }
    });
    let update = with_clone(sessions, move |sessions, mut task: Task| {
        let text = Arc::clone(&text);
        async move {
            while let Some(number) = task.next() {
                let mut filter = live(key(&task, number), now());
                filter.insert("session", doc! { "$eq": &*text });
                let change = doc! { "$set": { "expires": in_an_hour(), "session": &*text } };
                let done = sessions.update_one(filter, change).await;
                assert_eq!(done.expect("MongoDB answers").matched_count, 1);
            }
        }
    });
    vec![
        Case::new(place, BARE, "get", get),
        Case::new(place, BARE, "set", set),
        Case::new(place, BARE, "touch", touch),
        Case::new(place, BARE, "get and touch", get_and_touch),
        Case::new(place, BARE, "update", update),
    ]
}

async fn set(sessions: &Collection<Document>, number: usize, text: &str) {
    let change = doc! { "$set": { "expires": in_an_hour(), "session": text } };
    let set = sessions.update_one(doc! { "_id": sid(number) }, change).upsert(true);
    set.await.expect("MongoDB answers");
}

async fn tower_sessions(place: &Place, url: &str, text: &str) -> (Vec<Case>, Answer) {
    const NAME: &str = "tower-sessions-mongodb-store";
    let client = tower_sessions_mongodb_store::mongodb::Client::with_uri_str(url).await;
    let client = client.expect("it is a URL");
    let store = tower_sessions_mongodb_store::MongoDBStore::new(client, "tower".to_owned());
    let data = without_cookie(serde_json::from_str(text).expect("it is JSON"));
    let data: HashMap<String, serde_json::Value> =
        serde_json::from_value(data).expect("it is an object");
    let expiry_date = OffsetDateTime::now_utc() + time::Duration::hours(1);
    let id = |number: usize| Id((text.len() * KEYS + number) as i128);
    let record = |number| Record { id: id(number), data: data.clone(), expiry_date };
    let records: Arc<Vec<Record>> = Arc::new((0..KEYS).map(record).collect());
    for record in records.iter() {
        store.save(record).await.expect("the store stores");
    }
    let all = (Arc::new(store), records);
    let (store, records) = all.clone();
    let answer = Answer::new(NAME, move || {
        let (store, records) = (Arc::clone(&store), Arc::clone(&records));
        async move {
            let record = store.load(&records[0].id).await.expect("the store answers");
            serde_json::to_value(record.expect("it is there").data).expect("it is JSON")
        }
    });
    let get = with_clone(&all, |(store, records), mut task| async move {
        while let Some(number) = task.next() {
            let record = store.load(&records[key(&task, number)].id).await;
            assert!(record.expect("the store answers").is_some());
        }
    });
    let set = with_clone(&all, |(store, records), mut task| async move {
        while let Some(number) = task.next() {
            store.save(&records[key(&task, number)]).await.expect("the store stores");
        }
    });
    (vec![Case::new(place, NAME, "get", get), Case::new(place, NAME, "set", set)], answer)
}
