//! Stores on Redis, and the bare client. What a cluster shares with it is used by `redis_cluster_stores.rs`.

use std::sync::Arc;

use cloakroom::redis::{RedisOptions, RedisStore};
use cloakroom_bench::{commands::of_redis, cpu};
use cloakroom_test_support::RedisServer;
use redis::{
    AsyncConnectionConfig,
    aio::{ConnectionLike, MultiplexedConnection},
    cmd,
};
use sha1::{Digest, Sha1};
use time::OffsetDateTime;
use tower_sessions_core::{
    SessionStore,
    session::{Id, Record},
};
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

use crate::{
    backend::{Answer, Backend, without_cookie},
    case::{Case, KEYS, Place, key, with_clone},
    cloakroom_store::{self, Declared, PATIENCE},
    node::NodeStore,
};

pub(crate) const BARE: &str = "redis";

/// The least that compares and sets: what is compared is a digest, as the record may be long.
const COMPARE_AND_SET: &str = "\
if redis.sha1hex(redis.call('GET', KEYS[1])) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1";

pub(crate) fn sid(number: usize) -> String {
    format!("{number:032x}")
}

fn bare_key(number: usize) -> String {
    format!("bare:{number:032x}")
}

/// The commands of our store for records of this text, on one server or in a cluster.
pub(crate) fn declared(text: &str) -> Declared {
    // The script runs the `GET` and the `SET`. A long record is compared here, under `WATCH`; a Redis that compares by
    // itself runs a `SET` alone.
    let update = if text.len() > 4_096 {
        "exec 1 · getex 1 · multi 1 · set 1 · watch 1 | set 1"
    } else {
        "evalsha 1 · get 1 · set 1 | set 1"
    };
    Declared { get: "get 1", set: "set 1", touch: "expire 1", get_and_touch: "getex 1", update }
}

/// A connection of the bare client, to one server or to a cluster.
pub(crate) trait Client: ConnectionLike + Clone + Send + Sync + 'static {}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Client for C {}

pub(crate) struct OnRedis(RedisServer);

/// Starts a Redis on the core that the subjects leave free.
pub(crate) fn start() -> RedisServer {
    let server = RedisServer::start().expect("redis-server is installed");
    cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
    server
}

/// Returns a connection, and the place of a table whose subjects use this Redis.
pub(crate) async fn place(
    server: &RedisServer,
    table: String,
    base: &'static str,
) -> (Place, MultiplexedConnection) {
    let client = redis::Client::open(server.url()).expect("it is a URL");
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let redis = client.get_multiplexed_async_connection_with_config(&config).await;
    let redis = redis.expect("Redis answers");
    let counted = redis.clone();
    let place = Place::new(table, server.id(), base, move || {
        let mut redis = counted.clone();
        async move { of_redis(&answer::<String>(cmd("INFO").arg("commandstats"), &mut redis).await) }
    });
    (place, redis)
}

impl Backend for OnRedis {
    const NAME: &str = "Redis";

    fn start() -> Self {
        Self(start())
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let url = self.0.url();
        let (place, redis) = place(&self.0, format!("{}, {size}", Self::NAME), BARE).await;
        let (mut cases, bare_answer) = bare(&place, &redis, text).await;
        let store = RedisStore::open_with(&url, RedisOptions::default().with_deadline(PATIENCE));
        let store = store.expect("it is a URL");
        let (ours, our_answer) =
            cloakroom_store::cases(&place, store, text, sid, declared(text)).await;
        let (peers, peers_answer) = tower_sessions(&place, &url, text).await;
        let node = Arc::new(NodeStore::start("connect-redis", &url, text));
        cases.extend(ours);
        cases.extend(peers);
        cases.extend(["get", "set", "touch"].map(|work| Case::node(&place, &node, work)));
        (cases, vec![bare_answer, our_answer, peers_answer, node.answer()])
    }
}

