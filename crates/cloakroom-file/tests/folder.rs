//! What is particular to files: names, permissions, what the folder holds, and what the system refuses.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, ErrorKind, SessionData, Store, Touched, Updated,
};
use cloakroom_file::{FileOptions, FileStore};
use futures::TryStreamExt;

const NOW: i64 = 1_750_000_000_000;
const HOUR_MS: i64 = 3_600_000;

struct Place {
    _guard: tempfile::TempDir,
    folder: PathBuf,
    clock: Clock,
    store: FileStore,
}

fn place() -> Place {
    let guard = tempfile::tempdir().unwrap();
    let folder = guard.path().join("a/sessions");
    let clock = Clock::fixed(NOW);
    let options =
        FileOptions::default().with_clock(clock.clone()).with_deadline(Duration::from_secs(60));
    let store = FileStore::in_folder(&folder, options).unwrap();
    Place { _guard: guard, folder, clock, store }
}

impl Place {
    fn path(&self, sid: &str) -> PathBuf {
        self.folder.join(format!("{sid}.json"))
    }

    fn text(&self, sid: &str) -> String {
        fs::read_to_string(self.path(sid)).unwrap()
    }

    fn write(&self, sid: &str, text: &str) {
        fs::create_dir_all(&self.folder).unwrap();
        fs::write(self.path(sid), text).unwrap();
    }
}

fn session(who: &str, max_age_ms: impl Into<Option<i64>>) -> SessionData {
    let mut session = SessionData::new();
    session.cookie_mut().set_max_age_ms(max_age_ms.into(), NOW).unwrap();
    session.insert("who", who).unwrap();
    session
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_what_session_file_store_writes() {
    let place = place();
    place.store.set("a", &session("ann", HOUR_MS / 2)).await.unwrap();
    place.store.set("b", &session("ann", None)).await.unwrap();
    assert_eq!(
        place.text("a"),
        r#"{"cookie":{"originalMaxAge":1800000,"expires":"2025-06-15T15:36:40.000Z","httpOnly":true,"path":"/"},"who":"ann","__lastAccess":1750000000000}"#
    );
    assert_eq!(
        place.text("b"),
        r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"who":"ann","__lastAccess":1750000000000}"#
    );
}

