//! More and more tasks that change one session.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use cloakroom::{ExpressSession, SessionData};
use cloakroom_bench::{
    Options, Sample, documents,
    tasks::{self, Task},
};

use crate::backend::{Backend, sessions, with_cost};

const TABLE: &str = "Redis, one session that many tasks change";
const WORK: &str = "modify";
const BASE: &str = "64 tasks, 64 sessions";

/// (what, tasks, sessions)
const CASES: [(&str, usize, usize); 5] = [
    (BASE, 64, 64),
    ("1 task, one session", 1, 1),
    ("8 tasks, one session", 8, 1),
    ("64 tasks, one session", 64, 1),
    ("128 tasks, one session", 128, 1),
];

pub(crate) async fn measure(backend: &Backend, options: Options) {
    let sessions = sessions(backend.store.clone());
    for round in 0..options.rounds {
        for (subject, tasks, number) in CASES {
            sample(&sessions, backend, (subject, tasks, number), round, options).await.print();
        }
    }
}

async fn sample(
    sessions: &ExpressSession,
    backend: &Backend,
    (subject, tasks, number): (&str, usize, usize),
    round: u32,
    options: Options,
) -> Sample {
    let text = documents::session(500, "2099-01-01T00:00:00.000Z");
    let session = SessionData::from_json(text).expect("it is a session");
    for sid in 0..number {
        sessions.set(&sid.to_string(), &session).await.expect("Redis stores");
    }
    let (tries, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let cost = tasks::run(tasks, options.time(), backend.server.id(), |mut task: Task| {
        let (sessions, tries, done) = (sessions.clone(), Arc::clone(&tries), Arc::clone(&done));
        let sid = (task.number() % number).to_string();
        async move {
            while task.next().is_some() {
                let changed = sessions.modify(&sid, |session| {
                    tries.fetch_add(1, Relaxed);
                    let views: u64 = session.get("views")?.unwrap_or_default();
                    session.insert("views", views + 1)
                });
                assert!(changed.await.expect("no change fails").is_some());
                done.fetch_add(1, Relaxed);
            }
        }
    });
    let cost = cost.await;
    let mut views = 0;
    for sid in 0..number {
        let session = sessions.get(&sid.to_string()).await.expect("Redis answers");
        let session = session.expect("it is there");
        views += session.get::<u64>("views").expect("it is a number").unwrap_or_default() - 1;
    }
    let done = done.load(Relaxed);
    assert_eq!(views, done, "{subject}: a change was lost");
    with_cost(Sample::new(TABLE, WORK, subject, BASE, round), cost)
        .with("tries per change", tries.load(Relaxed) as f64 / done as f64)
}
