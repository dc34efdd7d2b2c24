//! Sessions that go back and forth between the real connect-memcached and `MemcachedStore`, on one Memcached and on a
//! ring of three, plain and encrypted.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::Arc,
};

use cloakroom::{ExpressSession, SessionData};
use cloakroom_conformance::RawAccess;
use cloakroom_encryption::{Counterpart, EncodeAs, Encryption, Kruptein, KrupteinOptions};
use cloakroom_memcached::{MemcachedOptions, MemcachedStore};
use cloakroom_test_backends::RawMemcached;
use cloakroom_test_support::{Memcached, NodeProgram};
use serde_json::{Value, json};

use crate::cases::{self, NodeTouch, Sides, loaded};

const SECRET: &str = "S3cre+_Squ1rr3l";

/// Their records, which must not be on two servers.
fn raw(servers: &[Memcached], kruptein: Option<Kruptein>) -> Box<dyn RawAccess> {
    let raw = RawMemcached::new(servers.iter().map(Memcached::addr), "s:");
    let Some(kruptein) = kruptein.map(Arc::new) else { return Box::new(raw) };
    let encrypts = Arc::clone(&kruptein);
    Box::new(raw.with_encryption(
        move |text| Ok(encrypts.encrypt(text)?),
        // As npm's client has them in every text.
        move |text| Ok(kruptein.decrypt(&text.replace("\\\r", "\r").replace("\\\n", "\n"))?),
    ))
}

