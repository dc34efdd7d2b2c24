//! More and more sessions in the memory store.

use std::sync::Arc;

use cloakroom::{MemoryOptions, MemoryStore, SessionData, Store};
use cloakroom_bench::{Options, Sample, documents, tasks, tasks::Task};

use crate::backend::{TASKS, scattered, sid};

const TABLE: &str = "MemoryStore, as the number of sessions grows";

pub(crate) async fn measure(options: Options) {
    let numbers: &[usize] = if options.quick {
        &[10_000, 100_000, 1_000_000]
    } else {
        &[10_000, 100_000, 1_000_000, 10_000_000]
    };
    let text = documents::short_session("2099-01-01T00:00:00.000Z");
    let session = Arc::new(SessionData::from_json(text).expect("it is a session"));
    let mut stores = Vec::new();
    for number in numbers {
        let options = MemoryOptions::default().with_max_sessions(number * 2);
        let store = MemoryStore::with_options(options);
        for at in 0..*number {
            store.set(&sid(at), &session).await.expect("there is space");
        }
        stores.push((*number, store));
    }
    for round in 0..options.rounds {
        for (number, store) in &stores {
            let number = *number;
            let print = |work, cost: tasks::Cost| {
                let of = |number: usize| format!("cloakroom, {number} sessions");
                Sample::new(TABLE, work, &of(number), &of(numbers[0]), round)
                    .with("CPU, µs", cost.cpu)
                    .with("operations/s", cost.per_second)
                    .print();
            };
            let get = tasks::run(TASKS, options.time(), None, |mut task: Task| {
                let store = store.clone();
                async move {
                    while let Some(at) = task.next() {
                        let found = store.get(&sid(scattered(task.number(), at, number))).await;
                        assert!(found.expect("it answers").is_some());
                        pause(at).await;
                    }
                }
            });
            print("get", get.await);
            let touch = tasks::run(TASKS, options.time(), None, |mut task: Task| {
                let (store, session) = (store.clone(), Arc::clone(&session));
                async move {
                    while let Some(at) = task.next() {
                        let sid = sid(scattered(task.number(), at, number));
                        store.touch(&sid, &session).await.expect("it answers");
                        pause(at).await;
                    }
                }
            });
            print("touch", touch.await);
        }
    }
}

/// Lets other tasks run, as nothing waits here: the timer that ends the round is one of them.
async fn pause(number: u64) {
    if number.is_multiple_of(64) {
        tokio::task::yield_now().await;
    }
}
