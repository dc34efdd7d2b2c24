//! Several processes on one folder: each test starts itself again, with the folder in a variable.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, SessionData, Store, Touched, Updated,
};
use cloakroom_file::{FileOptions, FileStore};
use futures::TryStreamExt;

const FOLDER: &str = "CLOAKROOM_FILE_TEST_FOLDER";

/// Larger than a pipe, a page and the buffer of any writer.
const LARGE: usize = 300_000;

fn store(folder: &Path) -> FileStore {
    let options = FileOptions::default().with_deadline(Duration::from_secs(60));
    FileStore::in_folder(folder, options).unwrap()
}

/// The folder, in a process that a test has started.
fn started_for() -> Option<FileStore> {
    env::var_os(FOLDER).map(|folder| store(Path::new(&folder)))
}

/// A process that is killed when it is dropped, also by a test that fails.
struct Started(Child);

impl Started {
    /// The same test in another process.
    fn new(test: &str, folder: &Path) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--include-ignored"])
            .env(FOLDER, folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        self.0.wait().unwrap();
    }
}

fn session(word: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert("who", word).unwrap();
    session
}

fn count(session: &SessionData) -> u32 {
    session.get("count").unwrap().unwrap_or_default()
}

/// Adds one, again where somebody else was faster.
async fn add_one(store: &FileStore) -> Result<(), Error> {
    let mut current = store.get("a").await?.expect("the session is there");
    loop {
        current.insert("count", count(&current) + 1)?;
        match store.update("a", &current).await? {
            Updated::Stored(_) => return Ok(()),
            Updated::Conflict(newer) => current = newer,
            Updated::Gone => panic!("the session is gone"),
        }
    }
}

