//! More and more sessions in one Redis.

use std::sync::Arc;

use cloakroom::{Atomic, SessionData, Store, Touched};
use cloakroom_bench::{
    Options, Sample, documents,
    tasks::{self, Task},
};
use redis::cmd;

use crate::{
    backend::{Backend, TASKS, scattered, sid, with_cost},
    fill::fill,
};

const TABLE: &str = "Redis, as the number of sessions grows";
const LIFE: std::time::Duration = std::time::Duration::from_secs(3_600);

pub(crate) async fn measure(options: Options) {
    // 10,000,000 of these take 3 GB; with 500 bytes they would take 7.
    let numbers: &[usize] = if options.quick {
        &[1_000, 100_000, 1_000_000]
    } else {
        &[1_000, 10_000, 100_000, 1_000_000, 10_000_000]
    };
    let mut backends = Vec::new();
    for number in numbers {
        let backend = Backend::start().await;
        fill(backend.server.port(), *number, &text()).expect("Redis stores sessions");
        backends.push((*number, backend));
    }
    for round in 0..options.rounds {
        for (number, backend) in &backends {
            round_of(backend, *number, numbers[0], round, options).await;
        }
    }
}

fn text() -> String {
    documents::short_session("2099-01-01T00:00:00.000Z")
}

async fn round_of(backend: &Backend, number: usize, fewest: usize, round: u32, options: Options) {
    let server = backend.server.id();
    let print = |work, subject: &str, cost| {
        let of = |number: usize| format!("{subject}, {number} sessions");
        with_cost(Sample::new(TABLE, work, &of(number), &of(fewest), round), cost).print();
    };
    let store = &backend.store;
    let get = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let store = store.clone();
        async move {
            while let Some(at) = task.next() {
                let found = store.get(&sid(scattered(task.number(), at, number))).await;
                assert!(found.expect("Redis answers").is_some());
            }
        }
    });
    print("get", "cloakroom", get.await);
    let session = Arc::new(SessionData::from_json(text()).expect("it is a session"));
    let touch = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let (store, session) = (store.clone(), Arc::clone(&session));
        async move {
            while let Some(at) = task.next() {
                let sid = sid(scattered(task.number(), at, number));
                let touched = store.touch(&sid, &session).await.expect("Redis answers");
                assert_eq!(touched, Touched::Extended);
            }
        }
    });
    print("touch", "cloakroom", touch.await);
    let both = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let store = store.clone();
        async move {
            while let Some(at) = task.next() {
                let sid = sid(scattered(task.number(), at, number));
                let found = store.get_and_touch(&sid, Some(LIFE)).await;
                assert!(found.expect("Redis answers").is_some());
            }
        }
    });
    print("get and touch", "cloakroom", both.await);
    let bytes = text().len();
    let bare = tasks::run(TASKS, options.time(), server, |mut task: Task| {
        let mut redis = backend.bare.clone();
        async move {
            while let Some(at) = task.next() {
                let mut get = cmd("GET");
                get.arg(format!("sess:{}", sid(scattered(task.number(), at, number))));
                let found: Vec<u8> = get.query_async(&mut redis).await.expect("Redis answers");
                assert_eq!(found.len(), bytes);
            }
        }
    });
    print("get", "redis", bare.await);
}
