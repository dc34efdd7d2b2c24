//! Reports: their shape, and that nothing a store does keeps one from being made.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_conformance::{CASES, Options, Outcome, Report, StoreUnderTest, run_with};
use cloakroom_core::{
    Atomic, Clock, Enumerate, Error, MemoryOptions, MemoryStore, SessionData, Store, Touched,
};
use futures::executor::block_on;
use serde_json::json;

#[derive(Clone, Copy)]
enum Destroy {
    Panics,
    NeverEnds,
    Blocks,
}

struct Hostile {
    inner: MemoryStore,
    destroy: Destroy,
}

#[async_trait]
impl Store for Hostile {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.inner.get(sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.inner.set(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        match self.destroy {
            Destroy::Panics if sid == "missing" => panic!("there is no {sid}"),
            Destroy::NeverEnds if sid == "missing" => pending().await,
            Destroy::Blocks if sid == "missing" => {
                thread::sleep(Duration::from_secs(3_600));
                Ok(())
            }
            _ => self.inner.destroy(sid).await,
        }
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.inner.touch(sid, session).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The report of such a store, and how many guards of its subjects were not dropped.
fn report(destroy: Destroy) -> (Report, usize) {
    let mut options = Options::default();
    options.time_limit = Duration::from_secs(3);
    let guards = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&guards);
    let report = block_on(run_with(options, move || {
        let counter = Arc::clone(&counter);
        async move {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut options = MemoryOptions::default();
            options.clock = Clock::fixed(1_700_000_000_000);
            let clock = options.clock.clone();
            let inner = MemoryStore::with_options(options);
            StoreUnderTest::new(Hostile { inner, destroy })
                .with_clock(clock)
                .add_guard(Counted(counter))
        }
    }));
    (report, guards.load(Ordering::SeqCst))
}

fn fails_alone(report: &Report, words: &str) {
    assert_eq!(report.cases.len(), CASES.len());
    let failed: Vec<_> = report.with_outcome(Outcome::Failed).collect();
    assert_eq!(failed.len(), 1, "{report}");
    assert_eq!(failed[0].name, "destroy_missing_is_no_error");
    assert!(failed[0].reason.as_deref().unwrap().contains(words), "{:?}", failed[0].reason);
}

#[test]
fn a_panic_fails_its_case_and_the_guard_is_dropped() {
    let (report, guards) = report(Destroy::Panics);
    fails_alone(&report, "panicked: there is no missing");
    assert_eq!(guards, 0);
}

#[test]
fn a_hanging_case_is_given_up_and_the_guard_is_dropped() {
    let (report, guards) = report(Destroy::NeverEnds);
    fails_alone(&report, "did not end within 3s");
    assert_eq!(guards, 0);
}

#[test]
fn a_blocked_thread_is_left_behind() {
    let (report, guards) = report(Destroy::Blocks);
    fails_alone(&report, "did not end within 3s");
    assert_eq!(guards, 1);
}

#[test]
fn a_subject_that_panics_fails_every_case() {
    async fn no_subject() -> StoreUnderTest {
        panic!("no server")
    }
    let report = block_on(run_with(Options::default(), no_subject));
    assert_eq!(report.with_outcome(Outcome::Failed).count(), CASES.len());
    assert!(report.cases.iter().all(|case| case.reason.as_deref() == Some("panicked: no server")));
}

#[test]
fn it_prints_a_table_and_a_count_and_serialises_with_these_names() {
    let (report, _) = report(Destroy::Panics);
    let text = report.to_string();
    let line = |words: &str| text.lines().find(|line| line.contains(words)).unwrap();
    assert_eq!(line("  set_creates"), "passed       set               set_creates");
    assert_eq!(line("create_stores"), "not offered  create            create_stores: atomic");
    let not_offered = report.with_outcome(Outcome::NotOffered).count();
    assert_eq!(
        text.lines().last(),
        Some(&*format!(
            "{} cases: {} passed, 1 failed, {not_offered} not offered",
            CASES.len(),
            CASES.len() - 1 - not_offered
        ))
    );

    let json = serde_json::to_value(&report).unwrap();
    let named = |name: &str| {
        json["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap()
    };
    assert_eq!(json.as_object().unwrap().len(), 1);
    assert_eq!(
        *named("destroy_missing_is_no_error"),
        json!({
            "name": "destroy_missing_is_no_error",
            "group": "destroy",
            "promise": "A session that does not exist is not an error.",
            "outcome": "failed",
            "reason": "panicked: there is no missing",
        })
    );
    assert_eq!(named("set_creates")["outcome"], "passed");
    assert_eq!(named("set_creates")["reason"], json!(null));
    assert_eq!(named("create_stores")["outcome"], "not_offered");
    assert_eq!(named("create_stores")["reason"], "atomic");
}
