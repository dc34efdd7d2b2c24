//! Published stores, each by the whole suite. What they break is said in `docs/npm-stores.md`, with the steps that show
//! it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod common;

use std::sync::LazyLock;

use cloakroom_compat::{Promisified, promisify_store};
use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_node::{NodeStore, NodeStoreBuilder};
use cloakroom_test_support::{Memcached, Mongod, RedisServer, node_folder, unique};

use common::PATIENCE;

/// A store of the packages in `tests/node`.
fn npm(builder: NodeStoreBuilder) -> Promisified<NodeStore> {
    let builder = builder.folder(node_folder()).deadline(PATIENCE).start_deadline(PATIENCE);
    promisify_store(builder.build().unwrap()).with_deadline(PATIENCE)
}

/// The second handle is on the same child: a store in memory is there and nowhere else.
fn subject(store: Promisified<NodeStore>) -> StoreUnderTest {
    StoreUnderTest::new(store.clone()).with_second_handle(store)
}

mod memory_store_of_express_session {
    use super::*;

    async fn memory() -> StoreUnderTest {
        subject(npm(NodeStore::builder().module("express-session").export("MemoryStore")))
    }

    suite!(
        memory,
        ignore = "needs the npm packages",
        not_offered = [atomic, neighbour, raw, faults],
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
        subject(npm(NodeStore::builder().module("connect-redis").factory(factory).options(options)))
    }

    suite!(
        redis,
        ignore = "needs redis-server and the npm packages",
        not_offered = [atomic, neighbour, raw, faults],
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
        subject(npm(NodeStore::builder().module("connect-mongo").options(options)))
    }

    suite!(
        mongo,
        ignore = "needs mongod and the npm packages",
        not_offered = [atomic, all, ids, neighbour, raw, faults],
    );
}

mod connect_memcached_3 {
    use super::*;

    static SERVER: LazyLock<Memcached> = LazyLock::new(|| Memcached::start().unwrap());

    async fn memcached() -> StoreUnderTest {
        let options =
            serde_json::json!({ "hosts": [SERVER.addr()], "prefix": unique("case") + ":" });
        subject(npm(NodeStore::builder().module("connect-memcached").options(options)))
    }

    suite!(
        memcached,
        ignore = "needs memcached and the npm packages",
        // Its `clear` would empty the server, and its `length` is not a number.
        not_offered = [atomic, all, ids, neighbour, raw, faults],
    );
}

mod session_file_store {
    use super::*;

    async fn files() -> StoreUnderTest {
        let folder = tempfile::tempdir().unwrap();
        let options =
            serde_json::json!({ "path": folder.path(), "retries": 0, "reapInterval": -1 });
        subject(npm(NodeStore::builder().module("session-file-store").options(options)))
            .add_guard(folder)
    }

    suite!(
        files,
        ignore = "needs the npm packages",
        not_offered = [atomic, all, ids, neighbour, raw, faults],
    );
}
