//! How many commands a request costs at a real Redis.

use std::{collections::BTreeMap, time::Duration};

use cloakroom::{
    Secrets,
    redis::RedisStore,
    tower::{RequestHead, Session, SessionEngine, SessionOptions},
};
use cloakroom_test_support::RedisServer;
use redis::Connection;

struct Bench {
    engine: SessionEngine,
    cookie: Option<String>,
    raw: Connection,
    _server: RedisServer,
}

impl Bench {
    fn start(max_age: Option<Duration>) -> Self {
        let server = RedisServer::start().unwrap();
        let mut options = SessionOptions::new();
        options.cookie.max_age = max_age;
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let store = RedisStore::open(&server.url()).unwrap();
        let engine = options.engine(store, secrets).unwrap();
        let raw = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        Self { engine, cookie: None, raw, _server: server }
    }

    /// A request, and the commands that Redis has carried out for it.
    async fn request(&mut self, handler: impl AsyncFnOnce(&Session)) -> BTreeMap<String, u64> {
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut self.raw).unwrap();
        let mut request = http::Request::new(());
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert("cookie", cookie.parse().unwrap());
        }
        let session = self.engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
        handler(&session).await;
        if let Some(line) = self.engine.commit(&session).await.unwrap() {
            self.cookie = line.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        self.commands()
    }

    fn commands(&mut self) -> BTreeMap<String, u64> {
        let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut self.raw).unwrap();
        let commands = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        });
        // What the test itself asks, and what a connection begins with.
        let own = |name: &str| {
            ["config", "info", "client", "hello", "select"].iter().any(|own| name.starts_with(own))
        };
        commands.filter(|(name, _): &(String, u64)| !own(name)).collect()
    }
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_request_that_reads_is_one_command_and_an_anonymous_one_none() {
    for max_age in [None, Some(Duration::from_secs(60))] {
        let mut bench = Bench::start(max_age);
        assert_eq!(bench.request(async |_| {}).await, counts([]), "anonymous");
        let login = bench.request(async |session| session.insert("n", 1).unwrap()).await;
        assert_eq!(login, counts([("set", 1)]), "a new session");
        for _ in 0..3 {
            let read = bench.request(async |session| assert!(!session.is_new())).await;
            assert_eq!(read, counts([("getex", 1)]), "read");
        }
        // The first one teaches Redis the script, whose inner commands are counted too.
        bench.request(async |session| session.insert("n", 2).unwrap()).await;
        let write = bench.request(async |session| session.insert("n", 3).unwrap()).await;
        assert_eq!((write["getex"], write["evalsha"]), (1, 1), "changed: {write:?}");
        let logout = bench.request(async |session| session.destroy().await.unwrap()).await;
        // The `set` is the marker of a logout.
        assert_eq!(logout, counts([("del", 1), ("getex", 1), ("set", 1)]), "destroyed");
    }
}
