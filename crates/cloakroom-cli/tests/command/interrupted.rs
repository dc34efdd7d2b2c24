//! Ctrl-C, while a server does not answer.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use cloakroom_test_support::Mongod;

use crate::{
    block_on, plant,
    runner::{command, interrupt},
};

/// Ten minutes for each step, so that nothing but Ctrl-C ends the command in time.
const PATIENT: &str = "/?deadline=600000&serverSelectionTimeoutMS=600000&connectTimeoutMS=600000";

/// A process that is killed if the test fails.
pub(crate) struct Started(pub(crate) Child);

impl Started {
    pub(crate) fn new(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn interrupt(&self) {
        interrupt(&self.0);
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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
        let silent = format!("mongodb://{}{PATIENT}", listener.local_addr().unwrap());
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
#[ignore = "needs mongod"]
fn a_second_interrupt_ends_the_removal_of_a_check() {
    let mut server = Mongod::start().unwrap();
    let mut check = Started::new(command().args(["check", &format!("{}{PATIENT}", server.url())]));
    block_on(async {
        let client = cloakroom::mongodb::mongodb::Client::with_uri_str(server.url()).await.unwrap();
        let stored = async {
            loop {
                let names = client.database("test").list_collection_names().await.unwrap();
                if names.iter().any(|name| name.starts_with("cloakroom-check")) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(300), stored).await.unwrap();
    });
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
