//! What an operation costs in a folder of 100,000 sessions, beside the same in one of 1,000:
//! `cargo bench -p cloakroom-file --bench large_folder`.
//!
//! Both folders take turns, so that what else the machine does slows down both. A number is the median of all rounds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark reports to its reader"
)]

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

use cloakroom_core::{Atomic, Enumerate, SessionData, Store};
use cloakroom_file::{FileOptions, FileStore};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SIZES: [usize; 2] = [1_000, 100_000];
const ROUNDS: usize = 21;
/// How many calls a round times together.
const CALLS: usize = 50;
const OPERATIONS: [&str; 6] = ["get", "set", "touch", "get_and_touch", "update", "destroy, create"];

struct Folder {
    _guard: TempDir,
    sessions: usize,
    store: FileStore,
    /// Where the next round begins, so that each call is on another session.
    next: usize,
}

fn options() -> FileOptions {
    FileOptions::default().with_reap_interval(None).with_deadline(Duration::from_secs(600))
}

fn session() -> SessionData {
    let mut session = SessionData::new();
    session.insert("user", "ann").unwrap();
    session.insert("cart", ["tea"; 30]).unwrap();
    session
}

impl Folder {
    async fn fill(sessions: usize, durable: bool) -> Self {
        let guard = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let fast = FileStore::in_folder(guard.path(), options().with_durable(false)).unwrap();
        for number in 0..sessions {
            fast.set(&sid(number), &session()).await.unwrap();
        }
        // To replace a record costs more once it is on the disk, since that frees its blocks. Without this, a session that
        // is written for the first time since would be cheap, and only the large folder has enough of those.
        assert!(Command::new("sync").status().unwrap().success());
        let store = FileStore::in_folder(guard.path(), options().with_durable(durable)).unwrap();
        Self { _guard: guard, sessions, store, next: 0 }
    }

    /// The time of one call, on average.
    async fn time(&mut self, operation: &str) -> Duration {
        let mut took = Duration::ZERO;
        for _ in 0..CALLS {
            // A prime number of steps, so that neighbours in the folder do not follow each other.
            self.next = (self.next + 7_919) % self.sessions;
            let sid = sid(self.next);
            let mut read = self.store.get(&sid).await.unwrap().unwrap();
            read.insert("views", self.next).unwrap();
            let began = Instant::now();
            match operation {
                "get" => drop(self.store.get(&sid).await.unwrap()),
                "set" => self.store.set(&sid, &read).await.unwrap(),
                "touch" => drop(self.store.touch(&sid, &read).await.unwrap()),
                "get_and_touch" => {
                    drop(self.store.get_and_touch(&sid, None).await.unwrap());
                }
                "update" => drop(self.store.update(&sid, &read).await.unwrap()),
                _ => {
                    self.store.destroy(&sid).await.unwrap();
                    self.store.create(&sid, &read).await.unwrap();
                }
            }
            took += began.elapsed();
        }
        took / u32::try_from(CALLS).unwrap()
    }
}

fn sid(number: usize) -> String {
    // As long as the ids of express-session.
    format!("{number:032}")
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

async fn run() {
    for durable in [true, false] {
        let mut folders = Vec::new();
        for sessions in SIZES {
            folders.push(Folder::fill(sessions, durable).await);
        }
        println!("durable={durable}: microseconds a call with {SIZES:?} sessions, and the ratio");
        for operation in OPERATIONS {
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                for (folder, times) in folders.iter_mut().zip(&mut times) {
                    times.push(folder.time(operation).await);
                }
            }
            let [small, large] = times.map(median);
            println!("{operation:16} {small:8.0} {large:8.0} {:6.2}", large / small);
        }
        let mut each = Vec::new();
        for folder in &folders {
            let began = Instant::now();
            let length = folder.store.length().await.unwrap();
            assert_eq!(length, folder.sessions as u64);
            each.push(began.elapsed().as_secs_f64() * 1e6 / length as f64);
        }
        println!("length a session {:8.1} {:8.1} {:6.2}", each[0], each[1], each[1] / each[0]);
    }
}

fn main() {
    // `cargo test` starts benchmarks, too, without this word.
    if env::args().any(|word| word == "--bench") {
        Runtime::new().unwrap().block_on(run());
    }
}
