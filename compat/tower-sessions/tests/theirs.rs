//! What the adapter adds to a store of tower-sessions, besides the suite.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{ErrorKind, SessionData, Store, Touched};
use cloakroom_tower_sessions::{
    TowerSessionsStore, id_of,
    tower_sessions_core::{
        SessionStore,
        session::{Id, Record},
        session_store::{Error, Result},
    },
};
use tower_sessions_memory_store::MemoryStore;

fn session(text: &str) -> SessionData {
    SessionData::from_json(text).unwrap()
}

/// Makes an error of a store.
type Fails = fn() -> Error;

/// A store that saves only what exists, as their Redis store does.
#[derive(Clone, Debug, Default)]
struct SavesWhatExists {
    records: Arc<Mutex<HashMap<Id, Record>>>,
    calls: Arc<Mutex<Vec<&'static str>>>,
    fails: Arc<Mutex<Option<Fails>>>,
    hangs: bool,
}

impl SavesWhatExists {
    async fn call(&self, name: &'static str) -> Result<()> {
        self.calls.lock().unwrap().push(name);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let fails = *self.fails.lock().unwrap();
        fails.map_or(Ok(()), |error| Err(error()))
    }
}

#[async_trait]
impl SessionStore for SavesWhatExists {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.call("create").await?;
        let mut records = self.records.lock().unwrap();
        while records.contains_key(&record.id) {
            record.id = Id::default();
        }
        records.insert(record.id, record.clone());
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.call("save").await?;
        if let Some(there) = self.records.lock().unwrap().get_mut(&record.id) {
            *there = record.clone();
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.call("load").await?;
        Ok(self.records.lock().unwrap().get(id).cloned())
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.call("delete").await?;
        self.records.lock().unwrap().remove(id);
        Ok(())
    }
}

