//! A memory store that takes its time, and breaks a promise now and then.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom::{
    Atomic, Created, Enumerate, Error, ErrorKind, MemoryStore, SessionData, Store, Touched, Updated,
};
use tokio::time::{Instant, sleep};

use crate::simulation::{DEADLINE, RUN};

/// The promise that is broken: each time that so many calls were made which could break it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// None: the answers of some writes are lost, which their callers are told.
    LosesAnswers(usize),
    LosesWrites(usize),
    Revives(usize),
    AnswersLate(usize),
    NeverAnswers(usize),
    ReadsThePast(usize),
    DoesWhatItRefuses(usize),
}

#[derive(Clone)]
pub(crate) struct Broken {
    inner: MemoryStore,
    how: How,
    state: Arc<Mutex<State>>,
}

struct State {
    random: fastrand::Rng,
    /// How many calls could have broken the promise.
    chances: usize,
    harmed: BTreeSet<String>,
    /// What each session was before its last change, and when that was.
    past: HashMap<String, (Option<SessionData>, Instant)>,
}

impl Broken {
    pub(crate) fn new(how: How) -> Self {
        let state = State {
            random: fastrand::Rng::with_seed(3),
            chances: 0,
            harmed: BTreeSet::new(),
            past: HashMap::new(),
        };
        Self { inner: MemoryStore::new(), how, state: Arc::new(Mutex::new(state)) }
    }

    /// The sessions to which something was done.
    pub(crate) fn harmed(&self) -> BTreeSet<String> {
        self.state.lock().unwrap().harmed.clone()
    }

    /// A part of a round trip.
    async fn travel(&self) {
        let us = self.state.lock().unwrap().random.u64(..3_000);
        sleep(Duration::from_micros(us)).await;
    }

    /// Whether this is the chance to take.
    fn is_due(&self, sid: &str, every: usize) -> bool {
        // The layer looks for a marker before it destroys a session, which then would be late under another id.
        if !sid.starts_with(RUN) {
            return false;
        }
        let mut state = self.state.lock().unwrap();
        state.chances += 1;
        let is_due = state.chances.is_multiple_of(every);
        if is_due {
            state.harmed.insert(sid.to_owned());
        }
        is_due
    }

    async fn remember(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let before = self.inner.get(sid).await?;
        let past = (before.clone(), Instant::now());
        self.state.lock().unwrap().past.insert(sid.to_owned(), past);
        Ok(before)
    }

    /// Makes a write, and what is done to it. Nothing else runs between its steps but what `travel` lets in.
    async fn write<T>(
        &self,
        sid: &str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.travel().await;
        let before = self.remember(sid).await?;
        let answer = work.await?;
        let has_changed = self.inner.get(sid).await? != before;
        match self.how {
            How::LosesWrites(every)
                if has_changed && before.is_some() && self.is_due(sid, every) =>
            {
                self.put_back(sid, before).await?;
            }
            How::DoesWhatItRefuses(every) if has_changed && self.is_due(sid, every) => {
                return Err(Error::new(ErrorKind::Other, "broken", "write", "refused"));
            }
            // Both of a store that did it and of one that has yet to do it.
            How::LosesAnswers(every) if self.is_due(sid, every) => {
                let error = Error::new(ErrorKind::Timeout, "broken", "write", "no answer");
                return Err(error.with_outcome_unknown());
            }
            _ => {}
        }
        self.travel().await;
        Ok(answer)
    }

    async fn put_back(&self, sid: &str, before: Option<SessionData>) -> Result<(), Error> {
        match before {
            Some(before) => self.inner.set(sid, &before).await,
            None => self.inner.destroy(sid).await,
        }
    }

    /// A read, and what is done to it.
    async fn read(
        &self,
        sid: &str,
        work: impl Future<Output = Result<Option<SessionData>, Error>> + Send,
    ) -> Result<Option<SessionData>, Error> {
        self.travel().await;
        let found = work.await?;
        match self.how {
            How::AnswersLate(every) if self.is_due(sid, every) => {
                sleep(DEADLINE + Duration::from_secs(2)).await;
            }
            How::NeverAnswers(every) if self.is_due(sid, every) => std::future::pending().await,
            _ => {}
        }
        if let Some(past) = self.past(sid, found.as_ref()) {
            return Ok(Some(past));
        }
        self.travel().await;
        Ok(found)
    }

    /// What the session was before its last change, if that was long ago and this is the read to spoil.
    fn past(&self, sid: &str, found: Option<&SessionData>) -> Option<SessionData> {
        let How::ReadsThePast(every) = self.how else { return None };
        let mut state = self.state.lock().unwrap();
        let (past, at) = state.past.get(sid)?.clone();
        let (past, found) = (past?, found?);
        let has_grown =
            found.len() > past.len() && past.iter().all(|one| found.contains(one.name()));
        let is_long_ago = at.elapsed() > Duration::from_millis(20);
        if !has_grown || !is_long_ago {
            return None;
        }
        state.chances += 1;
        if !state.chances.is_multiple_of(every) {
            return None;
        }
        state.harmed.insert(sid.to_owned());
        Some(past)
    }
}

#[async_trait]
impl Store for Broken {
    fn name(&self) -> &str {
        "broken"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.read(sid, self.inner.get(sid)).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.write(sid, self.inner.set(sid, session)).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.travel().await;
        let before = self.remember(sid).await?;
        self.inner.destroy(sid).await?;
        if let (How::Revives(every), Some(before)) = (self.how, before)
            && self.is_due(sid, every)
        {
            let (inner, sid) = (self.inner.clone(), sid.to_owned());
            tokio::spawn(async move {
                sleep(Duration::from_millis(10)).await;
                inner.set(&sid, &before).await
            });
        }
        self.travel().await;
        Ok(())
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.travel().await;
        let touched = self.inner.touch(sid, session).await;
        self.travel().await;
        touched
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.inner.enumerate()
    }
}

#[async_trait]
impl Atomic for Broken {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let atomic = self.inner.atomic().unwrap();
        self.write(sid, atomic.create(sid, session)).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let atomic = self.inner.atomic().unwrap();
        self.write(sid, atomic.update(sid, session)).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let atomic = self.inner.atomic().unwrap();
        self.read(sid, atomic.get_and_touch(sid, ttl)).await
    }
}
