//! The command `copy`, also when it is interrupted and killed.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use cloakroom::SessionData;
use cloakroom_test_support::{Mongod, RedisServer, Wait};

use crate::{
    block_on, open, plant,
    runner::{Case, check, command, interrupt, run},
};

/// In this order, from the ten sessions of `plant` to an empty store.
const CASES: &[Case] = &[
    Case {
        args: &["copy", "{FROM}", "{TO}", "--dry-run"],
        stdin: "",
        code: 0,
        stdout: "would copy 10, skipped 0, failed 0, in * s",
        stderr: "",
    },
    Case { args: &["count", "{TO}"], stdin: "", code: 0, stdout: "0", stderr: "" },
    Case {
        args: &["copy", "{FROM}", "{TO}", "--verify"],
        stdin: "",
        code: 0,
        stdout: "copied 10, skipped 0, failed 0, in * s\nverified; missing, different or unreadable: 0",
        stderr: "",
    },
    Case {
        args: &["copy", "{FROM}", "{TO}"],
        stdin: "",
        code: 0,
        stdout: "copied 0, skipped 10, failed 0, in * s",
        stderr: "",
    },
    Case {
        args: &["destroy", "sid-0", "--store", "{TO}"],
        stdin: "",
        code: 0,
        stdout: "ended: 1",
        stderr: "",
    },
    Case {
        args: &["copy", "{FROM}", "{TO}", "--verify"],
        stdin: "",
        code: 0,
        stdout: "copied 1, skipped 9, failed 0, in * s\nverified; missing, different or unreadable: 0",
        stderr: "",
    },
    Case {
        args: &["copy", "{FROM}", "{TO}", "--move"],
        stdin: "",
        code: 0,
        stdout: "moved 10, skipped 0, failed 0, in * s",
        stderr: "",
    },
    Case { args: &["count", "{TO}"], stdin: "", code: 0, stdout: "10", stderr: "" },
];

fn holds_between(from: &str, to: &str) {
    plant(from);
    for case in CASES {
        check(case, &[("{FROM}", from), ("{TO}", to)], &[]);
    }
}

#[test]
fn between_folders_sessions_are_copied_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    std::fs::create_dir(folder.path().join("other")).unwrap();
    holds_between(&url("one"), &url("other"));
}

/// What another store has is kept, and replaced only on demand: here, by a store that compares the text of a record.
fn overwrites_between(from: &str, to: &str) {
    plant(from);
    plant(to);
    block_on(async {
        let there = open(to);
        for sid in ["sid-1", "sid-2"] {
            let change = |session: &mut SessionData| session.insert("n", "another");
            there.modify(sid, change).await.unwrap();
        }
        // White space of its own, which an update of the record there does not make.
        let text = r#"{ "cookie":{"originalMaxAge":3600000,"path":"/"},  "n":1 }"#;
        open(from).set("sid-2", &SessionData::from_json(text).unwrap()).await.unwrap();
    });
    for (args, code, stdout) in [
        (
            &["copy", "{FROM}", "{TO}", "--verify"][..],
            1,
            "copied 0, skipped *, failed 0, kept as they are in the other store *",
        ),
        (
            &["copy", "{FROM}", "{TO}", "--overwrite"],
            0,
            "copied 0, skipped *, failed 0, replaced *",
        ),
        (
            &["copy", "{FROM}", "{TO}", "--verify"],
            0,
            "copied 0, skipped 10, failed 0, in * s\nverified; *: 0",
        ),
    ] {
        let case = Case { args, stdin: "", code, stdout, stderr: "" };
        check(&case, &[("{FROM}", from), ("{TO}", to)], &[]);
    }
}

#[test]
fn what_another_folder_has_is_replaced_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    overwrites_between(&url("one"), &url("other"));
}

#[test]
fn what_another_database_of_sqlite_has_is_replaced_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("sqlite://{}/{name}.db", folder.path().display());
    overwrites_between(&url("one"), &url("other"));
}

#[test]
#[ignore = "needs redis-server and mongod"]
fn what_another_server_has_is_replaced_on_demand() {
    let (redis, mongod) = (RedisServer::start().unwrap(), Mongod::start().unwrap());
    overwrites_between(&mongod.url(), &redis.url());
    ask(&redis, "FLUSHALL");
    overwrites_between(&redis.url(), &mongod.url());
}

fn ask(redis: &RedisServer, command: &str) {
    let mut connection = TcpStream::connect(redis.addr()).unwrap();
    write!(connection, "{command}\r\n").unwrap();
    let mut answer = [0; 5];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"+OK\r\n");
}

/// A server has several names, and a folder several paths.
#[test]
fn a_move_into_the_same_store_moves_and_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    for (one, same) in [
        (format!("file://{path}/one"), format!("file://{path}/link")),
        (format!("sqlite://{path}/one.db"), format!("sqlite://{path}/./one.db")),
    ] {
        plant(&one);
        if one.starts_with("file") {
            std::os::unix::fs::symlink(folder.path().join("one"), folder.path().join("link"))
                .unwrap();
        }
        for to in [&one, &same] {
            let case = Case {
                args: &["copy", "{FROM}", "{TO}", "--move"],
                stdin: "",
                code: 2,
                stdout: "*",
                stderr: "*: move: both stores are the same one: nothing can be moved",
            };
            check(&case, &[("{FROM}", &*one), ("{TO}", to)], &[]);
            assert_eq!(block_on(open(&one).length()).unwrap(), 10);
        }
    }
}

