//! Ctrl-C, while a server does not answer.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use cloakroom::mongodb::mongodb::{Client, bson::doc};
use cloakroom_test_support::{Mongod, Wait};
use futures::TryStreamExt;

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
        let client = Client::with_uri_str(server.url()).await.unwrap();
        until(async || !collections(&client).await.is_empty()).await;
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

/// A store creates its index in the background. mongod then creates the collection, even if the client has gone.
#[test]
#[ignore = "needs mongod"]
fn a_collection_that_mongod_creates_late_is_removed_as_well() {
    let server = Mongod::start_with(&["--setParameter", "enableTestCommands=1"]).unwrap();
    let mut check = Started::new(command().args(["check", &server.url()]));
    let mut notes = BufReader::new(check.0.stderr.take().unwrap()).lines();
    block_on(async {
        let client = Client::with_uri_str(server.url()).await.unwrap();
        let admin = client.database("admin");
        let hang = async |mode: &str| {
            let point = "hangBeforeCreateIndexesCollectionCreate";
            admin.run_command(doc! { "configureFailPoint": point, "mode": mode }).await.unwrap();
        };
        let is_under_way = async |command: &str| {
            let ours = doc! { format!("command.{command}"): { "$regex": "^cloakroom-check" } };
            let operations = [doc! { "$currentOp": {} }, doc! { "$match": ours }];
            let found = admin.aggregate(operations).await.unwrap();
            !found.try_collect::<Vec<_>>().await.unwrap().is_empty()
        };
        hang("alwaysOn").await;
        until(async || is_under_way("createIndexes").await).await;
        check.interrupt();
        let note = notes.next().unwrap().unwrap();
        assert_eq!(note, "cloakroom: interrupted; removing what the suite has stored");
        // A collection that is there already is locked by then.
        until(async || is_under_way("drop").await || collections(&client).await.is_empty()).await;
        hang("off").await;
        until(async || !is_under_way("createIndexes").await).await;
        assert_eq!(check.ended().code(), Some(1));
        assert_eq!(collections(&client).await, [""; 0]);
    });
}

/// The collections of the suite.
async fn collections(client: &Client) -> Vec<String> {
    let mut names = client.database("test").list_collection_names().await.unwrap();
    names.retain(|name| name.starts_with("cloakroom-check"));
    names
}

async fn until(holds: impl AsyncFn() -> bool) {
    let wait = Wait::until("mongod does what the test needs");
    while !holds().await {
        wait.check();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