#[tokio::test]
async fn updates_of_several_processes_lose_nothing() {
    const PROCESSES: u32 = 4;
    const TIMES: u32 = 50;

    if let Some(store) = started_for() {
        for _ in 0..TIMES {
            add_one(&store).await.unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    store.set("a", &session("ann")).await.unwrap();
    let start = |_| Started::new("updates_of_several_processes_lose_nothing", folder.path());
    let processes: Vec<_> = (0..PROCESSES).map(start).collect();
    // At the same time, touches move the time in the same file.
    for _ in 0..TIMES {
        store.get_and_touch("a", None).await.unwrap();
    }
    for mut process in processes {
        assert!(process.0.wait().unwrap().success());
    }
    let counted = count(&store.get("a").await.unwrap().unwrap());
    assert_eq!(counted, PROCESSES * TIMES);
}

#[tokio::test]
async fn a_killed_process_leaves_a_whole_record_and_no_lock() {
    if let Some(store) = started_for() {
        // Until it is killed.
        for word in ["a", "b"].into_iter().cycle() {
            store.set("a", &session(&word.repeat(LARGE))).await.unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for round in 0..20_u32 {
        store.set("a", &session("nobody")).await.unwrap();
        let mut process =
            Started::new("a_killed_process_leaves_a_whole_record_and_no_lock", folder.path());
        let who = || async {
            let read = store.get("a").await.unwrap().expect("the session is there");
            read.get::<String>("who").unwrap().unwrap()
        };
        while who().await == "nobody" {
            assert_eq!(process.0.try_wait().unwrap(), None, "it writes until it is killed");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // At another moment of its write in each round.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 137));
        drop(process);
        let who = who().await;
        assert!(["a", "b"].iter().any(|word| who == word.repeat(LARGE)), "{} bytes", who.len());
        let ids: Vec<_> = store.ids().try_collect().await.unwrap();
        assert_eq!(ids, ["a"]);
    }
    store.destroy("a").await.unwrap();
    assert_eq!(store.length().await.unwrap(), 0);
}

/// In a mount namespace, with the folder on a file system of 256 KiB.
#[tokio::test]
#[ignore = "needs unshare with user namespaces"]
async fn a_full_disk_is_full_and_the_old_record_stays() {
    if let Some(store) = started_for() {
        store.set("the-id", &session("ann")).await.unwrap();
        let large = session(&"x".repeat(LARGE));
        let read = store.get("the-id").await.unwrap().unwrap();
        let mut changed = read.clone();
        changed.insert("large", "x".repeat(LARGE)).unwrap();
        for error in [
            store.set("the-id", &large).await.unwrap_err(),
            store.create("another", &large).await.unwrap_err(),
            store.update("the-id", &changed).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Full, "{error}");
            assert!(error.to_string().ends_with("cannot write a session: the disk is full"));
            assert!(!format!("{error:?}").contains("the-id"), "{error:?}");
        }
        assert_eq!(store.get("the-id").await.unwrap(), Some(read));
        // What was half written has gone, so there is room again.
        store.set("small", &session("bob")).await.unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=256k none "$0" && exec "$@""#;
    apart(
        "a_full_disk_is_full_and_the_old_record_stays",
        folder.path(),
        &["--map-root-user", "--mount", "sh", "-ec", script],
    );
}

/// Runs the same test in namespaces of its own, by this command of `unshare`.
fn apart(test: &str, folder: &Path, command: &[&str]) {
    let output = Command::new("unshare")
        .arg("--user")
        .args(command)
        .arg(folder)
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored"])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

/// Runs the same test as a user whom permissions hold for, whoever runs the tests.
fn without_privileges(test: &str, folder: &Path) {
    apart(test, folder, &["sh", "-ec", r#"exec "$@""#]);
}

fn permit(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

/// So its cost does not grow with the number of sessions.
#[tokio::test]
#[ignore = "needs unshare with user namespaces"]
async fn no_call_on_one_session_lists_the_folder() {
    const TEST: &str = "no_call_on_one_session_lists_the_folder";

    let Some(store) = started_for() else {
        let folder = tempfile::tempdir().unwrap();
        store(folder.path()).set("a", &session("ann")).await.unwrap();
        // Files can be found by their names, and cannot be listed.
        permit(folder.path(), 0o300);
        without_privileges(TEST, folder.path());
        return permit(folder.path(), 0o700);
    };
    // What brings a name to the disk opens the folder as one that lists it does.
    let error = store.set("a", &session("bob")).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(store.get("a").await.unwrap(), Some(session("bob")));
    let options = FileOptions::default().with_durable(false);
    let store = FileStore::in_folder(store.path(), options).unwrap();
    assert_eq!(store.length().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let read = store.get("a").await.unwrap().unwrap();
    store.set("b", &session("bob")).await.unwrap();
    assert_eq!(store.touch("a", &read).await.unwrap(), Touched::Extended);
    assert!(store.get_and_touch("a", None).await.unwrap().is_some());
    assert!(matches!(store.create("c", &read).await.unwrap(), Created::Stored(_)));
    assert!(matches!(store.update("a", &read).await.unwrap(), Updated::Stored(_)));
    store.destroy("a").await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs unshare with user namespaces"]
async fn a_folder_that_is_read_only_can_be_read() {
    const TEST: &str = "a_folder_that_is_read_only_can_be_read";

    let Some(store) = started_for() else {
        let folder = tempfile::tempdir().unwrap();
        store(folder.path()).set("the-id", &session("ann")).await.unwrap();
        permit(folder.path(), 0o500);
        without_privileges(TEST, folder.path());
        permit(folder.path(), 0o700);
        return;
    };
    let read = store.get("the-id").await.unwrap().unwrap();
    assert_eq!(store.length().await.unwrap(), 1);
    for error in [
        store.set("the-id", &session("bob")).await.unwrap_err(),
        store.create("another", &session("bob")).await.unwrap_err(),
        store.update("the-id", &read).await.unwrap_err(),
        store.get_and_touch("the-id", Some(Duration::from_secs(9))).await.unwrap_err(),
        store.destroy("the-id").await.unwrap_err(),
        store.clear().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().ends_with("permission denied"), "{error}");
        assert!(!error.outcome_unknown() && !format!("{error:?}").contains("the-id"), "{error:?}");
    }
    assert_eq!(store.get("the-id").await.unwrap(), Some(read));
}

#[tokio::test]
async fn what_the_system_refuses_is_an_error_without_the_id() {
    let guard = tempfile::tempdir().unwrap();
    let file = guard.path().join("file");
    fs::write(&file, "").unwrap();
    let store = store(&file.join("sessions"));
    for (operation, error) in [
        ("get", store.get("the-id").await.unwrap_err()),
        ("set", store.set("the-id", &session("ann")).await.unwrap_err()),
        ("create", store.create("the-id", &session("ann")).await.unwrap_err()),
        ("length", store.length().await.unwrap_err()),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        assert!(text.starts_with(&format!("file: {operation}: cannot ")), "{text}");
        assert!(text.ends_with("a part of the path is not a folder"), "{text}");
        assert!(!format!("{error:?}").contains("the-id"), "{error:?}");
        assert!(!error.outcome_unknown());
    }
}