/// Node.js takes `null` for a missing session, but the record is there.
#[test]
#[ignore = "needs redis-server"]
fn a_session_whose_place_is_taken_by_no_session_is_counted_as_failed() {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start().unwrap();
    let from = format!("file://{}/one", folder.path().display());
    plant(&from);
    ask(&redis, "SET sess:sid-3 null");
    for (args, stdout) in [
        (&["copy", "{FROM}", "{TO}"][..], "copied 9, skipped 0, failed 1, in * s"),
        (&["copy", "{FROM}", "{TO}", "--move"], "moved 9, skipped 0, failed 1, in * s"),
    ] {
        let case = Case { args, stdin: "", code: 1, stdout, stderr: "*" };
        check(&case, &[("{FROM}", &*from), ("{TO}", &*redis.url())], &[]);
    }
    // It is where it was, and open.
    let left = block_on(open(&from).get("sid-3")).unwrap().unwrap();
    assert!(!cloakroom::is_moving(&left));
    assert_eq!(block_on(open(&from).length()).unwrap(), 1);
}

#[test]
fn a_record_that_cannot_be_read_is_counted_and_the_rest_is_copied_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    let (from, to) = (url("one"), url("other"));
    plant(&from);
    std::fs::write(folder.path().join("one/broken.json"), "{").unwrap();
    let case = Case {
        args: &["copy", "{FROM}", "{TO}", "--verify"],
        stdin: "",
        code: 1,
        stdout: "copied 10, skipped 0, failed 1, in * s\nverified; missing, different or unreadable: 1",
        stderr: "*",
    };
    check(&case, &[("{FROM}", &*from), ("{TO}", &*to)], &[]);
    std::fs::rename(folder.path().join("one/broken.json"), folder.path().join("other/broken.json"))
        .unwrap();
    let case = Case {
        stdout: "copied 0, skipped 10, failed 0, in * s\nverified; missing, different or unreadable: 1",
        stderr: "",
        ..case
    };
    check(&case, &[("{FROM}", &*from), ("{TO}", &*to)], &[]);
}

#[test]
#[ignore = "needs redis-server and mongod"]
fn between_redis_and_mongodb_sessions_are_copied_as_the_table_says() {
    let (redis, mongod) = (RedisServer::start().unwrap(), Mongod::start().unwrap());
    let back = format!("{}?prefix=back:", redis.url());
    holds_between(&redis.url(), &mongod.url());
    let ended = run(command().args(["copy", &mongod.url(), &back, "--verify"]), "");
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("copied 10"), "{}", ended.stdout);
}

#[test]
#[ignore = "needs redis-server and mongod"]
fn a_copy_that_is_killed_or_interrupted_is_completed_by_another() {
    const SESSIONS: u64 = 5_000;
    let (redis, mongod) = (RedisServer::start().unwrap(), Mongod::start().unwrap());
    let (from, to) = (redis.url(), mongod.url());
    block_on(async {
        let sessions = open(&from);
        for number in 0..SESSIONS {
            sessions.set(&format!("sid-{number}"), &SessionData::new()).await.unwrap();
        }
    });
    let start = || {
        let mut copy = command();
        copy.args(["copy", &from, &to, "--concurrency", "1"]);
        copy.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let count = || block_on(open(&to).length()).unwrap();
    let has_copied = |more: u64| {
        let wait = Wait::until("more sessions are copied");
        while count() < more {
            wait.check();
            sleep(Duration::from_millis(10));
        }
    };
    let mut killed = start();
    has_copied(1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let first = count();
    assert!((1..SESSIONS).contains(&first), "killed in the middle: {first}");

    let interrupted = start();
    has_copied(first + 1);
    interrupt(&interrupted);
    let output = interrupted.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(stdout.starts_with("copied "), "{stdout}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("interrupted; start it again"));

    let ended = run(command().args(["copy", &from, &to, "--verify"]), "");
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("verified; missing, different or unreadable: 0"),
        "{}",
        ended.stdout
    );
    assert_eq!(count(), SESSIONS);
}

/// Its sessions would be moved once more, under ids that no browser has.
#[test]
#[ignore = "needs redis-server"]
fn a_move_to_a_longer_prefix_on_the_same_server_moves_and_copies_nothing() {
    let redis = RedisServer::start().unwrap();
    let (from, to) = (redis.url(), format!("{}?prefix=sess:new:", redis.url()));
    plant(&from);
    for args in [&["copy", "{FROM}", "{TO}", "--move"], &["copy", "{FROM}", "{TO}", "--verify"]] {
        let case = Case {
            args,
            stdin: "",
            code: 2,
            stdout: "*",
            stderr: "*: the first store lists the sessions of the other one, for example because its prefix is the beginning of the other's on the same server",
        };
        check(&case, &[("{FROM}", &*from), ("{TO}", &*to)], &[]);
        assert_eq!(block_on(open(&from).length()).unwrap(), 10);
    }
}

/// Express answers each request of a session without a cookie with status 500, so a copy has one.
#[test]
fn a_copy_that_was_given_a_cookie_is_verified_and_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    std::fs::create_dir(folder.path().join("one")).unwrap();
    let record = format!(r#"{{"user":"ann","__lastAccess":{}}}"#, crate::now_ms());
    std::fs::write(folder.path().join("one/id.json"), record).unwrap();
    for counts in ["copied 1, skipped 0, failed 0, in", "copied 0, skipped 1, failed 0, in"] {
        let ended = run(command().args(["copy", &url("one"), &url("other"), "--verify"]), "");
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.starts_with(counts), "{}", ended.stdout);
    }
}
