//! A task that calls a store at random, and writes down what it asks and what it is told.

use std::{future::Future, sync::Arc, time::Duration};

use cloakroom::{
    Created, Error, ExpressSession, Secrets, SessionData, Touched, Updated,
    tower::{RequestHead, SessionEngine, SessionOptions},
};
use fastrand::Rng;

use crate::{
    history::{Answer, Call, Content, Outcome},
    plan::{Pick, Plan},
};

/// Takes down what a task does.
pub trait Sink: Send + Sync {
    /// A call begins. Returns its number.
    fn begin(&self, sid: &str, start_us: u64, call: &Call) -> usize;
    /// The call with this number has ended.
    fn end(&self, number: usize, end_us: u64, late_us: u64, outcome: Outcome);
}

/// The time, and how late the machine is.
pub trait Time: Send + Sync {
    /// The time in microseconds.
    fn now_us(&self) -> u64;
    /// How late the machine was at most since then, in microseconds.
    fn late_us(&self, since_us: u64) -> u64;
}

/// One task of a process.
pub struct Worker {
    sessions: ExpressSession,
    engine: SessionEngine,
    secrets: Secrets,
    plan: Plan,
    /// The beginning of its tokens.
    name: String,
    count: usize,
    random: Rng,
    sink: Arc<dyn Sink>,
    time: Arc<dyn Time>,
    /// Blind writes and dropped futures are part of it.
    is_rough: bool,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A write, or what it is done with, that this task has not been told the answer of.
const DROPPED: &str = "dropped";

impl Worker {
    /// A task of this name, which no other task of the run has.
    ///
    /// # Errors
    ///
    /// If the layer cannot be built.
    pub fn new(
        sessions: ExpressSession,
        plan: Plan,
        name: String,
        sink: Arc<dyn Sink>,
        time: Arc<dyn Time>,
    ) -> Result<Self, Error> {
        let secrets = Secrets::new(["keyboard cat"])?;
        let mut options = SessionOptions::new();
        options.failure.deadline = Some(Duration::from_millis(plan.deadline_ms));
        let engine = options.engine(sessions.clone(), secrets.clone())?;
        let salt = name
            .bytes()
            .fold(plan.seed, |salt, byte| salt.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
        let random = Rng::with_seed(salt);
        Ok(Self {
            sessions,
            engine,
            secrets,
            plan,
            name,
            count: 0,
            random,
            sink,
            time,
            is_rough: true,
        })
    }

    /// The same task without dropped futures.
    #[must_use]
    pub fn without_drops(mut self) -> Self {
        self.is_rough = false;
        self
    }

    /// Calls the store until the run is over.
    pub async fn run(mut self) {
        while self.time.now_us() < self.plan.end_us {
            self.step().await;
            let pause_us = self.random.u64(..self.plan.pause_us.max(1) * 2);
            tokio::time::sleep(Duration::from_micros(pause_us)).await;
        }
    }

    /// Makes one random call, or an `update` with the read before it.
    pub async fn step(&mut self) {
        let Pick { sid, is_shared } = self.plan.sid(&mut self.random, self.time.now_us());
        match self.random.u8(..100) {
            0..18 => drop(self.get(&sid).await),
            18..24 => self.get_and_touch(&sid).await,
            24..30 => self.touch(&sid).await,
            30..52 => self.modify(&sid).await,
            52..62 => self.update(&sid).await,
            62..76 => self.create(&sid).await,
            76..81 => self.destroy(&sid).await,
            81..86 if is_shared => self.set(&sid).await,
            86..98 => self.request(&sid).await,
            98.. => self.log_out(&sid).await,
            _ => self.modify(&sid).await,
        }
    }

    fn token(&mut self) -> String {
        self.count += 1;
        format!("{}x{}", self.name, self.count)
    }

    /// A session with this token, which lives longer than the run.
    fn with_token(token: &str) -> Result<SessionData, Error> {
        let mut session = SessionData::new();
        session.insert(token, 1)?;
        Ok(session)
    }

    /// Writes down a call. One call in 50 is dropped after a short time.
    async fn call<T>(
        &mut self,
        sid: &str,
        call: Call,
        work: impl Future<Output = Result<T, Error>>,
        answer: impl FnOnce(&T) -> Answer,
    ) -> Option<T> {
        let start_us = self.time.now_us();
        let number = self.sink.begin(sid, start_us, &call);
        let patience = Duration::from_micros(self.random.u64(..5_000));
        let result = if self.is_rough && self.random.u8(..50) == 0 {
            tokio::time::timeout(patience, work).await.ok()
        } else {
            Some(work.await)
        };
        // What a read found is not unknown, even if it extends the session.
        let is_read = matches!(call, Call::Read);
        let (outcome, value) = match result {
            None => (Outcome::Unknown(DROPPED.to_owned()), None),
            Some(Ok(value)) => (Outcome::Ok(answer(&value)), Some(value)),
            Some(Err(error)) => {
                let why = format!("{:?}: {error}", error.kind());
                let is_unknown = error.outcome_unknown() && !is_read;
                (if is_unknown { Outcome::Unknown(why) } else { Outcome::Failed(why) }, None)
            }
        };
        self.sink.end(number, self.time.now_us() + 1, self.time.late_us(start_us), outcome);
        value
    }

    async fn get(&mut self, sid: &str) -> Option<SessionData> {
        let sessions = self.sessions.clone();
        let found = |found: &Option<SessionData>| Answer::Found(found.as_ref().map(content_of));
        self.call(sid, Call::Read, sessions.get(sid), found).await.flatten()
    }

    async fn get_and_touch(&mut self, sid: &str) {
        let sessions = self.sessions.clone();
        let found = |found: &Option<SessionData>| Answer::Found(found.as_ref().map(content_of));
        self.call(sid, Call::Read, sessions.get_and_touch(sid, None), found).await;
    }

    async fn touch(&mut self, sid: &str) {
        let sessions = self.sessions.clone();
        let session = SessionData::new();
        let told = |touched: &Touched| match touched {
            Touched::Extended => Answer::Exists,
            Touched::Missing => Answer::Missing,
            _ => Answer::Nothing,
        };
        self.call(sid, Call::Touch, sessions.touch(sid, &session), told).await;
    }

    async fn modify(&mut self, sid: &str) {
        let (sessions, token) = (self.sessions.clone(), self.token());
        let work = sessions.modify(sid, |session| session.insert(&token, 1));
        let told = |stored: &Option<SessionData>| match stored {
            Some(session) => Answer::Modified(Some(content_of(session))),
            None => Answer::Missing,
        };
        self.call(sid, Call::Modify(token.clone()), work, told).await;
    }

    async fn update(&mut self, sid: &str) {
        let Some(mut session) = self.get(sid).await else { return };
        let (sessions, token) = (self.sessions.clone(), self.token());
        let read = content_of(&session);
        if session.insert(&token, 1).is_err() {
            return;
        }
        let call = Call::Update { read, content: content_of(&session) };
        let told = |updated: &Updated| match updated {
            Updated::Stored(_) => Answer::Done,
            Updated::Conflict(current) => Answer::Conflict(content_of(current)),
            Updated::Gone => Answer::Missing,
        };
        self.call(sid, call, sessions.update(sid, &session), told).await;
    }

    async fn create(&mut self, sid: &str) {
        let (sessions, token) = (self.sessions.clone(), self.token());
        let Ok(session) = Self::with_token(&token) else { return };
        let told = |created: &Created| match created {
            Created::Stored(_) => Answer::Done,
            Created::Exists => Answer::Exists,
        };
        self.call(sid, Call::Create(token), sessions.create(sid, &session), told).await;
    }

    async fn set(&mut self, sid: &str) {
        let (sessions, token) = (self.sessions.clone(), self.token());
        let Ok(session) = Self::with_token(&token) else { return };
        let call = Call::Set { content: token, repeats: false };
        self.call(sid, call, sessions.set(sid, &session), |()| Answer::Done).await;
    }

    async fn destroy(&mut self, sid: &str) {
        let sessions = self.sessions.clone();
        self.call(sid, Call::Destroy, sessions.destroy(sid), |()| Answer::Done).await;
    }

    /// A request through the layer that adds a member.
    async fn request(&mut self, sid: &str) {
        let (engine, token) = (self.engine.clone(), self.token());
        let head = self.head(sid);
        let work = async {
            let request = RequestHead::from(&head);
            let Some(session) = engine.load(request).await? else { return Ok(None) };
            if session.is_new() {
                return Ok(Some(false));
            }
            session.insert(&token, 1)?;
            session.save().await.map(Some)
        };
        let told = |is_stored: &Option<bool>| match is_stored {
            Some(true) => Answer::Modified(None),
            Some(false) => Answer::Missing,
            None => Answer::Nothing,
        };
        self.call(sid, Call::Modify(token.clone()), work, told).await;
    }

    /// A request through the layer that logs out.
    async fn log_out(&mut self, sid: &str) {
        let engine = self.engine.clone();
        let head = self.head(sid);
        let work = async {
            let request = RequestHead::from(&head);
            let Some(session) = engine.load(request).await? else { return Ok(None) };
            if session.is_new() {
                return Ok(Some(false));
            }
            session.destroy().await?;
            engine.commit(&session).await?;
            Ok(Some(true))
        };
        let told = |is_done: &Option<bool>| match is_done {
            Some(true) => Answer::Done,
            Some(false) => Answer::Missing,
            None => Answer::Nothing,
        };
        self.call(sid, Call::Destroy, work, told).await;
    }

    fn head(&self, sid: &str) -> http::Request<()> {
        let cookie = format!("connect.sid={}", self.secrets.cookie_value(sid));
        http::Request::get("/").header("cookie", cookie).body(()).expect("an id is header text")
    }
}

/// The names of the members but the cookie.
#[must_use]
pub fn content_of(session: &SessionData) -> Content {
    let members = session.iter();
    members.map(|member| member.name().to_owned()).collect::<Vec<_>>().join(" ")
}
