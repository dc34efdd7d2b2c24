//! Longer and longer records.

use cloakroom::{Atomic, SessionData, Store, Updated};
use cloakroom_bench::{
    Options, Sample, documents,
    tasks::{self, Task},
};
use redis::cmd;

use crate::backend::{Backend, with_cost};

/// Fewer than elsewhere, as each has a record of up to 2 MB in flight.
const TASKS: usize = 8;

pub(crate) async fn measure(backend: &Backend, options: Options) {
    for (table, bytes) in
        [("Redis, 20 KB", 20_480), ("Redis, 200 KB", 204_800), ("Redis, 2 MB", 2_097_152)]
    {
        let text = documents::session(bytes, "2099-01-01T00:00:00.000Z");
        let session = SessionData::from_json(&*text).expect("it is a session");
        for task in 0..TASKS {
            let sid = task.to_string();
            backend.store.set(&sid, &session).await.expect("Redis stores");
        }
        for round in 0..options.rounds {
            round_of(backend, table, &text, round, options).await;
        }
    }
}

async fn round_of(backend: &Backend, table: &str, text: &str, round: u32, options: Options) {
    let server = backend.server.id();
    let print = |work, subject, cost| {
        with_cost(Sample::new(table, work, subject, "redis", round), cost).print();
    };
    let (bare, store) = (&backend.bare, &backend.store);
    let bytes = text.len();
    let get = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let mut redis = bare.clone();
        async move {
            while task.next().is_some() {
                let mut get = cmd("GET");
                get.arg(format!("sess:{}", task.number()));
                let found: Vec<u8> = get.query_async(&mut redis).await.expect("Redis answers");
                assert_eq!(found.len(), bytes);
            }
        }
    });
    print("get", "redis", get.await);
    let get = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let store = store.clone();
        async move {
            while task.next().is_some() {
                let found = store.get(&task.number().to_string()).await.expect("Redis answers");
                assert_eq!(found.expect("it is there").loaded_json().len(), bytes);
            }
        }
    });
    print("get", "cloakroom", get.await);
    let set = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let (mut redis, text) = (bare.clone(), text.to_owned());
        async move {
            while task.next().is_some() {
                let mut set = cmd("SET");
                set.arg(format!("sess:{}", task.number())).arg(&text).arg("EX").arg(3_600);
                set.exec_async(&mut redis).await.expect("Redis answers");
            }
        }
    });
    // A write that compares nothing is what both of our writes are measured by.
    let set = set.await;
    print("set", "redis", set);
    print("update", "redis", set);
    let ours = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let store = store.clone();
        let session = SessionData::from_json(text).expect("it is a session");
        async move {
            while task.next().is_some() {
                let sid = task.number().to_string();
                store.set(&sid, &session).await.expect("Redis stores");
            }
        }
    });
    print("set", "cloakroom", ours.await);
    let ours = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let store = store.clone();
        async move {
            let sid = task.number().to_string();
            let read = store.get(&sid).await.expect("Redis answers");
            let mut session = read.expect("it is there");
            while task.next().is_some() {
                match store.update(&sid, &session).await.expect("Redis answers") {
                    Updated::Stored(revision) => session = session.with_revision(revision),
                    other => panic!("nobody else writes: {other:?}"),
                }
            }
        }
    });
    print("update", "cloakroom", ours.await);
}
