//! A ring of four Memcached servers of which one dies, freezes and comes back, for the real connect-memcached and for
//! `MemcachedStore`: both are on the same server for every key, or say that it is not there.

use std::time::{Duration, Instant};

use cloakroom::{ErrorKind, SessionData, Store};
use cloakroom_memcached::{MemcachedStore, Ring, RingServer};
use cloakroom_test_support::{Memcached, NodeProgram, Proxy};
use futures::future::join_all;
use serde_json::{Value, json};

const SESSIONS: usize = 400;

/// Both sides on four servers, of which one is called `localhost` and one has twice the share.
struct Four {
    servers: Vec<Memcached>,
    ring: Ring,
    node: NodeProgram,
    rust: MemcachedStore,
}

impl Four {
    fn start() -> Self {
        let servers: Vec<_> = (0..4).map(|_| Memcached::start().unwrap()).collect();
        let mut names: Vec<_> = servers.iter().map(Memcached::addr).collect();
        names[1] = format!("localhost:{}", servers[1].port());
        let mut on_ring: Vec<_> = names.iter().cloned().map(RingServer::new).collect();
        on_ring[2].weight = 2.0;
        let ring = Ring::new(&on_ring, Default::default(), Default::default());
        let hosts = json!({
            names[0].as_str(): 1, names[1].as_str(): 1, names[2].as_str(): 2, names[3].as_str(): 1,
        });
        let [a, b, c, d] = names.try_into().unwrap();
        // Long enough for a busy machine; a call on the frozen server waits for it.
        let url = format!("memcached://{a},{b},{c};weight=2,{d}?prefix=s:&deadline=3000");
        Self {
            servers,
            ring,
            node: node(&hosts, json!({})),
            rust: MemcachedStore::open(&url).unwrap(),
        }
    }

    fn server_of(&self, sid: &str) -> usize {
        self.ring.server_of(&format!("s:{sid}")).unwrap()
    }

    /// What Node.js finds: `None` when it calls back with an error.
    fn node_get(&mut self, sid: &str) -> Option<Value> {
        let answer: Value = self.node.call(json!({ "op": "get", "sid": sid })).unwrap();
        answer.get("error").is_none().then(|| answer["value"].clone())
    }

    fn node_set(&mut self, sid: &str, session: &str) -> bool {
        let request = json!({ "op": "set", "sid": sid, "session": session, "cookie": {} });
        self.node.call::<Value>(request).unwrap().get("error").is_none()
    }

    /// Sessions of which one half is written by each side.
    async fn log_in(&mut self, round: usize, sids: &[String]) {
        for (number, sid) in sids.iter().enumerate() {
            if number % 2 == 0 {
                self.rust.set(sid, &of(round)).await.unwrap();
            } else {
                assert!(self.node_set(sid, &of(round).to_json()), "{sid}");
            }
        }
    }

    /// Both sides read the same of all these: a session of this round, or none.
    async fn check_both(&mut self, round: Option<usize>, sids: &[String]) {
        for sid in sids {
            let rust = self.rust.get(sid).await.unwrap();
            let read = rust.as_ref().map(|session| session.get::<usize>("round").unwrap().unwrap());
            assert_eq!(read, round, "{sid}");
            let node = self.node_get(sid).unwrap_or_else(|| panic!("{sid}: an error in Node.js"));
            assert_eq!(
                node.as_str(),
                rust.map(|session| session.to_json().into_owned()).as_deref()
            );
        }
    }

