//! The memory of a program that has much in flight: it is bounded, as no queue grows while it goes on.

use std::{sync::Arc, time::Duration};

use cloakroom::SessionData;
use cloakroom_bench::{
    Options, Sample, documents,
    tasks::{self, Task},
};
use redis::{aio::MultiplexedConnection, cmd};

use crate::{
    backend::{self, Backend},
    own_process::{self, More},
};

const TABLE: &str = "Redis, much in flight";
const BARE: &str = "redis, GET and SET";
const OURS: &str = "cloakroom, modify";

/// What is in flight.
#[derive(Clone, Copy, Debug)]
struct Load {
    name: &'static str,
    tasks: usize,
    sessions: usize,
    bytes: usize,
}

const LOADS: [Load; 3] = [
    Load { name: "10,000 tasks, 10,000 sessions", tasks: 10_000, sessions: 10_000, bytes: 500 },
    Load { name: "128 tasks, one session", tasks: 128, sessions: 1, bytes: 500 },
    Load { name: "16 tasks, 16 sessions of 2 MB", tasks: 16, sessions: 16, bytes: 2_097_152 },
];

pub(crate) async fn measure(options: Options) {
    let backend = Backend::start().await;
    for load in LOADS {
        // It hardly varies.
        for round in 0..options.rounds.min(if options.quick { 1 } else { 3 }) {
            for subject in [BARE, OURS] {
                let what = format!("{} | {subject}", load.name);
                let millis = if options.quick { 500 } else { 2_000 };
                let measured = own_process::numbers(&what, &backend.server.url(), millis);
                let [first, later] = [measured[0], measured[1]];
                // What is in flight does not grow with time, so memory does not either.
                let is_bounded = later < 1.5 * first + 8.0;
                assert!(is_bounded || subject == BARE, "{what}: {first} MB, then {later} MB");
                Sample::new(TABLE, load.name, subject, BARE, round)
                    .with("most memory, MB", first.max(later))
                    .with("later, × first", later / first)
                    .with("operations/s", measured[2])
                    .print();
            }
        }
    }
}

/// What [`compare`] says about a load and a subject.
pub(crate) async fn alone(what: &str, url: &str, millis: usize) -> Vec<f64> {
    let (name, subject) = what.split_once(" | ").expect("a load and a subject");
    let load = LOADS.into_iter().find(|load| load.name == name).expect("it is a load");
    let text: Arc<str> = documents::session(load.bytes, "2099-01-01T00:00:00.000Z").into();
    let session = SessionData::from_json(&*text).expect("it is a session");
    let sessions = backend::sessions(backend::store(url));
    for sid in 0..load.sessions {
        sessions.set(&sid.to_string(), &session).await.expect("Redis stores");
    }
    let redis = backend::bare(url).await;

    let time = Duration::from_millis(millis as u64);
    if subject == BARE {
        let run = |mut task: Task| {
            let (mut redis, text) = (redis.clone(), Arc::clone(&text));
            async move {
                while task.next().is_some() {
                    get_and_set(&mut redis, task.number() % load.sessions, &text).await;
                }
            }
        };
        return compare(load.tasks, time, run).await;
    }
    let run = |mut task: Task| {
        let sessions = sessions.clone();
        async move {
            while task.next().is_some() {
                let sid = (task.number() % load.sessions).to_string();
                let changed = sessions.modify(&sid, |session| {
                    let views: u64 = session.get("views")?.unwrap_or_default();
                    session.insert("views", views + 1)
                });
                assert!(changed.await.expect("no change fails").is_some());
            }
        }
    };
    compare(load.tasks, time, run).await
}

/// The memory in the first half of the time, the memory in the second, and the operations per second then.
async fn compare<F: Future<Output = ()> + Send + 'static>(
    tasks: usize,
    time: Duration,
    run: impl Fn(Task) -> F,
) -> Vec<f64> {
    let more = More::begin();
    tasks::run(tasks, time, None, &run).await;
    let first = more.most() / 1e6;
    let cost = tasks::run(tasks, time, None, &run).await;
    vec![first, more.most() / 1e6, cost.per_second]
}

async fn get_and_set(redis: &mut MultiplexedConnection, sid: usize, text: &str) {
    let key = format!("sess:{sid}");
    let found: Vec<u8> = cmd("GET").arg(&key).query_async(redis).await.expect("Redis answers");
    assert!(!found.is_empty());
    let mut set = cmd("SET");
    set.arg(&key).arg(text).arg("EX").arg(3_600);
    set.exec_async(redis).await.expect("Redis answers");
}