/// What the bare client does, and what it reads of the first session.
pub(crate) async fn bare(place: &Place, redis: &impl Client, text: &str) -> (Vec<Case>, Answer) {
    let text: Arc<str> = text.into();
    for number in 0..KEYS {
        set(&mut redis.clone(), &bare_key(number), &text).await;
    }
    let bytes = text.len();
    let get = with_clone(redis, move |mut redis, mut task| async move {
        while let Some(number) = task.next() {
            let mut get = cmd("GET");
            let record: Vec<u8> = answer(get.arg(bare_key(key(&task, number))), &mut redis).await;
            assert_eq!(record.len(), bytes);
        }
    });
    let set = {
        let text = Arc::clone(&text);
        with_clone(redis, move |mut redis, mut task| {
            let text = Arc::clone(&text);
            async move {
                while let Some(number) = task.next() {
                    set(&mut redis, &bare_key(key(&task, number)), &text).await;
                }
            }
        })
    };
    let touch = with_clone(redis, |mut redis, mut task| async move {
        while let Some(number) = task.next() {
            let mut expire = cmd("EXPIRE");
            expire.arg(bare_key(key(&task, number))).arg(3_600);
            let found: u32 = answer(&expire, &mut redis).await;
            assert_eq!(found, 1);
        }
    });
    let get_and_touch = with_clone(redis, move |mut redis, mut task| async move {
        while let Some(number) = task.next() {
            let mut get = cmd("GETEX");
            get.arg(bare_key(key(&task, number))).arg("EX").arg(3_600);
            let record: Vec<u8> = answer(&get, &mut redis).await;
            assert_eq!(record.len(), bytes);
        }
    });
    // The client of a cluster loads it into all primaries.
    let mut load = cmd("SCRIPT");
    load.arg("LOAD").arg(COMPARE_AND_SET);
    let script: Arc<str> = answer::<String>(&load, &mut redis.clone()).await.into();
    let digest: String =
        Sha1::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let update = with_clone(redis, move |mut redis, mut task| {
        let (script, digest, text) = (Arc::clone(&script), digest.clone(), Arc::clone(&text));
        async move {
            while let Some(number) = task.next() {
                let mut run = cmd("EVALSHA");
                run.arg(&*script).arg(1).arg(bare_key(key(&task, number)));
                run.arg(&digest).arg(&*text).arg(3_600);
                let written: u32 = answer(&run, &mut redis).await;
                assert_eq!(written, 1);
            }
        }
    });
    let first = redis.clone();
    let first = Answer::new(BARE, move || {
        let mut redis = first.clone();
        async move {
            let text: String = answer(cmd("GET").arg(bare_key(0)), &mut redis).await;
            serde_json::from_str(&text).expect("it is JSON")
        }
    });
    let cases = vec![
        Case::new(place, BARE, "get", get),
        Case::new(place, BARE, "set", set),
        Case::new(place, BARE, "touch", touch),
        Case::new(place, BARE, "get and touch", get_and_touch),
        Case::new(place, BARE, "update", update),
    ];
    (cases, first)
}

async fn answer<T: redis::FromRedisValue>(command: &redis::Cmd, redis: &mut impl Client) -> T {
    command.query_async(redis).await.expect("Redis answers")
}

async fn set(redis: &mut impl Client, key: &str, text: &str) {
    let mut set = cmd("SET");
    let () = answer(set.arg(key).arg(text).arg("EX").arg(3_600), redis).await;
}

async fn tower_sessions(place: &Place, url: &str, text: &str) -> (Vec<Case>, Answer) {
    const NAME: &str = "tower-sessions-redis-store";
    // As many connections as its documentation shows.
    let pool = Pool::new(Config::from_url(url).expect("a URL"), None, None, None, 6);
    let pool = pool.expect("the settings are valid");
    pool.connect();
    pool.wait_for_connect().await.expect("Redis answers");
    let store = tower_sessions_redis_store::RedisStore::new(pool);
    let data = without_cookie(serde_json::from_str(text).expect("it is JSON"));
    let data: std::collections::HashMap<String, serde_json::Value> =
        serde_json::from_value(data).expect("it is an object");
    let expiry_date = OffsetDateTime::now_utc() + time::Duration::hours(1);
    // `create` stores nothing over a session of another size.
    let id = |number: usize| Id((text.len() * KEYS + number) as i128);
    let record = |number| Record { id: id(number), data: data.clone(), expiry_date };
    let records: Arc<Vec<Record>> = Arc::new((0..KEYS).map(record).collect());
    for record in records.iter() {
        store.create(&mut record.clone()).await.expect("the store stores");
    }
    let all = (Arc::new(store), records);
    let (store, records) = all.clone();
    let answer = Answer::new(NAME, move || {
        let (store, records) = (Arc::clone(&store), Arc::clone(&records));
        async move {
            let record = store.load(&records[0].id).await.expect("the store answers");
            serde_json::to_value(record.expect("it is there").data).expect("it is JSON")
        }
    });
    let get = with_clone(&all, |(store, records), mut task| async move {
        while let Some(number) = task.next() {
            let record = store.load(&records[key(&task, number)].id).await;
            assert!(record.expect("the store answers").is_some());
        }
    });
    let set = with_clone(&all, |(store, records), mut task| async move {
        while let Some(number) = task.next() {
            store.save(&records[key(&task, number)]).await.expect("the store stores");
        }
    });
    (vec![Case::new(place, NAME, "get", get), Case::new(place, NAME, "set", set)], answer)
}
