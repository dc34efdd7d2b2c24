//! The commands on sessions, on every kind of store.

use cloakroom::mongodb::mongodb::{
    Client,
    bson::{Document, doc},
};
use cloakroom_test_support::{Memcached, Mongod, RedisServer};

use crate::{
    block_on, plant,
    runner::{Case, check, command, run},
};

/// In this order, on the ten sessions of `plant`.
const CASES: &[Case] = &[
    Case { args: &["count", "{STORE}"], stdin: "", code: 0, stdout: "10", stderr: "" },
    Case {
        args: &["count", "{STORE}", "--where", "passport.user=42"],
        stdin: "",
        code: 0,
        stdout: "4",
        stderr: "",
    },
    Case {
        args: &["count", "{STORE}", "--where", "passport.user=42", "--where", "n=1"],
        stdin: "",
        code: 0,
        stdout: "0",
        stderr: "",
    },
    Case {
        args: &["ls", "{STORE}"],
        stdin: "",
        code: 0,
        stdout: "ID * TIME LEFT * BYTES\n*sid-*m *\n*",
        stderr: "",
    },
    Case {
        args: &["ls", "{STORE}", "--where", "passport.user=9"],
        stdin: "",
        code: 0,
        stdout: "ID * TIME LEFT * BYTES",
        stderr: "",
    },
    Case {
        args: &["ls", "{STORE}", "--format", "ids", "--limit", "1"],
        stdin: "",
        code: 0,
        stdout: "sid-*",
        stderr: "",
    },
    Case {
        args: &["ls", "{STORE}", "--format", "json", "--limit", "1"],
        stdin: "",
        code: 0,
        stdout: "{\"id\":\"sid-*\",\"timeLeft\":3*,\"session\":{\"cookie\":{*},\"passport\":{\"user\":*},\"n\":1.0}}",
        stderr: "",
    },
    Case {
        args: &["get", "sid-3", "--store", "{STORE}"],
        stdin: "",
        code: 0,
        stdout: "size * bytes\nexpires *, in *m *\n{\n  \"cookie\": {\n*\"user\": 42\n  },\n  \"n\": 1.0\n}",
        stderr: "",
    },
    Case {
        args: &["get", "-", "--store", "{STORE}", "--raw"],
        stdin: "sid-3\n",
        code: 0,
        stdout: "{\"cookie\":{*},\"passport\":{\"user\":42},\"n\":1.0}",
        stderr: "",
    },
    Case {
        args: &["get", "nobody", "--store", "{STORE}"],
        stdin: "",
        code: 1,
        stdout: "",
        stderr: "cloakroom: no session has this id",
    },
    Case {
        args: &["touch", "sid-3", "--store", "{STORE}"],
        stdin: "",
        code: 0,
        stdout: "extended",
        stderr: "",
    },
    Case {
        args: &["touch", "nobody", "--store", "{STORE}"],
        stdin: "",
        code: 1,
        stdout: "",
        stderr: "cloakroom: no session has this id",
    },
    Case {
        args: &["doctor", "{STORE}"],
        stdin: "",
        code: 0,
        stdout: "  reachable *\n  conditional writes   yes\n  listings             yes\n  in Express *",
        stderr: "",
    },
    Case { args: &["count", "{STORE}"], stdin: "", code: 0, stdout: "10", stderr: "" },
    Case {
        args: &["destroy", "sid-3", "nobody", "--store", "{STORE}"],
        stdin: "",
        code: 1,
        stdout: "ended: 1",
        stderr: "cloakroom: ids without a session: 1",
    },
    Case {
        args: &["destroy", "--store", "{STORE}", "--where", "passport.user=42"],
        stdin: "",
        code: 0,
        stdout: "ended: 3",
        stderr: "",
    },
    Case {
        args: &["destroy", "-", "--store", "{STORE}"],
        stdin: "sid-1\nsid-2\n",
        code: 0,
        stdout: "ended: 2",
        stderr: "",
    },
    Case {
        args: &["watch", "{STORE}", "--count", "2"],
        stdin: "",
        code: 0,
        stdout: "*  sessions 4\n*  sessions 4  +0*",
        stderr: "",
    },
    Case {
        args: &["clear", "{STORE}"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: clear ends all sessions: confirm it with --yes",
    },
    Case {
        args: &["clear", "{STORE}", "--yes"],
        stdin: "",
        code: 0,
        stdout: "cleared; sessions now: 0",
        stderr: "",
    },
    Case { args: &["count", "{STORE}"], stdin: "", code: 0, stdout: "0", stderr: "" },
];

pub(crate) fn holds_on(url: &str) {
    plant(url);
    for case in CASES {
        check(case, &[("{STORE}", url)], &[]);
    }
}

#[test]
fn on_files_the_commands_do_what_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    holds_on(&format!("file://{}/sessions", folder.path().display()));
}

#[test]
#[ignore = "needs redis-server"]
fn on_redis_the_commands_do_what_the_table_says() {
    let server = RedisServer::start().unwrap();
    holds_on(&server.url());
}

#[test]
#[ignore = "needs memcached"]
fn on_memcached_the_commands_do_what_the_table_says() {
    let server = Memcached::start().unwrap();
    holds_on(&format!("{}?prefix=sess:", server.url()));
}

#[test]
#[ignore = "needs mongod"]
fn on_mongodb_the_commands_do_what_the_table_says() {
    let server = Mongod::start().unwrap();
    holds_on(&server.url());
}

/// The index removes expired sessions, so whether there is one is up to the application.
#[test]
#[ignore = "needs mongod"]
fn looking_at_mongodb_makes_neither_a_collection_nor_an_index() {
    let server = Mongod::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let from = format!("file://{}/sessions", folder.path().display());
    plant(&from);
    let (missing, there) = (format!("{}/missing", server.url()), format!("{}/there", server.url()));
    plant(&format!("{there}?autoRemove=disabled"));
    for url in [&missing, &there] {
        for args in [
            &["ls", url][..],
            &["count", url],
            &["watch", url, "--count", "2"],
            &["copy", url, "memory:"],
            &["copy", &from, url, "--dry-run"],
        ] {
            let ended = run(command().args(args), "");
            assert_eq!(ended.code, Some(0), "{args:?} {}", ended.stderr);
        }
    }
    let index = |url: &str| {
        let ended = run(command().args(["doctor", url]), "");
        let line = ended.stdout.lines().find(|line| line.contains("ttl index")).unwrap().to_owned();
        (ended.code, line)
    };
    // What it answers is the same the second time.
    for _ in 0..2 {
        let (code, line) = index(&there);
        assert!(code == Some(1) && line.contains("missing"), "{line}");
    }
    block_on(async {
        let client = Client::with_uri_str(server.url()).await.unwrap();
        let names = client.list_database_names().await.unwrap();
        assert!(!names.contains(&"missing".to_owned()), "{names:?}");
        let sessions = client.database("there").collection::<Document>("sessions");
        assert_eq!(sessions.list_index_names().await.unwrap(), ["_id_"]);
        sessions.delete_many(doc! {}).await.unwrap();
    });
    for url in [&missing, &missing, &there] {
        let (code, line) = index(url);
        assert!(code == Some(0) && line.contains("not yet"), "{line}");
    }
}
