//! A store of texts in memory, into which another program can write.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, FindBy, Listed, Revision, SessionData,
    Store, TimeToLive, Touched, Updated,
};
use futures::stream::{self, BoxStream, StreamExt};

const DAY_MS: i64 = 86_400_000;

#[derive(Clone)]
pub(crate) struct TextStore(Arc<Shared>);

struct Shared {
    records: Mutex<Records>,
    clock: Clock,
}

#[derive(Default)]
struct Records {
    by_id: HashMap<String, Record>,
    revision: u64,
}

#[derive(Clone)]
struct Record {
    text: String,
    ends_ms: i64,
    revision: u64,
}

impl Record {
    fn read(&self, operation: &'static str) -> Result<Option<SessionData>, Error> {
        let read = SessionData::from_record(self.text.clone().into_bytes());
        read.map(|found| {
            found.map(|session| session.with_revision(Revision::from_number(self.revision)))
        })
        .map_err(|error| error.with_context("memory", operation))
    }
}

impl Records {
    fn put(&mut self, sid: &str, text: String, ends_ms: i64) -> Revision {
        self.revision += 1;
        let record = Record { text, ends_ms, revision: self.revision };
        self.by_id.insert(sid.to_owned(), record);
        Revision::from_number(self.revision)
    }
}

impl TextStore {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared { records: Mutex::default(), clock }))
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.records.lock().unwrap()
    }

    fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// Writes as another program does.
    pub(crate) fn plant(&self, sid: &str, text: &str) {
        let ends_ms = self.now_ms() + DAY_MS;
        self.records().put(sid, text.to_owned(), ends_ms);
    }

    /// Writes a record without an end.
    pub(crate) fn plant_endless(&self, sid: &str, text: &str) {
        self.records().put(sid, text.to_owned(), i64::MAX);
    }

    /// What is kept under the id, expired or not.
    pub(crate) fn text(&self, sid: &str) -> Option<String> {
        self.records().by_id.get(sid).map(|record| record.text.clone())
    }

    pub(crate) fn left(&self, sid: &str) -> Option<Duration> {
        self.left_of(self.records().by_id.get(sid)?)
    }

    fn left_of(&self, record: &Record) -> Option<Duration> {
        let left_ms = u64::try_from(record.ends_ms.saturating_sub(self.now_ms())).ok()?;
        (record.ends_ms < i64::MAX).then(|| Duration::from_millis(left_ms))
    }

    /// Ends the session, and keeps its record.
    pub(crate) fn end(&self, sid: &str) {
        if let Some(record) = self.records().by_id.get_mut(sid) {
            record.ends_ms = i64::MIN;
        }
    }

    fn live(&self, records: &Records, sid: &str) -> Option<Record> {
        records.by_id.get(sid).filter(|record| record.ends_ms > self.now_ms()).cloned()
    }

    fn ends_ms(&self, session: &SessionData) -> Option<i64> {
        let now_ms = self.now_ms();
        match session.time_to_live(now_ms) {
            TimeToLive::Seconds(seconds) => {
                Some(now_ms.saturating_add(i64::try_from(seconds).unwrap().saturating_mul(1_000)))
            }
            TimeToLive::Browser => Some(now_ms + DAY_MS),
            TimeToLive::Expired => None,
        }
    }

    fn write(&self, records: &mut Records, sid: &str, session: &SessionData) -> Revision {
        match self.ends_ms(session) {
            Some(ends_ms) => records.put(sid, session.to_json().into_owned(), ends_ms),
            None => {
                records.by_id.remove(sid);
                Revision::from_number(0)
            }
        }
    }
}

fn is_valid(sid: &str, operation: &'static str) -> Result<(), Error> {
    match sid {
        "" => Err(Error::new(
            ErrorKind::InvalidId,
            "memory",
            operation,
            "invalid id: must not be empty",
        )),
        _ => Ok(()),
    }
}

#[async_trait]
impl Store for TextStore {
    fn name(&self) -> &str {
        "memory"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        is_valid(sid, "get")?;
        let found = self.live(&self.records(), sid);
        found.map_or(Ok(None), |record| record.read("get"))
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        is_valid(sid, "set")?;
        self.write(&mut self.records(), sid, session);
        Ok(())
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        is_valid(sid, "destroy")?;
        self.records().by_id.remove(sid);
        Ok(())
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        is_valid(sid, "touch")?;
        let mut records = self.records();
        if self.live(&records, sid).is_none() {
            return Ok(Touched::Missing);
        }
        let ends_ms = self.ends_ms(session);
        let Some((ends_ms, record)) = ends_ms.zip(records.by_id.get_mut(sid)) else {
            records.by_id.remove(sid);
            return Ok(Touched::Missing);
        };
        record.ends_ms = ends_ms;
        Ok(Touched::Extended)
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

#[async_trait]
impl Atomic for TextStore {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        is_valid(sid, "create")?;
        let mut records = self.records();
        if self.live(&records, sid).is_some() {
            return Ok(Created::Exists);
        }
        Ok(Created::Stored(self.write(&mut records, sid, session)))
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        is_valid(sid, "update")?;
        let Some(read_at) = session.revision().and_then(Revision::as_number) else {
            return Err(Error::new(ErrorKind::InvalidData, "memory", "update", "was not read"));
        };
        let mut records = self.records();
        let Some(record) = self.live(&records, sid) else { return Ok(Updated::Gone) };
        if record.revision != read_at {
            return Ok(record.read("update")?.map_or(Updated::Gone, Updated::Conflict));
        }
        Ok(Updated::Stored(self.write(&mut records, sid, session)))
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        is_valid(sid, "get_and_touch")?;
        if ttl == Some(Duration::ZERO) {
            let message = "invalid ttl: must be above zero";
            return Err(Error::new(ErrorKind::InvalidData, "memory", "get_and_touch", message));
        }
        let mut records = self.records();
        let Some(record) = self.live(&records, sid) else { return Ok(None) };
        let read = record.read("get_and_touch")?;
        let ms = ttl.map_or(DAY_MS, |ttl| {
            i64::try_from(ttl.as_millis().div_ceil(1_000) * 1_000).unwrap_or(i64::MAX)
        });
        if let (Some(_), Some(record)) = (&read, records.by_id.get_mut(sid)) {
            record.ends_ms = self.now_ms().saturating_add(ms);
        }
        Ok(read)
    }
}

#[async_trait]
impl Enumerate for TextStore {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.all().map(|item| item.map(|listed| listed.id)).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        let records = self.records();
        let live = records.by_id.iter().filter(|(_, record)| record.ends_ms > self.now_ms());
        let items: Vec<_> = live
            .filter_map(|(sid, record)| {
                let listed = |session| Listed::new(sid, session, self.left_of(record));
                record.read("all").map(|found| found.map(listed)).transpose()
            })
            .collect();
        stream::iter(items).boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        Ok(self.all().count().await as u64)
    }

    async fn clear(&self) -> Result<(), Error> {
        self.records().by_id.clear();
        Ok(())
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}
