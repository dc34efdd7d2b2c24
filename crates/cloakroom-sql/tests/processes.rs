//! Several processes on one file of SQLite: the test starts itself again, with the file in a variable.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cloakroom_core::{Atomic, SessionData, Store, Updated};
use cloakroom_sql::{SqlOptions, SqlStore};

const URL: &str = "CLOAKROOM_SQL_TEST_URL";

/// Of each process, and so many before it is killed.
const TIMES: u32 = 40;
const KILLED_AFTER: usize = 10;

fn open(url: &str) -> SqlStore {
    // Whether a write waits does not depend on the disk of the machine, but the log does.
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    SqlStore::open_with(url, options.with_durable(false)).unwrap()
}

/// A process that is killed when it is dropped, also by a test that fails.
struct Process(Child);

impl Process {
    /// The test in another process.
    fn new(url: &str) -> Self {
        let test =
            "several_processes_share_a_file_and_one_that_is_killed_loses_nothing_it_has_written";
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(URL, url)
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        self.0.wait().unwrap();
    }
}

async fn add(store: &SqlStore) {
    let mut current = store.get("shared").await.unwrap().expect("the session is there");
    loop {
        let counted: u32 = current.get("count").unwrap().unwrap_or_default();
        current.insert("count", counted + 1).unwrap();
        match store.update("shared", &current).await.unwrap() {
            Updated::Stored(_) => return,
            Updated::Conflict(newer) => current = newer,
            Updated::Gone => panic!("the session is gone"),
        }
    }
}

#[tokio::test]
async fn several_processes_share_a_file_and_one_that_is_killed_loses_nothing_it_has_written() {
    if let Ok(url) = env::var(URL) {
        let store = open(&url);
        drop(store.create("shared", &SessionData::new()).await.unwrap());
        for number in 0..TIMES {
            add(&store).await;
            let mut session = SessionData::new();
            session.insert("number", number).unwrap();
            let sid = format!("{}-{number}", std::process::id());
            store.set(&sid, &session).await.unwrap();
            println!("\nwritten {sid}");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/sessions.db", folder.path().display());
    // They find no file, and make it at once.
    let (mut first, mut killed) = (Process::new(&url), Process::new(&url));
    let store = open(&url);
    let lines = BufReader::new(killed.0.stdout.take().unwrap()).lines();
    let written = lines
        .map_while(Result::ok)
        .filter_map(|line| Some(line.strip_prefix("written ")?.to_owned()));
    let written: Vec<_> = written.take(KILLED_AFTER).collect();
    drop(killed);
    let rest = BufReader::new(first.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let rest = rest.filter(|line| line.starts_with("written ")).count();
    assert!(first.0.wait().unwrap().success());
    assert_eq!((written.len(), rest), (KILLED_AFTER, TIMES as usize));
    for sid in written {
        assert!(store.get(&sid).await.unwrap().is_some(), "{sid}");
    }
    let counted: u32 = store.get("shared").await.unwrap().unwrap().get("count").unwrap().unwrap();
    // The killed one may have written more than it said.
    assert!(counted >= TIMES + KILLED_AFTER as u32, "{counted}");
}
