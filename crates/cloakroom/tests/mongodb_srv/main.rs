//! `mongodb+srv:`, whose servers and options stand in the DNS: with a name server and a mongod of the test's own.
//!
//! Which name server is asked stands in `/etc/resolv.conf`, and is asked on port 53. So the test runs once more in
//! namespaces of its own, where both are its own, without being root outside.

#![cfg(feature = "mongodb-srv")]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod name_server;

use std::{env, fs, process::Command};

use cloakroom::{ErrorKind, ExpressSession, SessionData};
use cloakroom_test_support::Mongod;

use crate::name_server::NameServer;

/// Set in the namespaces.
const INSIDE: &str = "CLOAKROOM_IN_NAMESPACES";

#[test]
#[ignore = "needs mongod, and unshare with user namespaces"]
fn a_cluster_is_found_in_the_dns() {
    if env::var_os(INSIDE).is_some() {
        return tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(in_namespaces());
    }
    let resolv_conf = env::temp_dir().join(cloakroom_test_support::unique("resolv.conf"));
    fs::write(&resolv_conf, "nameserver 127.0.0.1\n").unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--net", "sh", "-ec"])
        .arg(r#"ip link set lo up; mount --bind "$1" /etc/resolv.conf; shift; exec "$@""#)
        .arg("sh")
        .arg(&resolv_conf)
        .arg(env::current_exe().unwrap())
        .args(["--exact", "a_cluster_is_found_in_the_dns", "--include-ignored", "--nocapture"])
        .env(INSIDE, "")
        .output()
        .unwrap();
    fs::remove_file(resolv_conf).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{log}");
}

async fn in_namespaces() {
    let server = Mongod::start().unwrap();
    let names = NameServer::start(&[
        ("plain.example.test", server.port(), None),
        ("options.example.test", server.port(), Some("authSource=admin")),
        ("set.example.test", server.port(), Some("replicaSet=rs")),
        ("wrong.example.test", server.port(), Some("tls=false")),
    ]);
    let open = |name: &str, query: &str| {
        cloakroom::open(&format!("mongodb+srv://{name}/app?{query}")).unwrap()
    };

    // Without a TXT record, and with one that changes nothing.
    for name in ["plain.example.test", "options.example.test"] {
        let sessions = open(name, "tls=false&collectionName=logins");
        stores(&sessions).await;
        let asked = names.asked();
        assert!(asked.contains(&format!("SRV _mongodb._tcp.{name}")), "{asked:?}");
        assert!(asked.contains(&format!("TXT {name}")), "{asked:?}");
        assert!(asked.contains(&"A node.example.test".to_owned()), "{asked:?}");
    }
    let plain = format!("{}/app?collectionName=logins", server.url());
    assert_eq!(cloakroom::open(&plain).unwrap().length().await.unwrap(), 1);

    for (name, query) in [
        // TLS is on unless the URL switches it off, and this server has none.
        ("plain.example.test", ""),
        // This server belongs to no set. In one case the TXT record says that it does, in the other the URL.
        ("set.example.test", "tls=false"),
        ("plain.example.test", "tls=false&replicaSet=rs"),
        // An option that may not stand in a TXT record.
        ("wrong.example.test", "tls=false"),
        ("nobody.example.test", "tls=false"),
    ] {
        // These end in vain, and need not take the driver's time for it.
        let query = format!("serverSelectionTimeoutMS=500&{query}");
        let error = open(name, &query).set("a", &SessionData::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{name} {query}: {error}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(!error.outcome_unknown(), "{error}");
    }
}

async fn stores(sessions: &ExpressSession) {
    let mut session = SessionData::new();
    session.insert("user", "ann").unwrap();
    sessions.set("a", &session).await.unwrap();
    let read = sessions.get("a").await.unwrap().unwrap();
    assert_eq!(read.get::<String>("user").unwrap().as_deref(), Some("ann"));
}
