//! Published stores, each by the whole suite. What they break is said in `docs/npm-stores.md`, with the steps that show
//! it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod common;

use std::{
    any::Any,
    sync::{LazyLock, Mutex},
};

use cloakroom_conformance::{CASES, StoreUnderTest, suite};
use cloakroom_core::Store;
use cloakroom_node::NodeStore;
use cloakroom_test_support::{Memcached, Mongod, RedisServer, node_folder, unique};

use common::{PATIENCE, folder, promisified, session};

/// The processes of a package that no case has at the moment. A process costs a quarter of a second, so a case leaves its
/// own to the next.
static IDLE: Mutex<Vec<Process>> = Mutex::new(Vec::new());

/// A process, and what it alone uses: a server that `clear` empties, or a folder.
struct Process {
    package: &'static str,
    store: NodeStore,
    _guard: Box<dyn Any + Send + Sync>,
}

/// The process of a case, which goes back when the case ends.
struct Lent(Option<Process>);

impl Drop for Lent {
    fn drop(&mut self) {
        IDLE.lock().unwrap().extend(self.0.take());
    }
}

/// An empty store of a package, on the server that `server` returns with its address. The second handle is on the same
/// process: a store in memory is there and nowhere else.
async fn subject<G: Any + Send + Sync>(
    package: &'static str,
    server: impl FnOnce() -> (String, G),
) -> StoreUnderTest {
    let process = idle(package).unwrap_or_else(|| {
        let (url, guard) = server();
        let name = unique("case").replace('-', "_");
        let options = serde_json::json!({ "store": package, "url": url, "unique": name });
        let builder = NodeStore::builder().folder(node_folder()).name(package).options(options);
        let builder = builder.factory(folder().join("npm.mjs").to_str().unwrap());
        let store = builder.deadline(PATIENCE).start_deadline(PATIENCE).build().unwrap();
        Process { package, store, _guard: Box::new(guard) }
    });
    let store = promisified(&process.store);
    let lent = Lent(Some(process));
    if asks_the_store() {
        store.destroy("a fresh store").await.unwrap();
        // Connects, so that no short session ends in the meantime.
        store.get("warm").await.unwrap();
    }
    StoreUnderTest::new(store.clone()).with_second_handle(store).add_guard(lent)
}

fn idle(package: &str) -> Option<Process> {
    let mut idle = IDLE.lock().unwrap();
    let at = idle.iter().position(|process| process.package == package)?;
    Some(idle.swap_remove(at))
}

/// Whether the case of this thread, which has its name, asks the store for anything. Half of the cases need what no store
/// of npm has.
fn asks_the_store() -> bool {
    let lacks = |part: &&str| ["atomic", "neighbour", "raw", "faults"].contains(part);
    let thread = std::thread::current();
    let case = CASES.iter().find(|case| Some(case.name()) == thread.name());
    case.is_none_or(|case| !case.needs().iter().any(lacks))
}

/// What the suites do by a factory, the README promises by the name of the package alone.
#[tokio::test]
#[ignore = "needs mongod, memcached and the npm packages"]
async fn packages_are_stores_without_a_factory() {
    let (mongod, memcached) = (Mongod::start().unwrap(), Memcached::start().unwrap());
    let files = tempfile::tempdir().unwrap();
    let package = |name: &str, options| NodeStore::builder().module(name).options(options);
    let memory = package("express-session", serde_json::json!({})).export("MemoryStore");
    let mongo = serde_json::json!({ "mongoUrl": format!("{}/npm", mongod.url()) });
    let hosts = serde_json::json!({ "hosts": [memcached.addr()] });
    let path = serde_json::json!({ "path": files.path(), "retries": 0, "reapInterval": -1 });
    for builder in [
        memory,
        package("connect-mongo", mongo),
        package("connect-memcached", hosts),
        package("session-file-store", path),
    ] {
        let builder = builder.folder(node_folder()).deadline(PATIENCE).start_deadline(PATIENCE);
        let store = promisified(&builder.build().unwrap());
        store.set("a", &session("ann")).await.unwrap();
        let user = store.get("a").await.unwrap().unwrap().get::<String>("user").unwrap();
        assert_eq!(user.as_deref(), Some("ann"), "{store:?}");
        store.destroy("a").await.unwrap();
        assert_eq!(store.get("a").await.unwrap(), None, "{store:?}");
    }
}

mod memory_store_of_express_session {
    use super::*;

    async fn memory() -> StoreUnderTest {
        subject("express-session", || (String::new(), ())).await
    }

