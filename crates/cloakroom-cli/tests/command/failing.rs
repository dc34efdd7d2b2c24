//! What fails in part: a record or an id among others.

use std::process::Stdio;

use cloakroom::SessionData;

use crate::{
    block_on, open, plant,
    runner::{Case, check, command},
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
