//! What fails in part: a record or an id among others.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
    thread::{sleep, spawn},
    time::Duration,
};

use cloakroom::SessionData;
use cloakroom_test_support::RedisServer;

use crate::{
    block_on, open, plant,
    runner::{Case, check, command, run},
};

/// In this order, on the ten sessions of `plant` and two that are larger than the limit of `{STORE}`.
const CASES: &[Case] = &[
    Case {
        args: &["ls", "{STORE}", "--format", "ids"],
        stdin: "",
        code: 1,
        stdout: "sid-*\nsid-*",
        stderr: "cloakroom: records that cannot be read: 2",
    },
    Case {
        args: &["destroy", "--store", "{STORE}", "--where", "passport.user=42"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: file: destroy_where: sessions destroyed: 4, records that cannot be read: 2*",
    },
    Case { args: &["count", "{ALL}"], stdin: "", code: 0, stdout: "8", stderr: "" },
    Case {
        args: &["destroy", "sid-1", "{INVALID}", "large-1", "nobody", "--store", "{STORE}"],
        stdin: "",
        code: 2,
        stdout: "ended: 2",
        stderr: "cloakroom: ids without a session: 1\ncloakroom: ids that failed: 1\ncloakroom: file: *",
    },
    Case {
        args: &["destroy", "-", "--store", "{STORE}"],
        stdin: "{INVALID}\nsid-2\n{INVALID}\nlarge-2\n",
        code: 2,
        stdout: "ended: 2",
        stderr: "cloakroom: ids that failed: 2\ncloakroom: file: *",
    },
    Case { args: &["count", "{ALL}"], stdin: "", code: 0, stdout: "4", stderr: "" },
];

#[test]
fn a_record_or_an_id_that_fails_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let all = format!("file://{}", folder.path().display());
    plant(&all);
    block_on(async {
        let mut large = SessionData::new();
        large.insert("text", "x".repeat(10_000)).unwrap();
        open(&all).set("large-1", &large).await.unwrap();
        open(&all).set("large-2", &large).await.unwrap();
    });
    let store = format!("{all}?maxRecord=5000");
    // No file can have such a name.
    let invalid = "x".repeat(300);
    for case in CASES {
        check(case, &[("{STORE}", &store), ("{ALL}", &all), ("{INVALID}", &invalid)], &[]);
    }
}

/// As `| true` does: what fails is told by the exit code alone.
#[test]
fn a_reader_that_has_gone_hides_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let url = |path: &std::path::Path| format!("file://{}", path.display());
    plant(&url(&from));
    std::fs::write(from.join("torn.json"), "{").unwrap();
    let (from, to) = (url(&from), url(&to));
    let other = url(&folder.path().join("other"));
    block_on(open(&other).set("sid-1", &SessionData::new())).unwrap();
    let limited = format!("{from}?maxRecord=10");
    for (args, code) in [
        (&["copy", &from, &to][..], 1),
        // The other store keeps its own record of this id.
        (&["copy", &other, &to, "--verify"], 1),
        (&["copy", "memory:", "memory:", "--verify"], 0),
        (&["count", &from, "--where", "n=1"], 1),
        (&["destroy", "nobody", "--store", &to], 1),
        (&["destroy", "sid-1", &"x".repeat(300), "--store", &limited], 2),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = command().args(args).stdout(writer).stderr(Stdio::null()).status();
        assert_eq!(status.unwrap().code(), Some(code), "{args:?}");
    }
}

/// Passes on what comes, and each time a while later.
fn pass_on(mut from: TcpStream, mut to: TcpStream, later: Duration) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        sleep(later);
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

/// A connection and an answer take longer than a health check may.
#[test]
#[ignore = "needs redis-server"]
fn a_server_that_is_far_away_can_be_copied_to_and_checked() {
    let redis = RedisServer::start().unwrap();
    let (listener, server) = (TcpListener::bind("127.0.0.1:0").unwrap(), redis.addr());
    let url = format!("redis://{}?deadline=30000", listener.local_addr().unwrap());
    spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (answers, asks) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            spawn(|| pass_on(client, asks, Duration::from_millis(600)));
            spawn(|| pass_on(server, answers, Duration::ZERO));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let from = format!("file://{}", folder.path().display());
    plant(&from);
    for args in [&["copy", &from, &url][..], &["doctor", &url]] {
        let ended = run(command().args(args), "");
        assert_eq!(ended.code, Some(0), "{args:?} {}", ended.stderr);
    }
}
