//! What the stores tell of their connections, on real servers.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cloakroom::{
    Error, ErrorKind, ExpressSession, MemoryStore, Secrets, SessionData, Store,
    memcached::MemcachedStore,
    mongodb::MongoStore,
    observe::{METRICS, observed},
    redis::RedisStore,
    tower::{Secure, Session, SessionOptions},
};
use cloakroom_test_support::{Memcached, MongoThree, Mongod, Proxy, RedisServer, Wait};

use crate::{
    collector::{Shown, watch},
    sessions::Site,
    tables::{names, rows},
};

fn redis(proxy: &Proxy, parameters: &str) -> Box<dyn Store> {
    observed(RedisStore::open(&format!("redis://{}/?{parameters}", proxy.addr())).unwrap())
}

/// Events of connections, as `event reason` or `event error`, in order.
fn connections(shown: &Shown) -> Vec<String> {
    let of = ["connect", "reconnected", "failover"];
    let events = shown.events.iter().filter_map(|event| {
        let name = event.name.strip_prefix("cloakroom.")?;
        let why = [event.field("reason"), event.field("error.type")].concat();
        of.iter().any(|of| name.starts_with(of)).then(|| format!("{name} {why}").trim().to_owned())
    });
    events.collect()
}

/// Makes the server a replica, or a master again.
fn replica_of(server: &RedisServer, master: &[&str]) {
    let mut client = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("REPLICAOF").arg(master).exec(&mut client).unwrap();
}

#[test]
#[ignore = "needs redis-server"]
fn a_lost_connection_to_redis_is_told_of_and_so_is_the_next() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let shown = watch(async || {
        let store = redis(&proxy, "");
        store.get("marker-id").await.unwrap();
        proxy.lose_answers();
        store.get("marker-id").await.unwrap();
        proxy.lose_answers();
        let error = store.set("marker-id", &SessionData::new()).await.unwrap_err();
        assert!(error.outcome_unknown());
        store.get("marker-id").await.unwrap();
        proxy.refuse();
        store.get("marker-id").await.unwrap_err();
    });
    let lost = ["connection_lost closed", "reconnected"];
    assert_eq!(connections(&shown)[..3], ["connected", lost[0], lost[1]]);
    assert_eq!(connections(&shown)[3..5], lost);
    assert_eq!(connections(&shown)[5..7], [lost[0], "connect_failed unavailable"]);
    // The reading is repeated, the writing is not.
    let operations = shown.operations();
    assert_eq!(
        operations[..4],
        ["get missing 1", "get missing 2", "set unavailable 1", "get ok 1"]
    );
    assert!(operations[4].starts_with("get unavailable"), "{operations:?}");
    for span in &shown.spans {
        assert_eq!(span.field("server.address"), "127.0.0.1");
        assert_eq!(span.field("server.port"), proxy.port().to_string());
    }
    for event in &shown.events {
        assert_eq!(event.field("server"), proxy.addr());
    }
    for (metric, count) in [("connections", 3), ("reconnects", 2), ("connections_lost", 3)] {
        let name = format!("cloakroom_{metric}_total");
        assert_eq!(shown.count(&name, &[("store", "redis")]), count, "{metric}");
    }
    assert!(shown.count("cloakroom_connect_failures_total", &[("error", "unavailable")]) >= 1);
    shown.assert_without(&["marker"]);
}

#[test]
#[ignore = "needs redis-server"]
fn a_silent_connection_and_one_to_a_replica_have_their_reasons() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let shown = watch(async || {
        let store = redis(&proxy, "deadline=400");
        store.get("id").await.unwrap();
        proxy.silence();
        assert_eq!(store.get("id").await.unwrap_err().kind(), ErrorKind::Timeout);
        proxy.pass();
        store.get("id").await.unwrap();
    });
    assert_eq!(connections(&shown), ["connected", "connection_lost silent", "reconnected"]);
    assert_eq!(shown.operations()[1].split(' ').nth(1), Some("timeout"));

    let shown = watch(async || {
        let store = redis(&proxy, "");
        store.set("id", &SessionData::new()).await.unwrap();
        replica_of(&server, &["127.0.0.1", "1"]);
        store.set("id", &SessionData::new()).await.unwrap_err();
        replica_of(&server, &["NO", "ONE"]);
        store.set("id", &SessionData::new()).await.unwrap();
    });
    let expected = ["connected", "connection_lost replica", "failover", "reconnected"];
    assert_eq!(connections(&shown), expected);
    assert_eq!(shown.count("cloakroom_failovers_total", &[("store", "redis")]), 1);
}

#[test]
#[ignore = "needs memcached"]
fn memcacheds_connections_are_told_of() {
    let server = Memcached::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let shown = watch(async || {
        let store =
            observed(MemcachedStore::open(&format!("memcached://{}", proxy.addr())).unwrap());
        store.get("marker-id").await.unwrap();
        proxy.lose_answers();
        store.get("marker-id").await.unwrap();
        proxy.refuse();
        store.get("marker-id").await.unwrap_err();
        proxy.listen().unwrap();
        store.get("marker-id").await.unwrap();
    });
    let told = connections(&shown);
    assert_eq!(told[..3], ["connected", "connection_lost closed", "reconnected"]);
    assert!(told[3..].contains(&"connect_failed unavailable".to_owned()), "{told:?}");
    assert_eq!(told.last().unwrap(), "reconnected");
    assert_eq!(shown.operations()[..2], ["get missing 1", "get missing 2"]);
    assert_eq!(shown.spans[0].field("server.port"), proxy.port().to_string());
    shown.assert_without(&["marker"]);
}

