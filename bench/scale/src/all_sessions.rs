//! The memory of a program that reads all sessions of a store.

use cloakroom::Store;
use cloakroom_bench::{Options, Sample, cpu, documents};
use futures::StreamExt;

use crate::{
    backend::{self, Backend},
    fill::fill,
    own_process,
    own_process::More,
};

const TABLE: &str = "Redis, all sessions read, as their number grows";
const WORK: &str = "all";

fn of(number: usize) -> String {
    format!("cloakroom, {number} sessions")
}

pub(crate) async fn measure(options: Options) {
    let numbers: &[usize] =
        if options.quick { &[10_000, 100_000] } else { &[10_000, 100_000, 1_000_000] };
    let text = documents::short_session("2099-01-01T00:00:00.000Z");
    let backend = Backend::start().await;
    // It hardly varies.
    for round in 0..options.rounds.min(3) {
        for &number in numbers {
            backend.clear().await;
            fill(backend.server.port(), number, &text).expect("Redis stores sessions");
            let measured = own_process::numbers(WORK, &backend.server.url(), number);
            Sample::new(TABLE, WORK, &of(number), &of(numbers[0]), round)
                .with("most memory, MB", measured[0])
                .with("CPU per session, µs", measured[1])
                .print();
        }
    }
}

/// Reads all sessions, one after the other, and returns how much memory that took, and how much time each.
pub(crate) async fn alone(url: &str, number: usize) -> Vec<f64> {
    let store = backend::store(url);
    // What connecting takes is not counted.
    assert!(store.get("nobody's").await.expect("Redis answers").is_none());
    let (more, before) = (More::begin(), cpu::of_this_process());
    let mut all = store.enumerate().expect("Redis lists").all();
    let mut found = 0;
    while let Some(session) = all.next().await {
        let session = session.expect("Redis answers").session;
        assert_eq!(session.get::<u32>("views").expect("it is a number"), Some(1));
        found += 1;
    }
    assert!(found >= number, "{found} of {number} sessions were listed");
    let micros = (cpu::of_this_process() - before).as_secs_f64() * 1e6;
    vec![more.most() / 1e6, micros / number as f64]
}
