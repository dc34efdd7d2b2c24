//! Published stores, each by the whole suite. What they break is said in `docs/npm-stores.md`, with the steps that show
//! it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod common;

use std::sync::LazyLock;

use cloakroom_compat::promisify_store;
use cloakroom_conformance::{CASES, StoreUnderTest, suite};
use cloakroom_core::Store;
use cloakroom_node::{NodeStore, NodeStoreBuilder};
use cloakroom_test_support::{Memcached, Mongod, RedisServer, node_folder, unique};

use common::PATIENCE;

/// The second handle is on the same child: a store in memory is there and nowhere else.
async fn subject(builder: NodeStoreBuilder) -> StoreUnderTest {
    let builder = builder.folder(node_folder()).deadline(PATIENCE).start_deadline(PATIENCE);
    let store = promisify_store(builder.build().unwrap()).with_deadline(PATIENCE);
    if asks_the_store() {
        // Starts the process and connects, so that no short session ends in the meantime.
        store.get("warm").await.unwrap();
    }
    StoreUnderTest::new(store.clone()).with_second_handle(store)
}

/// Whether the case of this thread, which has its name, asks the store for anything. Half of the cases need what no store
/// of npm has, and a process costs a quarter of a second.
fn asks_the_store() -> bool {
    let lacks = |part: &&str| ["atomic", "neighbour", "raw", "faults"].contains(part);
    let thread = std::thread::current();
    let case = CASES.iter().find(|case| Some(case.name()) == thread.name());
    case.is_none_or(|case| !case.needs().iter().any(lacks))
}

mod memory_store_of_express_session {
    use super::*;

    async fn memory() -> StoreUnderTest {
        subject(NodeStore::builder().module("express-session").export("MemoryStore")).await
    }

    suite!(
        memory,
        ignore = "needs the npm packages",
        not_offered = [atomic, neighbour, raw, faults],
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
        let factory = r#"async ({ module, options: { url, prefix }, load }) => {
            const { createClient } = await load("redis");
            const client = await createClient({ url }).on("error", () => {}).connect();
            return new module.RedisStore({ client, prefix });
        }"#;
        let options = serde_json::json!({ "url": SERVER.url(), "prefix": unique("case") + ":" });
        subject(NodeStore::builder().module("connect-redis").factory(factory).options(options))
            .await
    }

    suite!(
        redis,
        ignore = "needs redis-server and the npm packages",
        not_offered = [atomic, neighbour, raw, faults],
        exceptions = [
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
            crlf_between_tokens_comes_back = "JSON.stringify writes no spaces",
            doubled_names_come_back = "JSON.parse keeps the last of two",
            escapes_come_back_as_written = "JSON.stringify writes text its own way",
            member_order_comes_back = "names that are numbers come first in JavaScript",
            numbers_come_back_as_written = "JSON.parse reads numbers as doubles",
            sequences_match_a_model = "touch does not tell whether there was a session",
            set_with_an_expiry_that_is_not_a_date_is_kept =
                "NaN seconds to live destroy the session",
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
        // The constructor of the class takes the options of `MongoStore.create`.
        let options = serde_json::json!({
            "mongoUrl": format!("{}/npm", SERVER.url()),
            "collectionName": unique("case"),
        });
        subject(NodeStore::builder().module("connect-mongo").options(options)).await
    }

    suite!(
        mongo,
        ignore = "needs mongod and the npm packages",
        not_offered = [atomic, all, ids, neighbour, raw, faults],
        exceptions = [
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
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
        // One per case: `clear` empties the server.
        let server = Memcached::start().unwrap();
        let options = serde_json::json!({ "hosts": [server.addr()] });
        // It cuts fractions of a second off, takes zero for ever, and Memcached ends a session up to a second early:
        // whether a short session lives would be a matter of milliseconds.
        let factory = r#"({ module, session, options }) => {
            const store = new (module.default(session))(options);
            const set = store.set.bind(store);
            store.set = store.touch = (sid, session, callback) => {
                const { cookie } = session;
                if (cookie.expires instanceof Date && !isNaN(cookie.expires)) {
                    const seconds = Math.ceil(cookie.maxAge / 1000);
                    Object.defineProperty(cookie, "maxAge", { value: (seconds > 0 ? seconds + 1 : -1) * 1000 });
                }
                set(sid, session, callback);
            };
            return store;
        }"#;
        let builder = NodeStore::builder().module("connect-memcached").factory(factory);
        subject(builder.options(options)).await.add_guard(server)
    }

    suite!(
        memcached,
        ignore = "needs memcached and the npm packages",
        not_offered = [atomic, all, ids, length, neighbour, raw, faults],
        exceptions = [
            a_record_of_1_mb_comes_back_or_is_too_large =
                "the error does not say that the record is too large",
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
            a_session_of_31_days_is_kept = "more than 30 days are a date in 1970",
            a_session_until_the_last_date_is_kept = "more than 30 days are a date in 1970",
            a_session_until_the_year_10000_is_kept = "more than 30 days are a date in 1970",
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
        let folder = tempfile::tempdir().unwrap();
        let options =
            serde_json::json!({ "path": folder.path(), "retries": 0, "reapInterval": -1 });
        // It adds a member of its own to each session, which would hide everything else.
        let factory = r#"async ({ module, session, options }) => {
            const store = new (module.default(session))(options);
            const get = store.get.bind(store);
            store.get = (sid, callback) => get(sid, (error, found) => {
                if (found) delete found.__lastAccess;
                callback(error, found);
            });
            return store;
        }"#;
        let builder = NodeStore::builder().module("session-file-store").factory(factory);
        subject(builder.options(options)).await.add_guard(folder)
    }

    suite!(
        files,
        ignore = "needs the npm packages",
        not_offered = [atomic, all, ids, neighbour, raw, faults],
        exceptions = [
            a_runtime_that_lacks_something_is_a_config_error =
                "the call goes on elsewhere, and its outcome is unknown",
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