#[test]
#[ignore = "needs mongod"]
fn mongodbs_connections_are_told_of() {
    let mut server = Mongod::start().unwrap();
    let shown = watch(async || {
        let store = observed(MongoStore::open(&server.url()).unwrap());
        store.get("marker-id").await.unwrap();
        store.get("marker-id").await.unwrap();
        server.stop();
        store.get("marker-id").await.unwrap_err();
        server.restart().unwrap();
        let wait = Wait::until("the store works again");
        while store.get("marker-id").await.is_err() {
            wait.check();
        }
    });
    let told = connections(&shown);
    assert_eq!(told[0], "connected");
    for expected in ["connection_lost closed", "connect_failed unavailable", "reconnected"] {
        assert!(told.iter().any(|told| told == expected), "{expected}: {told:?}");
    }
    // The first operation is what finds the server.
    assert_eq!(shown.spans[1].field("server.port"), server.port().to_string());
    shown.assert_without(&["marker"]);
}

#[test]
#[ignore = "needs mongod"]
fn a_failover_of_mongodb_is_told_of_once() {
    let mut set = MongoThree::start(Duration::from_secs(1)).unwrap();
    let first = set.primary().unwrap();
    let mut second = first;
    let shown = watch(async || {
        let store = observed(MongoStore::open(&set.url("app")).unwrap());
        store.set("marker-id", &SessionData::new()).await.unwrap();
        set.step_down().unwrap();
        second = set.primary().unwrap();
        let wait = Wait::until("the store finds the new primary");
        while store.set("marker-id", &SessionData::new()).await.is_err() {
            wait.check();
        }
        // The driver calls back in a task of its own, which runs while this one waits.
        store.get("marker-id").await.unwrap();
    });
    assert_ne!(first, second);
    let failovers = shown.event("cloakroom.failover");
    let servers: Vec<_> = failovers.iter().map(|event| event.field("server")).collect();
    assert_eq!(servers, [set.server(second).addr()]);
    assert_eq!(shown.count("cloakroom_failovers_total", &[("store", "mongodb")]), 1);
    let last = shown.spans.last().unwrap();
    assert_eq!(last.field("server.port"), set.server(second).port().to_string());
    shown.assert_without(&["marker"]);
}

async fn insert(session: &Session) -> Result<(), Error> {
    session.insert("card", "marker-value")
}

/// Does everything that has an event or a metric.
async fn do_everything(server: &RedisServer, proxy: &Proxy) {
    let url = format!("redis://{}", proxy.addr());
    let store: Arc<dyn Store> = Arc::new(RedisStore::open(&url).unwrap());
    let site = Site::on(Arc::clone(&store), SessionOptions::new());
    let guest = site.send("", insert).await.unwrap();
    let meets = async |session: &Session| {
        site.send(&guest, async |session| session.insert("b", 1)).await;
        session.insert("c", "marker-value")
    };
    site.send(&guest, meets).await;
    let login = async |session: &Session| session.regenerate_keeping_data().await;
    let user = site.send(&guest, login).await.unwrap();
    let logout = async |session: &Session| session.destroy().await;
    let ends = async |session: &Session| {
        site.send(&user, logout).await;
        session.insert("d", "marker-value")
    };
    site.send(&user, ends).await;
    let another = Secrets::new(["marker-other"]).unwrap().cookie_value("marker-id");
    site.send(&format!("connect.sid={another}"), async |_| Ok(())).await;

    let options = SessionOptions::new().with_save_uninitialized(true);
    let options = options.with_cookie(|cookie| cookie.with_secure(Secure::Always));
    Site::on(Arc::new(MemoryStore::new()), options).send("", async |_| Ok(())).await;

    let sessions = ExpressSession::new(store);
    proxy.lose_answers();
    sessions.get("marker-id").await.unwrap();
    replica_of(server, &["127.0.0.1", "1"]);
    sessions.set("marker-id", &SessionData::new()).await.unwrap_err();
    replica_of(server, &["NO", "ONE"]);
    sessions.set("marker-id", &SessionData::new()).await.unwrap();
    proxy.refuse();
    sessions.get("marker-id").await.unwrap_err();
}

#[test]
#[ignore = "needs redis-server"]
fn every_event_and_every_metric_of_the_tables_appears() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let shown = watch(async || do_everything(&server, &proxy).await);
    let documented: BTreeSet<_> =
        rows("cloakroom.").into_iter().map(|row| row[0].clone()).collect();
    let seen: BTreeSet<_> = shown.events.iter().map(|event| event.name.clone()).collect();
    assert_eq!(seen, documented);
    for row in rows("cloakroom.") {
        let mut fields = names(&row[2]);
        fields.insert("message".to_owned());
        for event in shown.event(&row[0]) {
            assert_eq!(event.fields.keys().cloned().collect::<BTreeSet<_>>(), fields, "{}", row[0]);
        }
    }
    let seen: BTreeSet<_> = shown.metrics.iter().map(|(name, _, _)| &**name).collect();
    assert_eq!(seen, METRICS.iter().map(|metric| metric.name).collect());
    for (name, labels, _) in &shown.metrics {
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap();
        let labels: Vec<_> = labels.keys().map(String::as_str).collect();
        let mut expected = metric.labels.to_vec();
        expected.sort_unstable();
        assert_eq!(labels, expected, "{name}");
    }
    shown.assert_without(&["marker", "connect.sid", "sess:"]);
    assert_eq!(shown.open, 0);
}