#[tokio::test]
async fn a_cookie_with_a_date_alone_lives_until_then() {
    let place = place();
    let mut dated = session("ann", None);
    dated.cookie_mut().set_expires_ms(Some(NOW + 9 * HOUR_MS), NOW).unwrap();
    let dated = dated.to_json().replace(&format!(":{},", 9 * HOUR_MS), ":null,");
    place.store.set("a", &SessionData::from_json(dated).unwrap()).await.unwrap();
    // Node.js adds its ttl to this time, an hour.
    assert!(place.text("a").ends_with(&format!(r#""__lastAccess":{}}}"#, NOW + 8 * HOUR_MS)));
    place.clock.advance(9 * HOUR_MS);
    assert!(place.store.get("a").await.unwrap().is_some());
    place.clock.advance(1);
    assert_eq!(place.store.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn the_option_ttl_is_the_life_of_what_has_no_other() {
    let Place { _guard, folder, clock, .. } = place();
    let options = FileOptions::default().with_clock(clock.clone());
    let store = FileStore::in_folder(&folder, options.with_ttl(Duration::from_secs(60))).unwrap();
    store.set("browser", &session("ann", None)).await.unwrap();
    store.set("hour", &session("ann", HOUR_MS)).await.unwrap();
    clock.advance(60_001);
    assert_eq!(store.ids().try_collect::<Vec<_>>().await.unwrap(), ["hour"]);
}

#[tokio::test]
async fn a_life_of_a_part_of_a_second_begins_now_as_in_node() {
    let place = place();
    for max_age in [1, 999, 1_500, 59_999] {
        place.store.set("a", &session("ann", max_age)).await.unwrap();
        assert!(place.text("a").ends_with(&format!(r#""__lastAccess":{NOW}}}"#)), "{max_age}");
        place.clock.advance(max_age);
        assert!(place.store.get("a").await.unwrap().is_some(), "{max_age}");
        place.clock.advance(1);
        assert_eq!(place.store.get("a").await.unwrap(), None, "{max_age}");
        place.clock.set(NOW);
    }
}

#[tokio::test]
async fn a_member_of_the_time_s_name_gets_the_time_in_its_place() {
    let place = place();
    let mut session = session("ann", None);
    session.insert("__lastAccess", "mine").unwrap();
    session.insert("after", 1).unwrap();
    place.store.set("a", &session).await.unwrap();
    assert!(place.text("a").ends_with(&format!(r#""who":"ann","__lastAccess":{NOW},"after":1}}"#)));
    assert!(!place.store.get("a").await.unwrap().unwrap().contains("__lastAccess"));
}

/// JavaScript adds 0 for `null` and `false`, and 1 for `true`; what it cannot add never expires.
#[tokio::test]
async fn a_time_that_is_not_a_number_counts_as_in_node() {
    let place = place();
    for (time, is_live) in
        [("null", false), ("false", false), ("true", false), ("{}", true), ("\"x\"", true)]
    {
        place.write("a", &format!(r#"{{"cookie":{{}},"__lastAccess":{time}}}"#));
        assert_eq!(place.store.get("a").await.unwrap().is_some(), is_live, "{time}");
    }
}

#[tokio::test]
async fn a_touch_changes_the_time_and_no_other_byte() {
    let place = place();
    for (before, after) in [
        (
            r#"{"cookie":{"originalMaxAge":60000},"n":1.0,"__lastAccess":1749999990000}"#,
            "1749999990000",
        ),
        (
            r#"{ "__lastAccess" : 1749999990000 , "cookie": {"originalMaxAge":60000}, "s":"\ud83d" } "#,
            "1749999990000",
        ),
        (
            "{\"\\u005f_lastAccess\":1749999990000,\r\n\"cookie\":{\"originalMaxAge\":60000}}",
            "1749999990000",
        ),
    ] {
        place.write("a", before);
        // An hour from now, by a record that is live for a minute after its time.
        let touched = place.store.touch("a", &session("bob", HOUR_MS)).await.unwrap();
        assert_eq!(touched, Touched::Extended);
        let time = (NOW + HOUR_MS - 60_000).to_string();
        assert_eq!(place.text("a"), before.replace(after, &time));
        assert!(!place.store.get("a").await.unwrap().unwrap().contains("__lastAccess"));
    }
    // A record without the time never expires, and gets one.
    place.write("a", r#"{"a":1 }"#);
    assert!(place.store.get("a").await.unwrap().is_some());
    place.store.touch("a", &session("bob", HOUR_MS)).await.unwrap();
    assert_eq!(place.text("a"), format!(r#"{{"a":1 ,"__lastAccess":{NOW}}}"#));
}

#[tokio::test]
async fn an_id_that_leaves_the_folder_is_refused_by_every_call() {
    let place = place();
    place.store.set("inside", &session("ann", None)).await.unwrap();
    let outside = place.folder.parent().unwrap().join("x.json");
    fs::write(&outside, r#"{"cookie":{},"who":"outside"}"#).unwrap();
    let absolute = outside.with_extension("").display().to_string();
    let new = session("ann", None);
    for sid in [
        "../x",
        "./inside",
        "b/../inside",
        "sub/x",
        "/x",
        &*absolute,
        "inside\0",
        "",
        &"x".repeat(251),
    ] {
        let store = &place.store;
        let kinds = [
            store.get(sid).await.err(),
            store.set(sid, &new).await.err(),
            store.touch(sid, &new).await.err(),
            store.destroy(sid).await.err(),
            store.create(sid, &new).await.err(),
            store.update(sid, &new).await.err(),
            store.get_and_touch(sid, None).await.err(),
        ];
        for error in kinds {
            let error = error.expect("an error");
            assert_eq!(error.kind(), ErrorKind::InvalidId, "{sid}");
            assert!(sid.len() < 3 || !format!("{error} {error:?}").contains(sid), "{error}");
        }
    }
    assert!(fs::read_to_string(outside).unwrap().contains("outside"));
    assert_eq!(names(&place.folder), [".cloakroom", "inside.json"]);
}

#[tokio::test]
async fn an_id_of_250_bytes_fits() {
    let place = place();
    let sid = "é".repeat(125);
    place.store.set(&sid, &session("ann", None)).await.unwrap();
    place.store.create(&"x".repeat(250), &session("ann", None)).await.unwrap();
    assert!(place.store.get(&sid).await.unwrap().is_some());
    assert_eq!(place.store.length().await.unwrap(), 2);
}

#[tokio::test]
async fn sessions_are_for_their_owner_and_a_replaced_file_keeps_its_permissions() {
    let place = place();
    place.store.set("a", &session("ann", None)).await.unwrap();
    assert_eq!((mode(&place.path("a")), mode(&place.folder)), (0o600, 0o700));
    place.store.create("b", &session("ann", None)).await.unwrap();
    assert_eq!(mode(&place.path("b")), 0o600);
    fs::set_permissions(place.path("a"), fs::Permissions::from_mode(0o640)).unwrap();
    place.store.set("a", &session("bob", None)).await.unwrap();
    assert_eq!(mode(&place.path("a")), 0o640);
    place.clock.advance(1_000);
    place.store.touch("a", &session("bob", None)).await.unwrap();
    assert_eq!(mode(&place.path("a")), 0o640);
}

#[tokio::test]
async fn what_is_not_a_session_is_neither_listed_nor_removed() {
    let place = place();
    place.store.set("a", &session("ann", None)).await.unwrap();
    let others = ["README", "a.json.1234567", "b.JSON", ".json"];
    for name in others {
        fs::write(place.folder.join(name), "{}").unwrap();
    }
    fs::create_dir(place.folder.join("folder.json")).unwrap();
    // A record that is not in its place yet.
    fs::write(place.folder.join(".cloakroom/half.json"), "{").unwrap();
    let ids: Vec<_> = place.store.ids().try_collect().await.unwrap();
    assert_eq!((ids, place.store.length().await.unwrap()), (vec!["a".to_owned()], 1));
    fs::remove_dir(place.folder.join("folder.json")).unwrap();
    place.store.clear().await.unwrap();
    assert_eq!(names(&place.folder), [".cloakroom", ".json", "README", "a.json.1234567", "b.JSON"]);
}

#[tokio::test]
async fn nothing_is_created_by_reading() {
    let place = place();
    let Place { store, .. } = &place;
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(store.touch("a", &session("ann", None)).await.unwrap(), Touched::Missing);
    assert_eq!(store.get_and_touch("a", None).await.unwrap(), None);
    store.destroy("a").await.unwrap();
    store.clear().await.unwrap();
    assert_eq!(store.length().await.unwrap(), 0);
    assert_eq!(store.remove_expired().await.unwrap(), 0);
    assert!(!place.folder.exists());
}

#[tokio::test]
async fn a_write_leaves_nothing_beside_the_session() {
    let place = place();
    let store = &place.store;
    store.set("a", &session("ann", None)).await.unwrap();
    assert_eq!(store.create("a", &session("bob", None)).await.unwrap(), Created::Exists);
    let read = store.get("a").await.unwrap().unwrap();
    store.set("a", &session("bob", None)).await.unwrap();
    assert!(matches!(store.update("a", &read).await.unwrap(), Updated::Conflict(_)));
    store.destroy("a").await.unwrap();
    assert!(matches!(store.update("a", &read).await.unwrap(), Updated::Gone));
    let own = names(&place.folder.join(".cloakroom"));
    assert!(own.iter().all(|name| name.starts_with("lock-")), "{own:?}");
    assert_eq!(names(&place.folder), [".cloakroom"]);
}

#[tokio::test]
async fn remove_expired_removes_what_has_expired_and_what_was_left_behind() {
    let place = place();
    let store = &place.store;
    store.set("short", &session("ann", 60_000)).await.unwrap();
    store.set("long", &session("ann", 2 * HOUR_MS)).await.unwrap();
    place.write("corrupt", "{");
    place.write("for-ever", r#"{"cookie":{}}"#);
    let own = place.folder.join(".cloakroom");
    fs::write(own.join("new"), "").unwrap();
    fs::write(own.join("old"), "").unwrap();
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(7_200);
    fs::File::open(own.join("old")).unwrap().set_modified(hours_ago).unwrap();
    place.clock.advance(HOUR_MS);
    assert_eq!(store.remove_expired().await.unwrap(), 1);
    assert_eq!(names(&place.folder), [".cloakroom", "corrupt.json", "for-ever.json", "long.json"]);
    let left: Vec<_> = names(&own).into_iter().filter(|name| !name.starts_with("lock-")).collect();
    assert_eq!(left, ["new"]);
}

#[tokio::test]
async fn the_longest_deadline_is_one_for_every_call() {
    let guard = tempfile::tempdir().unwrap();
    let options = FileOptions::default().with_deadline(Duration::MAX);
    let store = FileStore::in_folder(guard.path(), options).unwrap();
    fs::write(guard.path().join("old.json"), r#"{"cookie":{},"__lastAccess":1}"#).unwrap();
    assert_eq!(store.remove_expired().await.unwrap(), 1);
    store.set("a", &session("ann", None)).await.unwrap();
    assert_eq!(store.length().await.unwrap(), 1);
    store.clear().await.unwrap();
}

#[tokio::test]
async fn a_write_reaps_once_the_interval_has_passed() {
    let guard = tempfile::tempdir().unwrap();
    let options = FileOptions::default().with_reap_interval(Duration::from_nanos(1));
    let store = FileStore::in_folder(guard.path(), options).unwrap();
    let expired = r#"{"cookie":{},"__lastAccess":1}"#;
    fs::write(guard.path().join("old.json"), expired).unwrap();
    store.set("a", &session("ann", None)).await.unwrap();
    let reaped = async {
        while guard.path().join("old.json").exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reaped).await.expect("it was not reaped");
}

#[tokio::test]
async fn a_broken_file_is_corrupt_and_stays() {
    let place = place();
    for text in [&b"{\"who\":\"squirrel\""[..], b"\xff squirrel"] {
        place.write("a", "");
        fs::write(place.path("a"), text).unwrap();
        let error = place.store.get("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(!format!("{error} {error:?}").contains("squirrel"));
        assert_eq!(fs::read(place.path("a")).unwrap(), text);
    }
}

#[tokio::test]
async fn an_expired_session_is_neither_read_nor_revived() {
    let place = place();
    place.store.set("a", &session("ann", 60_000)).await.unwrap();
    let read = place.store.get("a").await.unwrap().unwrap();
    place.clock.advance(60_001);
    assert_eq!(place.store.get("a").await.unwrap(), None);
    assert_eq!(
        place.store.touch("a", &session("ann", HOUR_MS * 9)).await.unwrap(),
        Touched::Missing
    );
    assert!(matches!(place.store.update("a", &read).await.unwrap(), Updated::Gone));
    assert_eq!(place.store.length().await.unwrap(), 0);
    let fresh = session("new", HOUR_MS * 9);
    assert!(matches!(place.store.create("a", &fresh).await.unwrap(), Created::Stored(_)));
    assert_eq!(place.store.get("a").await.unwrap(), Some(fresh));
}

#[tokio::test]
async fn a_folder_with_the_name_of_a_session_is_in_the_way_and_holds_up_nothing() {
    let place = place();
    fs::create_dir_all(place.path("folder").join("more")).unwrap();
    let atomic = place.store.atomic().unwrap();
    let created = atomic.create("folder", &session("ann", HOUR_MS)).await.unwrap();
    assert_eq!(created, Created::Exists);
    for n in 0..20 {
        place.store.set(&format!("s{n}"), &session("ann", HOUR_MS)).await.unwrap();
    }
    assert_eq!(place.store.get("folder").await.unwrap(), None);
    place.store.destroy("folder").await.unwrap();
    place.store.clear().await.unwrap();
    assert_eq!(place.store.length().await.unwrap(), 0);
    assert!(place.path("folder").join("more").is_dir());
}

/// A folder has a length too, such as 4096.
#[tokio::test]
async fn a_folder_with_the_name_of_a_session_is_no_record_that_is_too_large() {
    let place = place();
    fs::create_dir_all(place.path("folder").join("with a name that is long")).unwrap();
    let options = FileOptions::default().with_max_record(1);
    let store = FileStore::in_folder(&place.folder, options).unwrap();
    assert_eq!(store.get("folder").await.unwrap(), None);
    assert!(store.all().try_collect::<Vec<_>>().await.unwrap().is_empty());
}
