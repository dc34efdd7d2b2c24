//! The child process: it ends with its parent, however that ends, and is started again when it has ended.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics to fail, and one of them talks to another"
)]

mod common;

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use cloakroom_core::{ErrorKind, Store};
use cloakroom_node::{NodeEvent, NodeStore};
use futures::FutureExt;
use rustix::process::{Pid, Signal, kill_process};

use common::{
    PATIENCE, eventually, file, odd, pid, promisified, runs, session, stands_still, ticks,
};

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_child_that_ends_fails_its_calls_at_once_and_is_started_again() {
    let (builder, _) = odd();
    let store = builder.build().unwrap();
    let async_store = promisified(&store);
    for (way, status) in [("exits", "exit status: 3"), ("kills", "signal: 9")] {
        let before = pid(&store).await;
        let error = async_store.set(way, &session("ann")).await.unwrap_err();
        let message = format!("odd: set: the Node.js process ended: {status}");
        assert!(error.to_string().starts_with(&message), "{error}");
        assert!(error.kind() == ErrorKind::Unavailable && error.outcome_unknown());
        let error = async_store.get(way).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Unavailable && !error.outcome_unknown());
        // The next call waits for the new process.
        assert_ne!(pid(&store).await, before);
    }
}

/// A signal to all processes of a service ends the application, which needs its store while it drains.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_child_outlives_the_signals_that_ask_a_service_to_end() {
    let (builder, _) = odd();
    let store = builder.build().unwrap();
    let child = pid(&store).await;
    for asks in [Signal::TERM, Signal::INT] {
        signal(child, asks);
        assert_eq!(pid(&store).await, child, "{asks:?}");
    }
    drop(store);
    eventually("the end of the child", || !runs(child));
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_child_that_is_frozen_or_busy_is_killed_and_started_again() {
    let (builder, _) = odd();
    let store = builder.deadline(Duration::from_secs(2)).build().unwrap();
    store.ready().await.unwrap();
    for way in ["frozen", "spins"] {
        // On a slow machine, the process may need several deadlines to start.
        let before = loop {
            if let Ok(Some(session)) = promisified(&store).get("pid").await {
                break session.get::<u32>("pid").unwrap().unwrap();
            }
        };
        if way == "frozen" {
            signal(before, Signal::STOP);
        }
        let error = promisified(&store).set(way, &session("ann")).await.unwrap_err();
        let message = "odd: set: the Node.js process did not respond within 1.5s";
        assert_eq!(error.to_string(), message, "{way}");
        assert!(error.kind() == ErrorKind::Timeout && error.outcome_unknown());
        assert!(!runs(before), "{way}");
    }
}

/// A child that does not read must not let our memory grow, however much is written.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_frozen_child_lets_a_bounded_number_of_bytes_wait() {
    let (builder, _) = odd();
    let store = builder.queue(10_000, 8 << 20).deadline(PATIENCE).build().unwrap();
    let before = pid(&store).await;
    signal(before, Signal::STOP);
    let async_store = promisified(&store);
    let large = session(&"x".repeat(1 << 20));
    let mut accepted = Vec::new();
    let refused = loop {
        let mut call = Box::pin(async_store.set("a", &large));
        match call.as_mut().now_or_never() {
            Some(answer) => break answer.unwrap_err(),
            None => accepted.push(call),
        }
        assert!(accepted.len() < 100);
    };
    assert!(refused.kind() == ErrorKind::Unavailable && !refused.outcome_unknown(), "{refused}");
    signal(before, Signal::CONT);
    for call in accepted {
        call.await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_child_that_cannot_start_is_tried_again_with_growing_pauses() {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ends);
    let builder = file("odd.cjs").factory("() => process.exit(7)").name("odd");
    let store = builder.on_event(move |event| {
        if let NodeEvent::Ended(_) = event {
            seen.lock().unwrap().push(Instant::now());
        }
    });
    let store = promisified(&store.build().unwrap());
    for _ in 0..4 {
        let error = store.set("a", &session("ann")).await.unwrap_err();
        assert_eq!(error.to_string(), "odd: set: the Node.js process ended: exit status: 7");
        // It never had the call.
        assert!(!error.outcome_unknown());
    }
    eventually("four ends", || ends.lock().unwrap().len() == 4);
    let ends = ends.lock().unwrap();
    // A start takes its time as well, so only the pauses' lower bounds are certain.
    for (pair, pause) in ends.windows(2).zip([40, 80, 160]) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(pause));
    }
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn the_last_handle_ends_the_child_after_what_has_begun() {
    let (builder, _) = odd();
    let store = builder.build().unwrap();
    let child = pid(&store).await;
    let other = store.clone();
    drop(store);
    assert_eq!(pid(&other).await, child);
    drop(other);
    eventually("the end of the child", || !runs(child));
}

/// By itself, this is a small test. With `HOLD`, it is a process that the next test kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js"]
async fn a_process_with_a_child() {
    let hold = env::var("HOLD").ok();
    let (builder, _) = odd();
    let store = builder.build().unwrap();
    let child = pid(&store).await;
    println!("child {child}");
    assert!(runs(child));
    let Some(way) = hold else { return };
    match &*way {
        "idle" => {}
        "frozen" => {
            signal(child, Signal::STOP);
            eventually("a child that stands still", || stands_still(child));
        }
        way => {
            let (store, way) = (promisified(&store), way.to_owned());
            let (spins, before) = (way == "spins", ticks(child));
            tokio::spawn(async move { store.get(&way).await });
            eventually("a busy child", || !spins || ticks(child) > before + 30);
        }
    }
    println!("ready");
    // Until it is killed.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Starts the test above as a process of its own. Returns it, and the process id of its child.
fn parent(way: &str) -> (Child, u32) {
    let mut parent = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_process_with_a_child", "--include-ignored", "--nocapture"])
        .env("HOLD", way)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines().map(Result::unwrap);
    let child = lines.find_map(|line| line.split_once("child ")?.1.parse().ok()).unwrap();
    assert!(lines.any(|line| line.ends_with("ready")));
    (parent, child)
}

#[test]
#[ignore = "needs Node.js"]
fn nothing_survives_a_parent_that_is_killed() {
    for way in ["idle", "frozen", "spins", "never"] {
        let (mut parent, child) = parent(way);
        assert!(runs(child), "{way}");
        parent.kill().unwrap();
        parent.wait().unwrap();
        eventually(way, || !runs(child));
    }
}

#[test]
fn a_store_that_is_never_used_starts_nothing() {
    let store = NodeStore::builder().node("/no/such/program").module("connect-redis").build();
    assert_eq!(format!("{:?}", store.unwrap()), r#"NodeStore { name: "connect-redis", .. }"#);
}
