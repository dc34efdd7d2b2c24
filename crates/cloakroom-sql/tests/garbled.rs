//! Junk in place of answers: sqlx fails or panics, and the call returns an error.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    io::{self, Write as _},
    net::{Shutdown, TcpListener},
    thread,
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use cloakroom_sql::{SqlOptions, SqlStore};
use cloakroom_test_support::{Kind, MariaDb, Postgres, Proxy, Server, unique};

/// Messages of PostgreSQL that end too early, or whose length does not count itself. The driver refuses each at once; after
/// other junk it would wait until the deadline.
const POSTGRES: &[&[u8]] = &[
    b"\xff\xff\xff\xff\xff",
    b"Z\0\0\0\0",
    b"Z\0\0\0\x03",
    b"Z\0\0\0\x04",
    b"D\0\0\0\x04",
    b"D\0\0\0\x06\xff\xff",
    SKIPPED,
    b"T\0\0\0\x06\xff\xff",
    b"T\0\0\0\x08\0\x01a\0",
    b"E\0\0\0\x04",
    b"E\0\0\0\x05\0",
    b"E\0\0\0\x0cSERROR\0\0",
    b"E\0\0\0\x07\xff\xff\xff",
    b"S\0\0\0\x06\xff\xff",
];

/// A row that is too short. A write skips all rows, and then waits for the rest of its answer.
const SKIPPED: &[u8] = b"D\0\0\0\x0a\0\x01\x7f\xff\xff\xff";

/// Packets of MySQL that end too early.
const MYSQL: &[&[u8]] = &[
    b"\0\0\0\x01",
    b"\x01\0\0\x01\0",
    b"\x02\0\0\x01\0\xfe",
    b"\x03\0\0\x01\0\0\0",
    b"\x01\0\0\x01\xfe",
    b"\x01\0\0\x01\xff",
    b"\x03\0\0\x01\xff\0\0",
    b"\x04\0\0\x01\xff\0\0#",
    b"\x02\0\0\x01\xfc\x01",
    b"\x01\0\0\x01\x01\x01\0\0\x02\x09",
];

fn open(url: &str) -> SqlStore {
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    SqlStore::open_with(url, options).unwrap()
}

fn session(number: usize) -> SessionData {
    let mut session = SessionData::new();
    session.insert("number", number).unwrap();
    session
}

/// Sends each of these in place of the answer to a read and to a write, and in place of the greeting.
async fn check<K: Kind + Sync>(server: &Server<K>, parameters: &str, junk: &[&'static [u8]]) {
    let proxy = Proxy::start(&server.addr()).unwrap();
    let url = server.url().replace(&server.addr(), &proxy.addr());
    let store = open(&format!("{url}?createTable=true&connections=1&{parameters}"));
    let sid = unique("sid");
    for (number, junk) in junk.iter().enumerate() {
        let shown = junk.escape_ascii();
        store.set(&sid, &session(number)).await.unwrap();
        // The statement is prepared, so the next answer is that of the read.
        store.get(&sid).await.unwrap();
        let connections = proxy.connections();
        proxy.garble_with(junk);
        // It is safe to repeat on another connection.
        let found = store.get(&sid).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(found, Some(session(number)), "{shown}");
        if *junk == SKIPPED {
            continue;
        }
        store.set(&sid, &session(number)).await.unwrap();
        proxy.garble_with(junk);
        let error = store.set(&sid, &session(1_000)).await.unwrap_err();
        assert!(error.outcome_unknown(), "{shown}: {error}");
        // The connection is not used again, so nobody gets what is left of its answers.
        let found = store.get(&sid).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(found, Some(session(1_000)), "{shown}: it was written before the answer");
        assert_eq!(proxy.connections(), connections + 2, "{shown}: each junk ends a connection");
        let error = greeted(&server.url().replace(&server.addr(), &says(junk))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{shown}: {error}");
        assert!(!error.outcome_unknown(), "{shown}: {error}");
    }
}

async fn greeted(url: &str) -> Result<(), Error> {
    open(url).set("sid", &session(0)).await
}

/// The address of a server that says this to everybody, and no more.
fn says(junk: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        // A store that gives up asks no second time.
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.write_all(junk);
            let _ = client.shutdown(Shutdown::Write);
            // Closed with bytes unread, the connection would be reset, and nobody would read the junk.
            let _ = io::copy(&mut client, &mut io::sink());
        }
    });
    addr
}

#[tokio::test]
#[ignore = "needs postgresql"]
async fn junk_of_postgresql_is_an_error_and_not_an_answer() {
    check(&Postgres::start().unwrap(), "timeZone=UTC", POSTGRES).await;
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn junk_of_mariadb_is_an_error_and_not_an_answer() {
    check(&MariaDb::start().unwrap(), "", MYSQL).await;
}
