//! Many writers of one session, in one process and in several: nothing is lost, and few tries are wasted.

#![allow(clippy::print_stdout, reason = "the number of tries is worth a look")]

use std::process::{Command, Stdio};

use cloakroom_test_support::{Memcached, Mongod, RedisServer, unique};

const WRITERS: usize = 128;
const TIMES: usize = 5;

/// What one process has printed.
#[derive(Debug)]
struct Process {
    stored: usize,
    tries: usize,
    failed: usize,
    count: usize,
}

/// Runs all writers, spread over this many processes. No machine is too slow for their deadline.
fn run(url: &str, handles: &str, processes: usize) -> Vec<Process> {
    let (sid, tasks) = (unique("sid"), (WRITERS / processes).to_string());
    let args = [url, &sid, handles, &tasks, &TIMES.to_string(), "1000"];
    let children: Vec<_> = (0..processes)
        .map(|_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_writers"));
            command.args(args).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let line = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{line}");
            println!("{url}: {handles}: {line}");
            let number = |name: &str| {
                let word = line.split(' ').find_map(|word| word.strip_prefix(name));
                word.unwrap().parse().unwrap()
            };
            Process {
                stored: number("stored="),
                tries: number("tries="),
                failed: number("failed="),
                count: number("count="),
            }
        })
        .collect()
}

fn check(url: &str) {
    let all = WRITERS * TIMES;
    for handles in ["clones", "handles"] {
        let one = &run(url, handles, 1)[0];
        assert_eq!((one.stored, one.failed, one.count), (all, 0, all), "{url}: {handles}");
        // They queue, so nobody is in their way.
        assert_eq!(one.tries, all, "{url}: {handles}");
    }
    let four = run(url, "clones", 4);
    let sum = |number: fn(&Process) -> usize| four.iter().map(number).sum::<usize>();
    let last = four.iter().map(|process| process.count).max();
    let (stored, failed) = (sum(|process| process.stored), sum(|process| process.failed));
    assert_eq!((stored, failed, last), (all, 0, Some(all)), "{url}: {four:?}");
    assert!(sum(|process| process.tries) <= 3 * all, "{url}: {four:?}");
}

/// A folder has no server, so its processes wait for each other by themselves.
#[test]
fn many_writers_of_one_session_in_a_folder_need_few_tries() {
    let folder = tempfile::tempdir().unwrap();
    check(&format!("file://{}?deadline=600000", folder.path().display()));
}

#[test]
#[ignore = "needs redis-server"]
fn many_writers_of_one_session_in_redis_need_few_tries() {
    check(&RedisServer::start().unwrap().url());
}

#[test]
#[ignore = "needs memcached"]
fn many_writers_of_one_session_in_memcached_need_few_tries() {
    let server = Memcached::start().unwrap();
    check(&format!("memcached://{}", server.addr()));
}

#[test]
#[ignore = "needs mongod"]
fn many_writers_of_one_session_in_mongodb_need_few_tries() {
    let server = Mongod::start().unwrap();
    check(&format!("{}/shop", server.url()));
}