    suite!(
        memory,
        ignore = "needs the npm packages",
        not_offered = [find_by, atomic, neighbour, raw, faults],
        exceptions = [
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
            crlf_between_tokens_comes_back = "JSON.stringify writes no spaces",
            doubled_names_come_back = "JSON.parse keeps the last of two",
            escapes_come_back_as_written = "JSON.stringify writes text its own way",
            member_order_comes_back = "names that are numbers come first in JavaScript",
            numbers_come_back_as_written = "JSON.parse reads numbers as doubles",
            sequences_match_a_model = "touch does not tell whether there was a session",
            set_with_an_expiry_that_is_not_a_date_is_kept = "1e300 comes back as 1e+300",
            set_keeps_a_copy_for_its_time = "a session ends by its cookie alone",
            spaces_come_back = "JSON.stringify writes no spaces",
            touch_keeps_the_cookie = "touch replaces the cookie in the record",
            touch_missing_is_missing = "touch does not tell whether there was a session",
            touch_never_revives = "touch does not tell whether there was a session",
            touch_with_a_passed_expiry_is_missing =
                "touch does not tell whether there was a session",
            touch_with_an_expiry_that_is_not_a_date_extends = "a number is an expiry here",
        ],
    );
}

mod connect_redis_10 {
    use super::*;

    static SERVER: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start().unwrap());

    async fn redis() -> StoreUnderTest {
        subject("connect-redis", || (SERVER.url(), ())).await
    }

    suite!(
        redis,
        ignore = "needs redis-server and the npm packages",
        not_offered = [find_by, atomic, neighbour, raw, faults],
        exceptions = [
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
            all_tells_the_time_left_after_a_touch =
                "all lists records, whose cookie touch leaves alone",
            crlf_between_tokens_comes_back = "JSON.stringify writes no spaces",
            doubled_names_come_back = "JSON.parse keeps the last of two",
            escapes_come_back_as_written = "JSON.stringify writes text its own way",
            every_call_gives_a_browser_session_the_same_time =
                "all lists records, whose cookie touch leaves alone",
            member_order_comes_back = "names that are numbers come first in JavaScript",
            numbers_come_back_as_written = "JSON.parse reads numbers as doubles",
            sequences_match_a_model = "touch does not tell whether there was a session",
            set_with_an_expiry_that_is_not_a_date_is_kept =
                "NaN seconds to live destroy the session",
            set_keeps_a_copy_for_its_time = "a session ends by its cookie alone",
            spaces_come_back = "JSON.stringify writes no spaces",
            touch_missing_is_missing = "touch does not tell whether there was a session",
            touch_never_revives = "touch does not tell whether there was a session",
            touch_with_a_passed_expiry_is_missing =
                "touch does not tell whether there was a session",
            touch_with_an_expiry_that_is_not_a_date_extends =
                "NaN seconds to live are an error of Redis",
        ],
    );
}

mod connect_mongo_6 {
    use super::*;

    static SERVER: LazyLock<Mongod> = LazyLock::new(|| Mongod::start().unwrap());

    async fn mongo() -> StoreUnderTest {
        subject("connect-mongo", || (SERVER.url(), ())).await
    }

    suite!(
        mongo,
        ignore = "needs mongod and the npm packages",
        not_offered = [find_by, atomic, all, ids, neighbour, raw, faults],
        exceptions = [
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
            a_touch_that_meets_a_destroy_revives_nothing = "touch of a missing session is an error",
            crlf_between_tokens_comes_back = "JSON.stringify writes no spaces",
            doubled_names_come_back = "JSON.parse keeps the last of two",
            escapes_come_back_as_written = "JSON.stringify writes text its own way",
            length_leaves_expired_sessions_out =
                "length counts expired sessions until MongoDB removes them",
            member_order_comes_back = "names that are numbers come first in JavaScript",
            numbers_come_back_as_written = "JSON.parse reads numbers as doubles",
            sequences_match_a_model = "touch of a missing session is an error",
            set_with_an_expiry_that_is_not_a_date_is_kept = "such an expiry is stored as 1970",
            spaces_come_back = "JSON.stringify writes no spaces",
            touch_missing_is_missing = "touch of a missing session is an error",
            touch_never_creates = "touch of a missing session is an error",
            touch_never_revives = "touch extends an expired session that is still stored",
            touch_refuses_an_empty_id = "touch of a missing session is an error",
            touch_takes_every_id_that_set_takes = "touch of a missing session is an error",
            touch_with_a_passed_expiry_is_missing =
                "touch does not tell whether there was a session",
            touch_with_an_expiry_that_is_not_a_date_extends = "such an expiry is stored as 1970",
        ],
    );
}