    /// Waits until Node.js uses the server again, which it leaves alone for `retry` after each failure.
    fn wait_for_node(&mut self, sid: &str) {
        let since = Instant::now();
        while self.node_get(sid).is_none() {
            assert!(since.elapsed() < Duration::from_secs(120), "Node.js does not come back");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// connect-memcached, which gives up a connection at once and a server after very many failures.
fn node(hosts: &Value, more: Value) -> NodeProgram {
    let mut options = json!({
        "prefix": "s:", "hosts": hosts, "retries": 0, "retry": 50, "failures": 1_000_000,
    });
    for (name, value) in more.as_object().unwrap() {
        options[name] = value.clone();
    }
    let options = options.to_string();
    let arguments = ["--store", "memcached-3", "--url", "unused", "--options", &options];
    NodeProgram::start("store.mjs", &arguments, &[]).unwrap()
}

fn of(round: usize) -> SessionData {
    let mut session = SessionData::new();
    session.insert("round", round).unwrap();
    session
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached and the npm packages"]
async fn both_sides_are_on_the_same_server_whatever_happens_to_one() {
    let mut four = Four::start();
    let sids: Vec<_> = (0..SESSIONS).map(|number| format!("id-{number}")).collect();
    let counts =
        [0, 1, 2, 3].map(|server| sids.iter().filter(|sid| four.server_of(sid) == server).count());
    assert!(counts.iter().all(|count| *count > SESSIONS / 20), "{counts:?}");
    let of_the_first = |four: &Four| -> (Vec<String>, Vec<String>) {
        sids.iter().cloned().partition(|sid| four.server_of(sid) == 0)
    };
    let (lost, rest) = of_the_first(&four);
    four.log_in(1, &sids).await;
    four.check_both(Some(1), &sids).await;

    // Killed: its keys are errors on both sides, and nobody moves them to another server.
    four.servers[0].stop();
    let since = Instant::now();
    for outcome in join_all(lost.iter().map(|sid| four.rust.get(sid))).await {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    println!("killed: {} reads are errors within {:?}", lost.len(), since.elapsed());
    for sid in &lost {
        assert_eq!(four.node_get(sid), None, "{sid}");
        assert!(!four.node_set(sid, &of(2).to_json()), "{sid}");
        four.rust.destroy(sid).await.unwrap_err();
    }
    four.check_both(Some(1), &rest).await;

    // Back and empty: the sessions are gone on both sides, and are made again.
    four.servers[0].restart().unwrap();
    four.rust.get(&lost[0]).await.unwrap();
    four.wait_for_node(&lost[0]);
    four.check_both(None, &lost).await;
    four.check_both(Some(1), &rest).await;
    four.log_in(3, &lost).await;

    // Frozen: Node.js would wait for ever, so only Rust asks.
    four.servers[0].pause().unwrap();
    let since = Instant::now();
    let (end, keep) = lost.split_at(lost.len() / 2);
    let reads = join_all(keep.iter().map(|sid| four.rust.get(sid)));
    let logouts = join_all(end.iter().map(|sid| four.rust.destroy(sid)));
    let (reads, logouts) = tokio::join!(reads, logouts);
    for error in reads.into_iter().map(Result::unwrap_err) {
        assert!(error.is_retryable() && !error.outcome_unknown(), "{error}");
    }
    let mut sure = Vec::new();
    for (sid, outcome) in end.iter().zip(logouts) {
        let error = outcome.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        if !error.outcome_unknown() {
            sure.push(sid.clone());
        }
    }
    println!("frozen: {} calls are errors within {:?}", lost.len(), since.elapsed());
    four.check_both(Some(1), &rest).await;

    // Back with its old data: nobody could write elsewhere, so it has the newest there is.
    four.servers[0].resume().unwrap();
    four.wait_for_node(&keep[0]);
    four.check_both(Some(3), keep).await;
    // A logout that was not sent has not happened; one whose outcome is unknown may have.
    four.check_both(Some(3), &sure).await;
    let since = Instant::now();
    while join_all(end.iter().map(|sid| four.rust.destroy(sid))).await.iter().any(Result::is_err) {
        assert!(since.elapsed() < Duration::from_secs(120), "Rust does not come back");
    }
    four.check_both(None, end).await;
    four.check_both(Some(1), &rest).await;
}

/// What npm's client does with `remove`, which cloakroom does not have: a process that has seen a server fail looks
/// elsewhere until it ends, and every other process, of Node.js too, still looks there.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached and the npm packages"]
async fn with_the_option_remove_node_leaves_the_others_and_old_sessions_come_back() {
    let servers: Vec<_> = (0..4).map(|_| Memcached::start().unwrap()).collect();
    let proxies: Vec<_> =
        servers.iter().map(|server| Proxy::start(&server.addr()).unwrap()).collect();
    let names: Vec<_> = proxies.iter().map(Proxy::addr).collect();
    let rust = MemcachedStore::open(&format!("memcached://{}?prefix=s:", names.join(","))).unwrap();
    let hosts = json!(names);
    let mut removing = node(&hosts, json!({ "remove": true, "failures": 0 }));
    let mut staying = node(&hosts, json!({}));
    let get = |node: &mut NodeProgram| -> Value {
        node.call(json!({ "op": "get", "sid": "a" })).unwrap()
    };
    rust.set("a", &of(1)).await.unwrap();
    let old = rust.get("a").await.unwrap().unwrap().to_json().into_owned();
    assert_eq!(get(&mut removing)["value"], json!(old));

    let servers_names = names.iter().map(RingServer::new).collect::<Vec<_>>();
    let ring = Ring::new(&servers_names, Default::default(), Default::default());
    let home = &proxies[ring.server_of("s:a").unwrap()];
    home.refuse();
    let since = Instant::now();
    while get(&mut removing).get("error").is_some() {
        assert!(since.elapsed() < Duration::from_secs(120), "npm's client keeps the server");
    }
    // This process looks on another server now and does not find the session.
    assert_eq!(get(&mut removing)["value"], json!(null));
    removing.call::<Value>(json!({ "op": "destroy", "sid": "a" })).unwrap();
    assert_eq!(rust.get("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(get(&mut staying).get("error").is_some());

    // The server returns with its data, as after a cut of the network: the session that was logged out is back for all
    // but the process that has removed the server.
    home.listen().unwrap();
    assert_eq!(rust.get("a").await.unwrap().unwrap().to_json(), old);
    let since = Instant::now();
    while get(&mut staying).get("error").is_some() {
        assert!(since.elapsed() < Duration::from_secs(120), "Node.js does not come back");
    }
    assert_eq!(get(&mut staying)["value"], json!(old));
    assert_eq!(get(&mut removing)["value"], json!(null));
}
