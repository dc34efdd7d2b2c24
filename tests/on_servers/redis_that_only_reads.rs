//! A Redis that refuses writes, behind the layer: requests that only read get their sessions, as from Express.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cloakroom::{
    ErrorKind, Secrets,
    redis::RedisStore,
    tower::{RequestHead, SessionEngine, SessionOptions},
};
use cloakroom_test_support::{RedisServer, Wait, free_port};
use redis::{Cmd, Connection};

struct Bench {
    server: RedisServer,
    engine: SessionEngine,
    cookie: String,
    told: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    /// A server with the session of a login.
    async fn start(options: &[&str]) -> Self {
        let server = RedisServer::start_with(options).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let mut options = SessionOptions::new();
        options.failure.on_error =
            Some(Arc::new(move |error| log.lock().unwrap().push(error.to_string())));
        let store = RedisStore::open(&server.url()).unwrap();
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let engine = options.engine(store, secrets).unwrap();
        let session = engine.load(RequestHead::from(&http::Request::new(()))).await.unwrap();
        let session = session.unwrap();
        session.insert("user", "ann").unwrap();
        let line = engine.commit(&session).await.unwrap().unwrap();
        let cookie = line.to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { server, engine, cookie, told }
    }

    fn client(&self) -> Connection {
        redis::Client::open(self.server.url()).unwrap().get_connection().unwrap()
    }

    fn raw(&self, command: &mut Cmd) {
        command.exec(&mut self.client()).unwrap();
    }

    /// Requests that read are served, one that writes fails, and `on_error` is told once of the reason.
    async fn check(&self, reason: &str) {
        let request = http::Request::get("/").header("cookie", &self.cookie).body(()).unwrap();
        for _ in 0..5 {
            let session = self.engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
            assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ann"), "{reason}");
            assert_eq!(self.engine.commit(&session).await.unwrap(), None, "{reason}");
        }
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        assert_eq!(told.len(), 1, "{reason}: {told:?}");
        assert!(told[0].contains(reason), "{reason}: {told:?}");
        let session = self.engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
        session.insert("user", "bob").unwrap();
        let error = self.engine.commit(&session).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{reason}: {error}");
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
}

/// The second list makes Redis look like one before 6.2, where a script stands for `GETEX`.
const SERVERS: [&[&str]; 2] = [&[], &["--rename-command", "GETEX", ""]];

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_cannot_save() {
    for options in SERVERS {
        let saving = ["--save", "3600 1", "--enable-protected-configs", "yes"];
        let bench = Bench::start(&[&saving[..], options].concat()).await;
        bench.raw(redis::cmd("CONFIG").arg("SET").arg("dir").arg("/proc"));
        bench.raw(&mut redis::cmd("BGSAVE"));
        let mut client = bench.client();
        let wait = Wait::until("the server refuses writes");
        while redis::cmd("SET").arg("x").arg(1).exec(&mut client).is_ok() {
            wait.check();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bench.check("cannot save").await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_has_become_a_replica() {
    for options in SERVERS {
        let bench = Bench::start(options).await;
        bench.raw(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(free_port()));
        bench.check("replica").await;
        bench.raw(redis::cmd("REPLICAOF").arg("NO").arg("ONE"));
        let request = http::Request::get("/").header("cookie", &bench.cookie).body(()).unwrap();
        let session = bench.engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
        session.insert("user", "bob").unwrap();
        bench.engine.commit(&session).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_with_too_few_replicas() {
    for options in SERVERS {
        let bench = Bench::start(options).await;
        bench.raw(redis::cmd("CONFIG").arg("SET").arg("min-replicas-to-write").arg(1));
        bench.check("too few replicas").await;
    }
}
