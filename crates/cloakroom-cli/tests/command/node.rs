//! A store of Node.js, by `node:FILE`.

use cloakroom::SessionData;

use crate::{
    block_on, open, plant,
    runner::{Case, check},
};

/// In this order, on the ten sessions of `plant` and one that cannot be ended.
const CASES: &[Case] = &[
    Case { args: &["count", "{STORE}"], stdin: "", code: 0, stdout: "11", stderr: "" },
    Case {
        args: &["ls", "{STORE}", "--where", "passport.user=42", "--format", "ids"],
        stdin: "",
        code: 0,
        stdout: "sid-0\nsid-3\nsid-6\nsid-9",
        stderr: "",
    },
    Case {
        args: &["get", "sid-3", "--store", "{STORE}"],
        stdin: "",
        code: 0,
        stdout: "size * bytes\nexpires *, in *m *\n{\n  \"cookie\": {\n*\"user\": 42\n*",
        stderr: "",
    },
    Case {
        args: &["touch", "sid-3", "--store", "{STORE}"],
        stdin: "",
        code: 0,
        stdout: "extended",
        stderr: "",
    },
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
        args: &["destroy", "--store", "{STORE}", "--where", "returns=true"],
        stdin: "",
        code: 1,
        stdout: "ended: 10",
        stderr: "cloakroom: stopped after 10 rounds, each of which found more sessions",
    },
    Case {
        args: &["copy", "{STORE}", "{FILES}"],
        stdin: "",
        code: 0,
        stdout: "copied 7, skipped 0, failed 0, in * s",
        stderr: "",
    },
    Case {
        args: &["doctor", "{STORE}"],
        stdin: "",
        code: 1,
        stdout: "  reachable *\n! conditional writes   no: *\n  listings             yes\n  in Express           the same store*",
        stderr: "",
    },
    // It breaks promises, and no session is touched by the suite.
    Case {
        args: &["check", "{STORE}"],
        stdin: "",
        code: 1,
        stdout: "*set_creates* kept *clear_removes_every_session* – *store.mjs: *\n  promise: *\n  reason: *",
        stderr: "",
    },
    Case { args: &["count", "{STORE}"], stdin: "", code: 0, stdout: "7", stderr: "" },
    Case {
        args: &["clear", "{STORE}", "--yes"],
        stdin: "",
        code: 0,
        stdout: "cleared; sessions now: 0",
        stderr: "",
    },
];

#[test]
#[ignore = "needs Node.js"]
fn on_a_store_of_node_the_commands_do_what_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("store.mjs"), include_str!("store.mjs")).unwrap();
    let store = format!("node:{}/store.mjs", folder.path().display());
    let files = format!("file://{}/files", folder.path().display());
    plant(&store);
    let mut returning = SessionData::new();
    returning.insert("returns", true).unwrap();
    block_on(open(&store).set("returning", &returning)).unwrap();
    for case in CASES {
        check(case, &[("{STORE}", &store), ("{FILES}", &files)], &[]);
    }
}
