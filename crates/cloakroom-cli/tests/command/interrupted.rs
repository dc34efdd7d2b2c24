//! Ctrl-C, while a server does not answer.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use cloakroom_test_support::RedisServer;
use futures::StreamExt;

use crate::{
    block_on, open, plant,
    runner::{command, interrupt},
};

/// A process that is killed if the test fails.
struct Started(Child);

impl Started {
    fn new(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn interrupt(&self) {
        interrupt(&self.0);
    }

    fn ended(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command waits for an answer that never comes; without Ctrl-C, it would fail at its deadline with exit code 2.
#[test]
fn a_command_that_waits_for_a_server_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file://{}", folder.path().display());
    plant(&files);
    for (args, code) in [
        (&["watch", "{SILENT}"][..], 0),
        (&["copy", "{SILENT}", "{FILES}"], 1),
        (&["copy", "{FILES}", "{SILENT}"], 1),
        (&["check", "{FILES}", "{SILENT}"], 1),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = format!("redis://{}?deadline=3600000", listener.local_addr().unwrap());
        let args =
            args.iter().map(|arg| arg.replace("{SILENT}", &silent).replace("{FILES}", &files));
        let mut started = Started::new(command().args(args));
        let (mut connection, _) = listener.accept().unwrap();
        connection.read_exact(&mut [0]).unwrap();
        started.interrupt();
        assert_eq!(started.ended().code(), Some(code));
    }
}

/// The suite is interrupted when the server stands still, so the removal of its sessions cannot end either.
#[test]
#[ignore = "needs redis-server"]
fn a_second_interrupt_ends_the_removal_of_a_check() {
    let mut server = RedisServer::start().unwrap();
    let url = format!("{}?deadline=3600000", server.url());
    let mut check = Started::new(command().args(["check", &url]));
    let everything = open(&format!("{}?prefix=cloakroom-check", server.url()));
    let start = Instant::now();
    while block_on(everything.ids().next()).is_none() {
        assert!(start.elapsed() < Duration::from_secs(120), "the suite writes nothing");
        sleep(Duration::from_millis(10));
    }
    server.pause().unwrap();
    check.interrupt();
    let mut notes = BufReader::new(check.0.stderr.take().unwrap()).lines();
    let note = notes.next().unwrap().unwrap();
    assert_eq!(note, "cloakroom: interrupted; removing what the suite has stored");
    check.interrupt();
    let note = notes.next().unwrap().unwrap();
    assert!(
        note.starts_with("cloakroom: interrupted again; left behind: cloakroom-check-"),
        "{note}"
    );
    assert_eq!(check.ended().code(), Some(1));
}
