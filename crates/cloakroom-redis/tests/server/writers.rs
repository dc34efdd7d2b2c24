//! Writers that count what was acknowledged, while something happens to the servers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_core::{Error, ErrorKind, Store, Updated};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::Wait;
use futures::future::join_all;
use tokio::task::JoinHandle;

use crate::{atomic, session};

/// One writer for each session. Each writes a greater number with every update.
pub(crate) struct Writers {
    ends: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Told>>,
}

/// What the writers saw.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) acknowledged: u64,
    /// Acknowledged writes of which later reads know nothing.
    pub(crate) lost: u64,
    /// Answers that no order of what was sent explains.
    pub(crate) unexplained: Vec<String>,
    pub(crate) errors: Vec<String>,
    /// The longest time in which a writer wrote nothing.
    pub(crate) gap: Duration,
}

impl Writers {
    pub(crate) async fn start(store: &RedisStore, sids: &[String], padding: usize) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(0));
        let mut tasks = Vec::new();
        for sid in sids {
            let mut first = session();
            first.insert("n", 0).unwrap();
            first.insert("padding", "x".repeat(padding)).unwrap();
            store.set(sid, &first).await.unwrap();
            let writer = Writer {
                store: store.clone(),
                sid: sid.clone(),
                ends: Arc::clone(&ends),
                written: Arc::clone(&written),
                acknowledged: vec![0],
                unknown: Vec::new(),
                told: Told::default(),
            };
            tasks.push(tokio::spawn(writer.run()));
        }
        Self { ends, written, tasks }
    }

    /// Waits until so many further writes were acknowledged.
    pub(crate) async fn write(&self, count: u64) {
        let until = self.written.load(Ordering::SeqCst) + count;
        let wait = Wait::until("more writes are acknowledged");
        while self.written.load(Ordering::SeqCst) < until {
            wait.check();
            assert!(!self.tasks.iter().any(JoinHandle::is_finished), "a writer has panicked");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn end(self) -> Told {
        self.ends.store(true, Ordering::SeqCst);
        let mut all = Told::default();
        for told in join_all(self.tasks).await {
            let told = told.unwrap();
            all.acknowledged += told.acknowledged;
            all.lost += told.lost;
            all.unexplained.extend(told.unexplained);
            all.errors.extend(told.errors);
            all.gap = all.gap.max(told.gap);
        }
        all
    }
}

struct Writer {
    store: RedisStore,
    sid: String,
    ends: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    /// The numbers that were acknowledged and not lost.
    acknowledged: Vec<u64>,
    /// Those whose outcome is unknown.
    unknown: Vec<u64>,
    told: Told,
}

impl Writer {
    async fn run(mut self) -> Told {
        let mut number = 0;
        let mut since = Instant::now();
        while !self.ends.load(Ordering::SeqCst) {
            number += 1;
            match self.write(number).await {
                Ok(true) => {
                    self.told.acknowledged += 1;
                    self.written.fetch_add(1, Ordering::SeqCst);
                    self.acknowledged.push(number);
                    self.unknown.clear();
                    self.told.gap = self.told.gap.max(since.elapsed());
                    since = Instant::now();
                }
                Ok(false) => {}
                Err(error) => {
                    let known = [ErrorKind::Unavailable, ErrorKind::Timeout];
                    if !known.contains(&error.kind()) {
                        self.told.unexplained.push(error.to_string());
                    }
                    self.told.errors.push(error.to_string());
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
        // What was acknowledged last must be there.
        let wait = Wait::until("the last write can be read");
        while let Err(error) = self.read().await {
            wait.check();
            assert!(error.is_retryable(), "{error}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.told
    }

    /// Returns true if the number was written, and false if an earlier write got in between.
    async fn write(&mut self, number: u64) -> Result<bool, Error> {
        let Some(mut read) = self.read().await? else { return Ok(false) };
        read.insert("n", number).unwrap();
        match atomic(&self.store).update(&self.sid, &read).await {
            Ok(Updated::Stored(_)) => Ok(true),
            // A write whose outcome is unknown can happen late, and another server may have taken over since the read.
            Ok(Updated::Conflict(current)) if self.wrote(current.get("n").unwrap()) => Ok(false),
            Ok(other) => {
                self.told.unexplained.push(format!("{other:?}"));
                Ok(false)
            }
            Err(error) => {
                if error.outcome_unknown() {
                    self.unknown.push(number);
                }
                Err(error)
            }
        }
    }

    fn wrote(&self, number: Option<u64>) -> bool {
        number.is_some_and(|number| {
            self.acknowledged.contains(&number) || self.unknown.contains(&number)
        })
    }

    /// Reads the session, and compares it with what was acknowledged.
    async fn read(&mut self) -> Result<Option<cloakroom_core::SessionData>, Error> {
        let Some(read) = self.store.get(&self.sid).await? else {
            self.told.lost += self.acknowledged.len() as u64;
            self.acknowledged = vec![0];
            let mut first = session();
            first.insert("n", 0).unwrap();
            self.store.set(&self.sid, &first).await?;
            return Ok(None);
        };
        let number: u64 = read.get("n").unwrap().unwrap();
        let last = self.acknowledged.last().copied().unwrap_or_default();
        if number > last && !self.unknown.contains(&number) {
            self.told.unexplained.push(format!("{number} was never written after {last}"));
        }
        if number < last {
            self.told.lost += self.acknowledged.iter().filter(|it| **it > number).count() as u64;
            self.acknowledged.retain(|it| *it <= number);
        }
        if self.acknowledged.last() != Some(&number) {
            self.acknowledged.push(number);
        }
        Ok(Some(read))
    }
}