/// The first line that a server answers.
fn say(server: &Memcached, command: &str) -> String {
    let mut stream = BufReader::new(TcpStream::connect(server.addr()).unwrap());
    stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn kruptein(encode_as: EncodeAs) -> Kruptein {
    let mut options = KrupteinOptions::of(Counterpart::ConnectMemcached3);
    options.encode_as = encode_as;
    Kruptein::new(SECRET, options).unwrap()
}

/// Both sides on so many servers, with these options of connect-memcached besides its prefix.
fn start(servers: usize, mut options: Value, query: &str) -> Sides {
    let servers: Vec<_> = (0..servers).map(|_| Memcached::start().unwrap()).collect();
    let hosts: Vec<_> = servers.iter().map(Memcached::addr).collect();
    let url = format!("memcached://{}", hosts.join(","));
    options["prefix"] = "s:".into();
    let options = options.to_string();
    let arguments = ["--store", "memcached-3", "--url", &url, "--options", &options];
    let encrypted = query.contains("secret");
    Sides {
        label: format!(
            "connect-memcached 3 on {} servers{}",
            hosts.len(),
            if encrypted { ", encrypted" } else { "" }
        ),
        node: NodeProgram::start("store.mjs", &arguments, &[]).unwrap(),
        rust: ExpressSession::new(
            MemcachedStore::open(&format!("{url}?prefix=s:{query}")).unwrap(),
        ),
        backend: raw(&servers, encrypted.then(|| kruptein(EncodeAs::Base64))),
        _servers: Box::new(servers),
        node_touch: NodeTouch::Rewrites,
    }
}

fn plain(servers: usize) -> Sides {
    start(servers, json!({}), "")
}

fn encrypted(servers: usize) -> Sides {
    start(servers, json!({ "secret": SECRET }), "&secret=S3cre%2B_Squ1rr3l")
}

#[tokio::test]
#[ignore = "needs memcached and the npm packages"]
async fn bytes_as_binary_text_are_read_and_written() {
    let server = Memcached::start().unwrap();
    let url = format!("memcached://{}", server.addr());
    let options = json!({ "prefix": "s:", "secret": SECRET, "encodeas": "binary" }).to_string();
    let arguments = ["--store", "memcached-3", "--url", &url, "--options", &options];
    let mut ours = MemcachedOptions::default();
    ours.encryption = Some(Arc::new(kruptein(EncodeAs::Binary)));
    let mut sides = Sides {
        label: "connect-memcached 3, encrypted as binary text".to_owned(),
        node: NodeProgram::start("store.mjs", &arguments, &[]).unwrap(),
        rust: ExpressSession::new(
            MemcachedStore::open_with(&format!("{url}?prefix=s:"), ours).unwrap(),
        ),
        backend: raw(std::slice::from_ref(&server), Some(kruptein(EncodeAs::Binary))),
        _servers: Box::new(server),
        node_touch: NodeTouch::Rewrites,
    };
    cases::what_node_writes_rust_reads(&mut sides).await;
    cases::what_rust_writes_node_reads(&mut sides).await;
}

fn all_settings() -> impl Iterator<Item = Sides> {
    [1, 3].into_iter().map(plain).chain([1, 3].into_iter().map(encrypted))
}

#[test]
#[ignore = "needs memcached and the npm packages"]
fn sessions_go_back_and_forth() {
    all_settings().for_each(cases::sessions_go_back_and_forth);
}

#[tokio::test]
#[ignore = "needs memcached and the npm packages"]
async fn both_sides_look_on_the_same_server_for_every_key() {
    for mut sides in [plain(3), encrypted(3)] {
        for number in 0..60 {
            let session = json!({ "n": number }).to_string();
            sides.node_set(&format!("node{number}"), &session, json!({}));
            sides.rust.set(&format!("rust{number}"), &SessionData::new()).await.unwrap();
        }
        for number in 0..60 {
            let session = loaded(&sides.rust, &format!("node{number}")).await;
            assert_eq!(session.get::<i32>("n").unwrap(), Some(number), "{}", sides.label);
            assert!(sides.node_get(&format!("rust{number}")).is_some(), "{}", sides.label);
        }
        assert_eq!(sides.rust.length().await.unwrap(), 120);
        sides.rust.clear().await.unwrap();
        assert_eq!(sides.node_get("node7"), None);
    }
}

#[tokio::test]
#[ignore = "needs memcached and the npm packages"]
async fn both_sides_weigh_servers_alike() {
    let servers: Vec<_> = (0..3).map(|_| Memcached::start().unwrap()).collect();
    let [a, b, c] = [0, 1, 2].map(|index| servers[index].addr());
    let options = json!({
        "prefix": "s:",
        "hosts": { a.as_str(): 1, b.as_str(): 5, c.as_str(): { "weight": 2, "vnodes": 100 } },
    })
    .to_string();
    let arguments = ["--store", "memcached-3", "--url", "unused", "--options", &options];
    let url = format!("memcached://{a},{b};weight=5,{c};weight=2;vnodes=100?prefix=s:");
    let mut sides = Sides {
        label: "weights".to_owned(),
        node: NodeProgram::start("store.mjs", &arguments, &[]).unwrap(),
        rust: ExpressSession::new(MemcachedStore::open(&url).unwrap()),
        backend: raw(&servers, None),
        _servers: Box::new(servers),
        node_touch: NodeTouch::Rewrites,
    };
    for number in 0..100 {
        sides.node_set(&format!("node{number}"), "{}", json!({}));
        sides.rust.set(&format!("rust{number}"), &SessionData::new()).await.unwrap();
        loaded(&sides.rust, &format!("node{number}")).await;
        assert!(sides.node_get(&format!("rust{number}")).is_some());
    }
}

#[tokio::test]
#[ignore = "needs memcached and the npm packages"]
async fn long_ids_lead_both_sides_to_the_same_key() {
    for mut sides in [plain(1), plain(3)] {
        for sid in ["x".repeat(248), "x".repeat(249), "y".repeat(2_000), "é$ ".repeat(100)] {
            sides.node_set(&sid, r#"{"by":"node"}"#, json!({}));
            assert!(loaded(&sides.rust, &sid).await.contains("by"), "{}", sides.label);
            sides.rust.set(&sid, &SessionData::new()).await.unwrap();
            assert!(!sides.node_get(&sid).unwrap().contains("by"), "{}", sides.label);
        }
    }
}

#[tokio::test]
#[ignore = "needs memcached and the npm packages"]
async fn a_session_of_31_days_is_lost_by_node_and_kept_by_rust() {
    const MONTH_MS: i64 = 31 * 86_400_000;
    let mut sides = plain(1);
    sides.node_set("node", "{}", json!({ "maxAge": MONTH_MS }));
    assert_eq!(sides.node_get("node"), None, "connect-memcached has learned to keep it");
    let mut session = SessionData::new();
    let now_ms = sides.rust.options().clock.now_ms();
    session.cookie_mut().set_max_age_ms(Some(MONTH_MS), now_ms).unwrap();
    sides.rust.set("rust", &session).await.unwrap();
    assert_eq!(sides.node_get("rust").as_deref(), Some(&*session.to_json()));
}

#[tokio::test]
#[ignore = "needs memcached and the npm packages"]
async fn a_record_with_line_breaks_does_not_end_node() {
    let mut sides = plain(1);
    let places = |space: &str| {
        [
            format!("{space}{{\"cookie\":{{}},\"user\":\"ann\"}}"),
            format!("{{{space}\"cookie\":{{}},\"user\":\"ann\"}}"),
            format!("{{\"cookie\":{{}},\"user\":{space}\"ann\"}}"),
            format!("{{\"cookie\":{{}},\"user\":\"ann\"}}{space}"),
        ]
    };
    for space in
        [" ", "\t", "\n", "\r", "\n\r", "\n\n", "\r\r", "\r\n", "\r\r\n", "\r\n\r\n", "\r\n "]
    {
        for text in places(space) {
            sides.rust.set("a", &SessionData::from_json(&*text).unwrap()).await.unwrap();
            let plain = r#"{"cookie":{},"user":"ann"}"#;
            assert_eq!(sides.node_get("a").as_deref(), Some(plain), "{text:?}");
            assert_eq!(sides.node_get("a").as_deref(), Some(plain), "{text:?}, once more");
            // At the very end a pair does no harm.
            let harmless =
                !text.trim_end_matches("\r\n").contains("\r\n") && !text.ends_with("\r\n\r\n");
            assert_eq!(sides.record("a").await == text, harmless, "{text:?}");
        }
    }
}

/// Why that is the one thing that is not written as it is.
#[tokio::test]
#[ignore = "needs memcached and the npm packages"]
async fn a_pair_of_cr_and_lf_ends_node() {
    for value in ["{\r\n\"user\":\"ann\"}", "\r\n{\"user\":\"ann\"}", "{\"user\":\"ann\"\r\r\n}"] {
        let server = Memcached::start().unwrap();
        let arguments = ["--store", "memcached-3", "--url", &server.url()];
        let mut node = NodeProgram::start("store.mjs", &arguments, &[]).unwrap();
        let command = format!("set a 2 0 {}\r\n{value}", value.len());
        assert_eq!(say(&server, &command), "STORED");
        let answer = node.call::<Value>(json!({ "op": "get", "sid": "a" }));
        let error = answer.expect_err("npm's memcached has learned to read it");
        assert!(error.to_string().contains("has ended"), "{error}");
        assert!(node.log().contains("SyntaxError"), "{}", node.log());
    }
}

#[tokio::test]
#[ignore = "needs memcached and the npm packages"]
async fn a_touch_of_node_without_a_change_is_no_conflict() {
    let mut sides = plain(1);
    sides.node_set("a", r#"{"user":"ann"}"#, json!({}));
    let mut ours = loaded(&sides.rust, "a").await;
    ours.insert("theme", "dark").unwrap();
    let text = sides.record("a").await;
    // It writes the record as it is, under another number.
    sides.ask(json!({ "op": "touch", "sid": "a", "session": text }));
    let answer = sides.rust.update("a", &ours).await.unwrap();
    assert!(matches!(answer, cloakroom::Updated::Stored(_)), "{answer:?}");
}
