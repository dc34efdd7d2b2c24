//! Stores of cloakroom behind the trait of tower-sessions.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Clock, Enumerate, Error, MemoryStore, SessionData, Store, TimeToLive, Touched,
};
use cloakroom_tower_sessions::{
    CloakroomStore,
    tower_sessions_core::{
        Session, SessionStore,
        session::{Expiry, Id, Record},
        session_store,
    },
};
use time::{Duration, OffsetDateTime};

/// The memory store without conditional writes.
#[derive(Clone)]
struct Plain(MemoryStore);

#[async_trait]
impl Store for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.get(sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.0.set(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, session).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

/// The memory store, and their view of it, with and without conditional writes.
fn stores() -> [(MemoryStore, Arc<dyn SessionStore>); 2] {
    let (first, second) = (MemoryStore::new(), MemoryStore::new());
    let plain = CloakroomStore::new(Plain(second.clone()));
    [(first.clone(), Arc::new(CloakroomStore::new(first))), (second, Arc::new(plain))]
}

fn record(members: &[(&str, serde_json::Value)]) -> Record {
    let data = members.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let expiry_date = OffsetDateTime::now_utc() + Duration::minutes(30);
    Record { id: Id::default(), data: data.collect(), expiry_date }
}

#[tokio::test]
async fn a_record_is_a_session_that_express_reads() {
    for (memory, store) in stores() {
        let mut record = record(&[("user", "ann".into()), ("n", 1.into())]);
        store.create(&mut record).await.unwrap();
        let stored = memory.get(&record.id.to_string()).await.unwrap().unwrap();
        let text = stored.to_json().into_owned();
        assert!(text.starts_with(r#"{"cookie":{"originalMaxAge":"#), "{text}");
        assert!(text.ends_with(r#""httpOnly":true,"path":"/"},"n":1,"user":"ann"}"#), "{text}");
        let now_ms = Clock::system().now_ms();
        let TimeToLive::Seconds(seconds) = stored.time_to_live(now_ms) else { panic!("no life") };
        assert!((1_000..=1_800).contains(&seconds), "{seconds}");
        let loaded = store.load(&record.id).await.unwrap().unwrap();
        assert_eq!(loaded.data, record.data);
        store.delete(&record.id).await.unwrap();
        assert!(store.load(&record.id).await.unwrap().is_none());
        assert!(memory.get(&record.id.to_string()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_id_that_exists_is_not_taken_again() {
    for (_, store) in stores() {
        let mut first = record(&[("user", "ann".into())]);
        store.create(&mut first).await.unwrap();
        let mut second = Record { id: first.id, ..record(&[("user", "bob".into())]) };
        store.create(&mut second).await.unwrap();
        assert_ne!(first.id, second.id);
        let found = store.load(&first.id).await.unwrap().unwrap();
        assert_eq!(found.data["user"], "ann");
    }
}

#[tokio::test]
async fn a_save_brings_nothing_back() {
    for (memory, store) in stores() {
        let mut record = record(&[("n", 1.into())]);
        store.create(&mut record).await.unwrap();
        memory.destroy(&record.id.to_string()).await.unwrap();
        store.save(&record).await.unwrap();
        assert!(memory.get(&record.id.to_string()).await.unwrap().is_none());
    }
}

/// What Node.js wrote, their layer reads and changes one member.
#[tokio::test]
async fn a_save_keeps_what_it_does_not_change_byte_for_byte() {
    for (memory, store) in stores() {
        let id = Id::default();
        let text = r#"{"z":1.0,"cookie":{"originalMaxAge":60000,"expires":"2100-01-01T00:00:00.000Z","secure":false,"path":"/"},"big":12345678901234567890,"e":"\u0041","gone":1}"#;
        memory.set(&id.to_string(), &SessionData::from_json(text).unwrap()).await.unwrap();
        let mut record = store.load(&id).await.unwrap().unwrap();
        assert!(!record.data.contains_key("cookie"));
        record.data.remove("gone");
        record.data.insert("user".to_owned(), "ann".into());
        record.expiry_date = OffsetDateTime::from_unix_timestamp(4_102_444_800).unwrap();
        store.save(&record).await.unwrap();
        let stored = memory.get(&id.to_string()).await.unwrap().unwrap();
        let members: Vec<_> =
            stored.iter().map(|member| format!("{}={}", member.name(), member.json())).collect();
        let kept = ["z=1.0", "big=12345678901234567890", r#"e="\u0041""#, r#"user="ann""#];
        assert_eq!(members, kept);
        assert!(stored.cookie().to_json().contains(r#""expires":"2100-01-01T00:00:00.000Z""#));
        assert!(stored.cookie().to_json().contains(r#""secure":false"#), "its attributes stay");
    }
}

#[tokio::test]
async fn writers_that_meet_end_with_one_whole_record() {
    let (memory, store) = stores().into_iter().next().unwrap();
    let mut record = record(&[("n", 0.into())]);
    store.create(&mut record).await.unwrap();
    let tasks: Vec<_> = (1..20)
        .map(|n: i32| {
            let (store, mut record) = (Arc::clone(&store), record.clone());
            record.data = HashMap::from([("n".to_owned(), n.into()), ("m".to_owned(), n.into())]);
            tokio::spawn(async move { store.save(&record).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stored = memory.get(&record.id.to_string()).await.unwrap().unwrap();
    assert_eq!(stored.get::<i32>("n").unwrap(), stored.get::<i32>("m").unwrap());
}

#[tokio::test]
async fn what_express_cannot_hold_is_an_error() {
    for (_, store) in stores() {
        for (name, value) in [
            ("cookie", serde_json::json!(1)),
            ("save", serde_json::json!(1)),
            ("n", serde_json::json!(9_007_199_254_740_993_u64)),
        ] {
            let error = store.create(&mut record(&[(name, value)])).await.unwrap_err();
            assert!(matches!(error, session_store::Error::Encode(_)), "{name}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_member_that_cannot_be_read_is_an_error_that_fits_into_a_line() {
    for (memory, store) in stores() {
        let id = Id::default();
        let text = format!(r#"{{"cookie":{{}},"{}":"\ud83d"}}"#, "n".repeat(100_000));
        let session = SessionData::from_json(text).unwrap();
        memory.set(&id.to_string(), &session).await.unwrap();
        let error = store.load(&id).await.unwrap_err();
        assert!(matches!(error, session_store::Error::Decode(_)), "{error:?}");
        assert!(error.to_string().contains(r#""nnn"#) && error.to_string().len() < 200);
    }
}

/// Node.js extends a session beyond its end.
#[tokio::test]
async fn a_session_whose_end_has_come_is_none() {
    let (memory, id, ends_at_ms) = (MemoryStore::new(), Id::default(), 4_102_444_800_000);
    let mut session = SessionData::new();
    session.set_ends_at_ms(Some(ends_at_ms)).unwrap();
    memory.set(&id.to_string(), &session).await.unwrap();
    for (now_ms, is_there) in [(ends_at_ms - 1, true), (ends_at_ms, false)] {
        let store = CloakroomStore::new(memory.clone()).with_clock(Clock::fixed(now_ms));
        assert_eq!(store.load(&id).await.unwrap().is_some(), is_there);
    }
}

/// By the handle of their layer, as a request uses it.
#[tokio::test]
async fn a_login_moves_to_a_new_id() {
    for (memory, store) in stores() {
        let session = Session::new(None, Arc::new(Shared(Arc::clone(&store))), None);
        session.insert("cart", vec!["tea"]).await.unwrap();
        session.save().await.unwrap();
        let old = session.id().unwrap();
        session.cycle_id().await.unwrap();
        session.insert("user", "ann").await.unwrap();
        session.set_expiry(Some(Expiry::OnInactivity(Duration::hours(1))));
        session.save().await.unwrap();
        let new = session.id().unwrap();
        assert!(new != old && memory.get(&old.to_string()).await.unwrap().is_none());
        let stored = memory.get(&new.to_string()).await.unwrap().unwrap();
        assert_eq!(stored.get::<Vec<&str>>("cart").unwrap().unwrap(), ["tea"]);
        assert_eq!(stored.get::<&str>("user").unwrap(), Some("ann"));
        session.flush().await.unwrap();
        assert!(memory.get(&new.to_string()).await.unwrap().is_none());
    }
}

/// Their handle takes a store of one type.
#[derive(Debug)]
struct Shared(Arc<dyn SessionStore>);

#[async_trait]
impl SessionStore for Shared {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.0.create(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0.delete(id).await
    }
}