#[tokio::test]
async fn a_store_that_saves_what_exists_is_asked_first() {
    let theirs = SavesWhatExists::default();
    let store = TowerSessionsStore::new(theirs.clone());
    store.set("a", &session(r#"{"n":1}"#)).await.unwrap();
    assert_eq!(std::mem::take(&mut *theirs.calls.lock().unwrap()), ["load", "create"]);
    store.set("a", &session(r#"{"n":2}"#)).await.unwrap();
    assert_eq!(std::mem::take(&mut *theirs.calls.lock().unwrap()), ["load", "save"]);
    assert_eq!(store.get("a").await.unwrap().unwrap().get::<i32>("n").unwrap(), Some(2));
    assert_eq!(theirs.records.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_expired_record_that_is_still_there_is_none_and_is_replaced() {
    for theirs in [true, false] {
        let expired = Record {
            id: id_of("a"),
            data: HashMap::new(),
            expiry_date: time::OffsetDateTime::UNIX_EPOCH,
        };
        let check = async |store: &dyn Store| {
            assert!(store.get("a").await.unwrap().is_none());
            store.set("a", &session(r#"{"n":1}"#)).await.unwrap();
            assert_eq!(store.get("a").await.unwrap().unwrap().get::<i32>("n").unwrap(), Some(1));
        };
        if theirs {
            let memory = MemoryStore::default();
            memory.save(&expired).await.unwrap();
            check(&TowerSessionsStore::new(memory)).await;
        } else {
            let store = SavesWhatExists::default();
            store.records.lock().unwrap().insert(expired.id, expired);
            check(&TowerSessionsStore::new(store.clone())).await;
            assert_eq!(store.records.lock().unwrap().len(), 1, "nothing is left under another id");
        }
    }
}

#[tokio::test]
async fn their_layer_reads_and_writes_the_same_members() {
    use cloakroom_tower_sessions::tower_sessions_core::Session;

    let memory = MemoryStore::default();
    let store = TowerSessionsStore::new(memory.clone());
    let theirs = Session::new(None, Arc::new(memory.clone()), None);
    theirs.insert("user", "ann").await.unwrap();
    theirs.save().await.unwrap();
    let id = theirs.id().unwrap();
    let mut found = store.get(&id.to_string()).await.unwrap().unwrap();
    assert_eq!(found.get::<&str>("user").unwrap(), Some("ann"));
    found.insert("cart", ["tea"]).unwrap();
    store.set(&id.to_string(), &found).await.unwrap();
    let again = Session::new(Some(id), Arc::new(memory), None);
    assert_eq!(again.get::<Vec<String>>("cart").await.unwrap().unwrap(), ["tea"]);
    assert_eq!(again.get::<String>("user").await.unwrap().unwrap(), "ann");
}

/// Until their layer writes: it knows the values alone.
#[tokio::test]
async fn a_text_is_kept_until_their_layer_changes_a_value() {
    let memory = MemoryStore::default();
    let store = TowerSessionsStore::new(memory.clone());
    let cookie = r#""cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#;
    let text = format!(r#"{{"z":1.0,{cookie},"a":12345678901234567890123,"e":"\u0041"}}"#);
    store.set("a", &session(&text)).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().to_json(), text);

    let mut record = memory.load(&id_of("a")).await.unwrap().unwrap();
    assert_eq!((&record.data["z"], &record.data["e"]), (&1.0.into(), &"A".into()));
    record.data.insert("user".to_owned(), "ann".into());
    memory.save(&record).await.unwrap();
    let kept = r#"{"cookie":{"expires":null,"httpOnly":true,"originalMaxAge":null,"path":"/"},"a":1.2345678901234568e+22,"e":"A","user":"ann","z":1.0}"#;
    let found = store.get("a").await.unwrap().unwrap().to_json().into_owned();
    let values = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    // Their order depends on a feature of serde_json, which any other crate may ask for.
    assert_eq!(values(&found), values(kept));
    assert!(
        found.contains(r#""a":1.2345678901234568e+22"#) && found.contains(r#""z":1.0"#),
        "{found}"
    );

    for beyond_values in [r#"{"a":"\ud800"}"#, r#"{"a":1e400}"#] {
        store.set("b", &session(beyond_values)).await.unwrap();
        let found = store.get("b").await.unwrap().unwrap();
        assert!(found.to_json().contains(beyond_values.trim_matches(['{', '}'])), "{found:?}");
    }
    let error = store.set("c", &session(r#"{"cloakroomText":1}"#)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[tokio::test]
async fn errors_have_a_kind_and_show_nothing_of_the_store() {
    let kinds: [(Fails, ErrorKind, bool); 3] = [
        (|| Error::Encode("a secret".into()), ErrorKind::InvalidData, false),
        (|| Error::Decode("a secret".into()), ErrorKind::Corrupt, false),
        (|| Error::Backend("a secret".into()), ErrorKind::Unavailable, true),
    ];
    for (fails, kind, is_unknown) in kinds {
        let theirs = SavesWhatExists::default();
        *theirs.fails.lock().unwrap() = Some(fails);
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let errors = Arc::clone(&told);
        let store = TowerSessionsStore::new(theirs)
            .with_on_error(move |error| errors.lock().unwrap().push(error.to_string()));
        let read = store.get("a").await.unwrap_err();
        let written = store.set("a", &SessionData::new()).await.unwrap_err();
        for error in [&read, &written] {
            assert_eq!(error.kind(), kind);
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        assert_eq!((read.outcome_unknown(), written.outcome_unknown()), (false, is_unknown));
        let told = told.lock().unwrap();
        assert!(told.len() == 2 && told.iter().all(|text| text.contains("a secret")), "{told:?}");
    }
}

#[tokio::test]
async fn a_store_that_never_answers_is_a_timeout() {
    let theirs = SavesWhatExists { hangs: true, ..SavesWhatExists::default() };
    let store = TowerSessionsStore::new(theirs).with_deadline(Duration::from_millis(20));
    assert_eq!(store.get("a").await.unwrap_err().kind(), ErrorKind::Timeout);
    let error = store.set("a", &SessionData::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, true));
    assert_eq!(store.touch("a", &SessionData::new()).await.unwrap(), Touched::NotOffered);
}
