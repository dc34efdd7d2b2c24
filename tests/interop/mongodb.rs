//! Sessions that go back and forth between the real connect-mongo and `MongoStore`, in one MongoDB: as texts, and
//! encrypted.

mod documents;
mod server;

use std::sync::Arc;

use cloakroom::SessionData;
use cloakroom_encryption::{
    Counterpart, EncodeAs, Encryption, Kruptein, KrupteinOptions, WebCrypto, WebCryptoOptions,
};
use futures::TryStreamExt;
use serde_json::json;

use crate::{
    cases::{self, Sides, loaded},
    mongodb::server::start,
};

const SECRET: &str = "S3cre+_Squ1rr3l";

fn plain() -> impl Iterator<Item = Sides> {
    ["4", "5", "6"].into_iter().map(|version| start(version, json!({}), None))
}

fn kruptein(counterpart: Counterpart) -> Arc<dyn Encryption> {
    Arc::new(Kruptein::new(SECRET, KrupteinOptions::of(counterpart)).unwrap())
}

fn webcrypto() -> Arc<dyn Encryption> {
    Arc::new(WebCrypto::new("s3cret", WebCryptoOptions::default()).unwrap())
}

/// Every way in which connect-mongo encrypts, where it can read it again. With `stringify` it encrypts the same.
fn encrypting(stringify: bool) -> impl Iterator<Item = Sides> {
    let crypto = json!({ "crypto": { "secret": SECRET }, "stringify": stringify });
    let adapter = json!({ "webcrypto": { "secret": "s3cret" }, "stringify": stringify });
    [
        ("4", crypto.clone(), kruptein(Counterpart::ConnectMongo5 { stringify })),
        ("6", crypto, kruptein(Counterpart::ConnectMongo6)),
        ("6", adapter, webcrypto()),
    ]
    .into_iter()
    .map(|(version, options, encryption)| start(version, options, Some(encryption)))
}

#[test]
#[ignore = "needs mongod and the npm packages"]
fn texts_go_back_and_forth() {
    plain().for_each(cases::sessions_go_back_and_forth);
}

#[test]
#[ignore = "needs mongod and the npm packages"]
fn encrypted_texts_go_back_and_forth() {
    encrypting(true).for_each(cases::sessions_go_back_and_forth);
}

#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn a_document_is_encrypted_as_a_text_is() {
    for mut sides in encrypting(false) {
        cases::what_node_writes_rust_reads(&mut sides).await;
        cases::rust_changes_one_key_and_every_other_byte_stays(&mut sides).await;
        cases::update_notices_what_node_wrote_in_between(&mut sides).await;
    }
}

#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn bytes_as_binary_text_and_ivs_of_other_lengths_are_read_and_written() {
    let binary = |counterpart| -> Arc<dyn Encryption> {
        let mut options = KrupteinOptions::of(counterpart);
        options.encode_as = EncodeAs::Binary;
        Arc::new(Kruptein::new(SECRET, options).unwrap())
    };
    let web = |length| -> Arc<dyn Encryption> {
        let mut options = WebCryptoOptions::default();
        options.iv_length = Some(length);
        Arc::new(WebCrypto::new("s3cret", options).unwrap())
    };
    let crypto = json!({ "crypto": { "secret": SECRET, "encodeas": "binary" } });
    let adapter = |length| json!({ "webcrypto": { "secret": "s3cret", "ivLength": length } });
    for (version, options, encryption) in [
        ("4", crypto.clone(), binary(Counterpart::ConnectMongo5 { stringify: true })),
        ("6", crypto, binary(Counterpart::ConnectMongo6)),
        ("6", adapter(13), web(13)),
        ("6", adapter(64), web(64)),
    ] {
        let mut sides = start(version, options, Some(encryption));
        cases::what_node_writes_rust_reads(&mut sides).await;
        cases::what_rust_writes_node_reads(&mut sides).await;
    }
}

/// As npm installs connect-mongo 5 today, it cannot read what it has encrypted itself.
#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn what_node_encrypts_rust_reads() {
    for stringify in [true, false] {
        let options = json!({ "crypto": { "secret": SECRET }, "stringify": stringify });
        let encryption = kruptein(Counterpart::ConnectMongo5Kruptein34 { stringify });
        let mut sides = start("5", options, Some(encryption));
        sides.node_set("a", r#"{"user":"Zoë","half":"\ud83d"}"#, json!({ "maxAge": 3_600_000 }));
        let own = json!({ "op": "get", "sid": "a" });
        let answer: serde_json::Value = sides.node.call(&own).unwrap();
        assert!(answer["error"].is_string(), "connect-mongo 5 has learned to read it: {answer}");

        let mut session = loaded(&sides.rust, "a").await;
        assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("Zoë"));
        assert_eq!(session.get_json("half"), Some(r#""\ud83d""#));
        assert!(cases::is_an_hour(&session), "{}", sides.label);
        // What Rust writes, it can.
        session.insert("by", "rust").unwrap();
        sides.rust.set("a", &session).await.unwrap();
        assert_eq!(sides.node_get("a").as_deref(), Some(&*session.to_json()), "{}", sides.label);
    }
}

#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn both_sides_list_the_same_sessions() {
    for mut sides in plain() {
        for number in 0..30 {
            let session = json!({ "n": number }).to_string();
            sides.node_set(&format!("node{number}"), &session, json!({}));
            sides.rust.set(&format!("rust{number}"), &SessionData::new()).await.unwrap();
        }
        let ours: Vec<String> = sides.rust.ids().try_collect().await.unwrap();
        assert_eq!(ours.len(), 60, "{}", sides.label);
        let all: Vec<_> = sides.rust.all().try_collect().await.unwrap();
        let mut ours: Vec<_> = all.iter().map(|listed| listed.session.to_json()).collect();
        let theirs = sides.ask(json!({ "op": "all" }))["value"].as_str().unwrap().to_owned();
        let theirs: Vec<serde_json::Value> = serde_json::from_str(&theirs).unwrap();
        let parse = |text: &_| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let mut theirs: Vec<String> = theirs.iter().map(ToString::to_string).collect();
        let mut same: Vec<String> = ours.iter().map(|text| parse(text).to_string()).collect();
        ours.sort();
        same.sort();
        theirs.sort();
        assert_eq!(same, theirs, "{}", sides.label);
        assert_eq!(sides.rust.length().await.unwrap(), 60);
        sides.rust.clear().await.unwrap();
        let empty = json!({ "value": "0" });
        assert_eq!(sides.ask(json!({ "op": "length" })), empty, "{}", sides.label);
    }
}

/// With any other index, connect-mongo would fail at its start, and every call of its too.
#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn both_sides_make_the_same_index() {
    for version in ["4", "5", "6"] {
        for rust_first in [true, false] {
            let mut sides = server::start_in_order(version, rust_first).await;
            sides.node_set("a", r#"{"user":"ann"}"#, json!({}));
            assert!(loaded(&sides.rust, "a").await.contains("user"), "{version}");
            assert!(sides.node_get("a").is_some(), "{version}");
        }
    }
}
