//! Arguments that are wrong, and what needs no store.

use std::{io::Read, process::Stdio};

use crate::{
    plant,
    runner::{Case, check, command, run},
};

const CASES: &[Case] = &[
    Case {
        args: &[],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "Look at, copy and end*Usage: cloakroom <COMMAND>*Exit codes: 0*",
    },
    Case { args: &["--version"], stdin: "", code: 0, stdout: "cloakroom 0.1.0", stderr: "" },
    Case {
        args: &["--help"],
        stdin: "",
        code: 0,
        stdout: "*Examples:*cloakroom ls redis://localhost*",
        stderr: "",
    },
    Case {
        args: &["copy", "--help"],
        stdin: "",
        code: 0,
        stdout: "*--dry-run*--verify*--move*Examples:*",
        stderr: "",
    },
    Case {
        args: &["list"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: unrecognized subcommand '…'*",
    },
    Case {
        args: &["lss"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: unrecognized subcommand '…'*a similar subcommand exists: 'ls'*",
    },
    Case {
        args: &["copy", "memory:", "memory:", "--verifi"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: unexpected argument '…' found*a similar argument exists: '--verify'*",
    },
    Case {
        args: &["get", "-an-id", "--store", "memory:"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: unexpected argument '…' found*tip: write -- before an id that begins with -*",
    },
    Case {
        args: &["get", "--store", "memory:", "--", "-an-id"],
        stdin: "",
        code: 1,
        stdout: "",
        stderr: "cloakroom: no session has this id",
    },
    Case {
        args: &["ls", "memory:", "--format", "jsn"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: invalid value '…' for '--format <FORMAT>'*possible values: table, json, ids*similar value exists: 'json'*",
    },
    Case {
        args: &["copy", "memory:", "memory:", "--concurrency", "5000"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: invalid value '…' for '--concurrency <N>': 5000 is not in 1..=4096*",
    },
    Case {
        args: &["ls", "env:"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: invalid env: must be followed by the name of an environment variable",
    },
    Case { args: &["ls"], stdin: "", code: 2, stdout: "", stderr: "error: *<STORE>*" },
    Case {
        args: &["ls", "redi://localhost"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: cloakroom: open: unknown scheme \"redi\": did you mean \"redis\"?",
    },
    Case {
        args: &["ls", "redis://ann:hush@localhost:70000"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: redis: open: invalid port*",
    },
    Case {
        args: &["ls", "env:NOT_SET"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: the environment variable \"NOT_SET\" is not set",
    },
    Case {
        args: &["count", "redis://127.0.0.1:1"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: redis: length: *",
    },
    Case {
        args: &["doctor", "redis://127.0.0.1:1"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: redis: ping: *",
    },
    Case {
        args: &["check", "redis://127.0.0.1:1"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: redis: ping: *",
    },
    Case {
        args: &["copy", "memory:", "redis://127.0.0.1:1"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: redis: ping: *",
    },
    Case {
        args: &["ls", "memory:", "--where", "passport.user"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: invalid --where: must be MEMBER=VALUE, as in passport.user=42",
    },
    Case {
        args: &["destroy", "--store", "memory:"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: *required*",
    },
    Case {
        args: &["destroy", "a", "--where", "n=1", "--store", "memory:"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: *cannot be used with*",
    },
    Case {
        args: &["copy", "memory:", "memory:", "--move", "--verify"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "error: *cannot be used with*",
    },
    Case {
        args: &["clear", "memory:"],
        stdin: "yes\n",
        code: 2,
        stdout: "",
        stderr: "cloakroom: clear ends all sessions: confirm it with --yes",
    },
    // The exit code of an id without a session is 1.
    Case {
        args: &["destroy", "redis://ann:hush@h", "--store", "memory:"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: invalid ID: it is the URL of a store; pass a store with --store, and an id that looks like a URL on standard input",
    },
    Case {
        args: &["get", "memory:", "--store", "memory:"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: invalid ID: it is the URL of a store; pass a store with --store, and an id that looks like a URL on standard input",
    },
    Case {
        args: &["get", "-", "--store", "memory:"],
        stdin: "memory:",
        code: 1,
        stdout: "",
        stderr: "cloakroom: no session has this id",
    },
    Case {
        args: &["get", "", "--store", "memory:"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: memory: get: invalid id: must not be empty",
    },
    Case {
        args: &["cookie", "sign", "abc"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: no secret: name a file with --secret-file, or set the environment variable CLOAKROOM_SECRETS",
    },
    Case {
        args: &["completions", "bash"],
        stdin: "",
        code: 0,
        stdout: "_cloakroom()*",
        stderr: "",
    },
    Case {
        args: &["man"],
        stdin: "",
        code: 0,
        stdout: "*.TH cloakroom*cloakroom\\-copy*",
        stderr: "",
    },
    Case {
        args: &["doctor", "memory:"],
        stdin: "",
        code: 0,
        stdout: "  reachable *\n  conditional writes   yes\n*",
        stderr: "",
    },
    Case {
        args: &["watch", "memory:", "--count", "1"],
        stdin: "",
        code: 0,
        stdout: "memory  sessions 0",
        stderr: "",
    },
];

#[test]
fn arguments_are_read_as_the_table_says() {
    for case in CASES {
        check(case, &[], &[]);
    }
}

#[test]
fn no_message_repeats_a_secret_or_an_id() {
    for args in [
        &["ls", "redis://ann:hush@127.0.0.1:1"][..],
        &["ls", "redis://ann:hush@localhost?prefx=hush"],
        &["get", "hush", "--store", "redis://127.0.0.1:1"],
        &["get", "hush", "--store", "memory:"],
        &["touch", "hush", "--store", "memory:"],
        &["destroy", "hush", "--store", "memory:"],
        &["destroy", "--store", "memory:", "--where", "hush"],
        &["copy", "mongodb://ann:hush@127.0.0.1:1/app?x=1", "memory:"],
        &["redis://ann:hush@h"],
        &["hush"],
        &["ls", "env:redis://ann:hush@h"],
        &["ls", "env:1hush"],
        &["ls", "memory:", "hush"],
        &["ls", "memory:", "--hush"],
        &["ls", "memory:", "--hush=1"],
        &["ls", "memory:", "--limit", "hush"],
        &["ls", "memory:", "--format=hush"],
        &["copy", "memory:", "memory:", "redis://ann:hush@h"],
        &["copy", "memory:", "memory:", "--verify=hush"],
        &["copy", "memory:", "memory:", "--concurrency", "hush"],
        &["get", "an id", "hush", "--store", "memory:"],
        &["get", "-xhush", "--store", "memory:"],
        &["get", "--hush", "--store", "memory:"],
        &["cookie", "hush"],
        &["cookie", "sign", "an id", "hush"],
        &["completions", "hush"],
    ] {
        let ended = run(command().args(args), "");
        assert_ne!(ended.code, Some(0), "{args:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!said.contains("hush"), "{args:?}: {said}");
    }
}

#[test]
fn the_store_can_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    plant(&url);
    let ended = run(command().arg("count").env("CLOAKROOM_URL", &url), "");
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "10\n"), "{}", ended.stderr);
    let ended = run(command().args(["count", "env:OTHER"]).env("OTHER", &url), "");
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "10\n"), "{}", ended.stderr);
    let help = run(command().args(["ls", "--help"]).env("CLOAKROOM_URL", "redis://:hush@h"), "");
    assert!(!help.stdout.contains("hush"), "{}", help.stdout);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_told() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"redis://\xff");
    for (name, args) in [
        ("STORE", ["count", "env:STORE"].as_slice()),
        ("CLOAKROOM_SECRETS", &["cookie", "sign", "a"]),
    ] {
        let ended = run(command().env(name, value).args(args), "");
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
        assert!(ended.stderr.contains("is not valid UTF-8"), "{}", ended.stderr);
    }
}

/// As `| head -1` does.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}?durable=false", folder.path().display());
    crate::block_on(async {
        let sessions = crate::open(&url);
        for number in 0..2_000 {
            let sid = format!("{number}-{}", "x".repeat(100));
            sessions.set(&sid, &cloakroom::SessionData::new()).await.unwrap();
        }
    });
    let mut child =
        command().args(["ls", &url]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

#[test]
fn nothing_is_coloured_and_no_bar_is_drawn_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    plant(&url);
    for args in [
        &["copy", &url, "memory:"][..],
        &["ls", &url],
        &["doctor", &url],
        &["watch", &url, "--count", "2"],
    ] {
        let ended = run(command().args(args), "");
        assert!(!ended.stdout.contains('\u{1b}') && !ended.stderr.contains('\u{1b}'), "{args:?}");
    }
}