mod connect_memcached_3 {
    use super::*;

    async fn memcached() -> StoreUnderTest {
        let server = || {
            let server = Memcached::start().unwrap();
            (server.addr(), server)
        };
        subject("connect-memcached", server).await
    }

    suite!(
        memcached,
        ignore = "needs memcached and the npm packages",
        not_offered = [find_by, atomic, all, ids, length, neighbour, raw, faults],
        exceptions = [
            a_record_of_1_mb_comes_back_or_is_too_large =
                "the error does not say that the record is too large",
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
            a_session_of_31_days_is_kept = "more than 30 days are a date in 1970",
            a_session_until_the_last_date_is_kept = "more than 30 days are a date in 1970",
            a_session_until_the_year_10000_is_kept = "more than 30 days are a date in 1970",
            a_touch_that_meets_a_destroy_revives_nothing = "touch stores the whole session",
            a_touch_that_meets_a_set_undoes_nothing = "touch stores the whole session",
            crlf_between_tokens_comes_back = "JSON.stringify writes no spaces",
            doubled_names_come_back = "JSON.parse keeps the last of two",
            escapes_come_back_as_written = "JSON.stringify writes text its own way",
            ids_in_unicode_are_kept_apart = "white space in an id is an error, but not of the id",
            ids_with_control_characters_are_kept_apart = "a NUL ends the key",
            ids_with_odd_characters_are_kept_apart =
                "white space in an id is an error, but not of the id",
            member_order_comes_back = "names that are numbers come first in JavaScript",
            numbers_come_back_as_written = "JSON.parse reads numbers as doubles",
            sequences_match_a_model = "touch stores the whole session",
            set_with_an_expiry_that_is_not_a_date_is_kept = "1e300 comes back as 1e+300",
            spaces_come_back = "JSON.stringify writes no spaces",
            touch_keeps_the_cookie = "touch stores the whole session",
            touch_keeps_the_members = "touch stores the whole session",
            touch_missing_is_missing = "touch stores the whole session",
            touch_never_creates = "touch stores the whole session",
            touch_never_revives = "touch stores the whole session",
            touch_takes_every_id_that_set_takes = "a NUL ends the key",
            touch_with_a_passed_expiry_is_missing =
                "touch does not tell whether there was a session",
        ],
    );
}

mod session_file_store {
    use super::*;

    async fn files() -> StoreUnderTest {
        let folder = || {
            let folder = tempfile::tempdir().unwrap();
            (folder.path().to_str().unwrap().to_owned(), folder)
        };
        subject("session-file-store", folder).await
    }

    suite!(
        files,
        ignore = "needs the npm packages",
        not_offered = [find_by, atomic, all, ids, neighbour, raw, faults],
        exceptions = [
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
            a_touch_that_meets_a_destroy_revives_nothing = "touch of a missing session is an error",
            a_touch_that_meets_a_set_undoes_nothing = "touch writes back the record that it read",
            crlf_between_tokens_comes_back = "JSON.stringify writes no spaces",
            doubled_names_come_back = "JSON.parse keeps the last of two",
            escapes_come_back_as_written = "JSON.stringify writes text its own way",
            ids_with_control_characters_are_kept_apart =
                "a NUL in an id is an error, but not of the id",
            ids_with_odd_characters_are_kept_apart = "a slash in an id is a folder",
            length_leaves_expired_sessions_out = "length counts files",
            long_ids_are_kept_apart =
                "the error of the file system does not say that the id is too long",
            member_order_comes_back = "names that are numbers come first in JavaScript",
            numbers_come_back_as_written = "JSON.parse reads numbers as doubles",
            sequences_match_a_model = "touch of a missing session is an error",
            set_with_an_expiry_that_is_not_a_date_is_kept = "1e300 comes back as 1e+300",
            spaces_come_back = "JSON.stringify writes no spaces",
            touch_keeps_the_cookie = "touch replaces the cookie in the record",
            touch_missing_is_missing = "touch of a missing session is an error",
            touch_never_creates = "touch of a missing session is an error",
            touch_never_revives = "touch extends an expired session that is still stored",
            touch_refuses_an_empty_id = "touch of a missing session is an error",
            touch_takes_every_id_that_set_takes = "touch of a missing session is an error",
            touch_with_a_passed_expiry_is_missing =
                "touch does not tell whether there was a session",
        ],
    );
}
