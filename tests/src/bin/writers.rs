//! `writers`: tasks that change one session at once, in a process of their own. `tests/contention.rs` runs it.
//!
//! Each task adds one to the member `count`, again and again. It prints how often that was stored, how many tries that
//! took, how often it failed and why, the count at the end, and how long all of it and the slowest change took.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use cloakroom_compat::{ExpressSession, ExpressSessionOptions};
use cloakroom_core::{Error, SessionData, Store, Updated};
use cloakroom_test_backends::{Calls, Instead};
use cloakroom_tests::open::open;
use tokio::task::JoinSet;

const USAGE: &str = "usage: writers URL SID clones|handles TASKS TIMES DEADLINE_IN_SECONDS";

/// A store that counts the tries of a write.
struct Counted {
    store: Arc<dyn Store>,
    tries: Arc<AtomicUsize>,
}

#[async_trait]
impl Calls for Counted {
    fn behind(&self) -> &dyn Store {
        &*self.store
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.tries.fetch_add(1, Relaxed);
        self.atomic_behind()?.update(sid, session).await
    }
}

fn add_one(session: &mut SessionData) -> Result<(), Error> {
    let count = session.get::<usize>("count")?.unwrap_or_default();
    session.insert("count", count + 1)
}

/// What one task has seen.
#[derive(Default)]
struct Seen {
    stored: usize,
    errors: Vec<String>,
    slowest: Duration,
}

async fn write(sessions: ExpressSession, sid: String, times: usize) -> Seen {
    let mut seen = Seen::default();
    for _ in 0..times {
        let since = Instant::now();
        match sessions.modify(&sid, add_one).await {
            Ok(Some(_)) => seen.stored += 1,
            Ok(None) => seen.errors.push("the session is gone".to_owned()),
            Err(error) => seen.errors.push(error.to_string()),
        }
        seen.slowest = seen.slowest.max(since.elapsed());
    }
    seen
}

async fn run() -> Result<String, Box<dyn std::error::Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [url, sid, handles, tasks, times, deadline] = &*args else { return Err(USAGE.into()) };
    let (tasks, times): (usize, usize) = (tasks.parse()?, times.parse()?);
    let mut options = ExpressSessionOptions::default();
    options.deadline = Some(Duration::from_secs(deadline.parse()?));
    let tries = Arc::new(AtomicUsize::new(0));
    let handle = || -> Result<ExpressSession, Error> {
        let store = Counted { store: open(url)?, tries: Arc::clone(&tries) };
        Ok(ExpressSession::with_options(Instead(store), options.clone()))
    };
    let first = handle()?;
    first.create(sid, &SessionData::new()).await?;
    let mut writers = JoinSet::new();
    let since = Instant::now();
    for _ in 0..tasks {
        let sessions = if handles == "handles" { handle()? } else { first.clone() };
        writers.spawn(write(sessions, sid.clone(), times));
    }
    let mut all = Seen::default();
    while let Some(seen) = writers.join_next().await {
        let seen = seen?;
        all.stored += seen.stored;
        all.errors.extend(seen.errors);
        all.slowest = all.slowest.max(seen.slowest);
    }
    let took = since.elapsed();
    let session = first.get(sid).await?.ok_or("the session is gone")?;
    Ok(format!(
        "stored={} tries={} failed={} count={} ms={} slowest_ms={} error={:?}",
        all.stored,
        tries.load(Relaxed),
        all.errors.len(),
        session.get::<usize>("count")?.unwrap_or_default(),
        took.as_millis(),
        all.slowest.as_millis(),
        all.errors.first(),
    ))
}

#[tokio::main]
async fn main() -> ExitCode {
    let (line, code) = match run().await {
        Ok(line) => (line, ExitCode::SUCCESS),
        Err(error) => (format!("writers: {error}"), ExitCode::FAILURE),
    };
    // Nothing is left to be done where this fails.
    let _ = writeln!(io::stdout(), "{line}");
    code
}
