//! The stores that are compared.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use cloakroom::{MemoryOptions, MemoryStore, SessionData, Store, Touched};
use dashmap::DashMap;
use futures::executor::block_on;
use moka::{Expiry, sync::Cache};
use time::OffsetDateTime;
use tower_sessions_core::{
    SessionStore,
    session::{Id, Record},
};

/// In 2027.
pub(crate) const NOW: i64 = 1_800_000_000_000;

pub(crate) const CLOAKROOM: &str = "cloakroom, MemoryStore";
const DASHMAP: &str = "dashmap, without expiry";
const MUTEX: &str = "Mutex<HashMap>, without expiry";
const MOKA: &str = "moka, with expiry";
const TOWER: &str = "tower-sessions, MemoryStore";

pub(crate) const BASE: &str = DASHMAP;

pub(crate) const SUBJECTS: [&str; 5] = [CLOAKROOM, DASHMAP, MUTEX, MOKA, TOWER];

/// Many sessions, by their numbers.
pub(crate) trait Sessions: Sync {
    fn set(&self, at: usize);
    /// Whether it is there; the record is handed out.
    fn get(&self, at: usize) -> bool;
    /// Extends it, and returns whether it is there.
    fn touch(&self, at: usize) -> bool;
    /// Ends what is done later, if the store does so.
    fn settle(&self) {}
}

/// As long as an id of express-session, and without order.
pub(crate) fn key(at: usize) -> String {
    format!("{:032x}", mixed(at))
}

fn mixed(at: usize) -> u128 {
    (at as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

pub(crate) fn open(name: &str, number: usize, text: &str) -> Box<dyn Sessions> {
    let text: Arc<str> = text.into();
    match name {
        CLOAKROOM => Box::new(OurStore {
            store: MemoryStore::with_options(
                MemoryOptions::default().with_max_sessions(number * 2),
            ),
            session: SessionData::from_json(&*text).expect("it is a session"),
        }),
        DASHMAP => Box::new(Dash { map: DashMap::new(), text }),
        MUTEX => Box::new(Locked { map: Mutex::default(), text }),
        MOKA => Box::new(Moka { cache: Cache::builder().expire_after(AfterAnHour).build(), text }),
        TOWER => Box::new(Tower::new(&text)),
        _ => panic!("unknown subject {name:?}"),
    }
}

struct OurStore {
    store: MemoryStore,
    session: SessionData,
}

impl Sessions for OurStore {
    fn set(&self, at: usize) {
        block_on(self.store.set(&key(at), &self.session)).expect("there is space");
    }
    fn get(&self, at: usize) -> bool {
        block_on(self.store.get(&key(at))).expect("it answers").is_some()
    }
    fn touch(&self, at: usize) -> bool {
        let touched = block_on(self.store.touch(&key(at), &self.session));
        touched.expect("it answers") == Touched::Extended
    }
}

/// When a session ends, and its record.
#[derive(Clone)]
struct Entry {
    ends: Instant,
    text: Arc<str>,
}

impl Entry {
    /// With a copy of the record: each session has its own.
    fn new(text: &str) -> Self {
        Self { ends: in_an_hour(), text: text.into() }
    }
}

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

struct Dash {
    map: DashMap<String, Entry>,
    text: Arc<str>,
}

impl Sessions for Dash {
    fn set(&self, at: usize) {
        self.map.insert(key(at), Entry::new(&self.text));
    }
    fn get(&self, at: usize) -> bool {
        let found = self.map.get(&key(at)).filter(|entry| entry.ends > Instant::now());
        found.map(|entry| Arc::clone(&entry.text)).is_some()
    }
    fn touch(&self, at: usize) -> bool {
        self.map.get_mut(&key(at)).map(|mut entry| entry.ends = in_an_hour()).is_some()
    }
}

struct Locked {
    map: Mutex<HashMap<String, Entry>>,
    text: Arc<str>,
}

impl Sessions for Locked {
    fn set(&self, at: usize) {
        self.map.lock().expect("nobody panics").insert(key(at), Entry::new(&self.text));
    }
    fn get(&self, at: usize) -> bool {
        let key = key(at);
        let map = self.map.lock().expect("nobody panics");
        let found = map.get(&key).filter(|entry| entry.ends > Instant::now());
        found.map(|entry| Arc::clone(&entry.text)).is_some()
    }
    fn touch(&self, at: usize) -> bool {
        let key = key(at);
        let mut map = self.map.lock().expect("nobody panics");
        map.get_mut(&key).map(|entry| entry.ends = in_an_hour()).is_some()
    }
}

struct AfterAnHour;

impl Expiry<String, Arc<str>> for AfterAnHour {
    fn expire_after_create(&self, _: &String, _: &Arc<str>, _: Instant) -> Option<Duration> {
        Some(Duration::from_secs(3_600))
    }
    fn expire_after_update(
        &self,
        _: &String,
        _: &Arc<str>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(Duration::from_secs(3_600))
    }
}

struct Moka {
    cache: Cache<String, Arc<str>>,
    text: Arc<str>,
}

impl Sessions for Moka {
    fn set(&self, at: usize) {
        self.cache.insert(key(at), Arc::from(&*self.text));
    }
    fn get(&self, at: usize) -> bool {
        self.cache.get(&key(at)).is_some()
    }
    /// It has no way to extend an entry but to insert it again.
    fn touch(&self, at: usize) -> bool {
        let key = key(at);
        let found = self.cache.get(&key);
        found.map(|text| self.cache.insert(key, text)).is_some()
    }
    fn settle(&self) {
        self.cache.run_pending_tasks();
    }
}

struct Tower {
    store: tower_sessions_memory_store::MemoryStore,
    data: HashMap<String, serde_json::Value>,
}

impl Tower {
    fn new(text: &str) -> Self {
        let data = serde_json::from_str(text).expect("it is an object");
        Self { store: Default::default(), data }
    }

    fn record(&self, at: usize) -> Record {
        let expiry_date = OffsetDateTime::now_utc() + time::Duration::hours(1);
        Record { id: id(at), data: self.data.clone(), expiry_date }
    }
}

fn id(at: usize) -> Id {
    Id(i128::from_ne_bytes(mixed(at).to_ne_bytes()))
}

impl Sessions for Tower {
    fn set(&self, at: usize) {
        block_on(self.store.create(&mut self.record(at))).expect("it stores");
    }
    fn get(&self, at: usize) -> bool {
        block_on(self.store.load(&id(at))).expect("it answers").is_some()
    }
    /// It extends a session by storing it again.
    fn touch(&self, at: usize) -> bool {
        let Some(mut record) = block_on(self.store.load(&id(at))).expect("it answers") else {
            return false;
        };
        record.expiry_date = OffsetDateTime::now_utc() + time::Duration::hours(1);
        block_on(self.store.save(&record)).is_ok()
    }
}
