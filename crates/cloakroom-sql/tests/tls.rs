//! Connections over TLS: to whom the store talks, and what it says when it must not.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{net::TcpListener, path::Path, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use cloakroom_sql::{
    SqlOptions, SqlStore,
    sqlx::{self, Connection as _, PgConnection, Row as _},
};
use cloakroom_test_support::{MariaDb, Postgres};

fn store(url: &str) -> SqlStore {
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    SqlStore::open_with(url, options).unwrap()
}

fn ann() -> SessionData {
    SessionData::from_json(r#"{"cookie":{"originalMaxAge":null},"user":"ann"}"#).unwrap()
}

/// Stores and reads a session in each mode that this authority is enough for, and is refused where it is not asked.
async fn trusts(url: &str, authority: &Path) {
    let authority = authority.display();
    for parameters in [
        format!("sslmode=verify-full&sslrootcert={authority}"),
        format!("sslmode=verify-ca&sslrootcert={authority}"),
        // Encrypted, but to whoever answers.
        "sslmode=require".to_owned(),
    ] {
        let store = store(&format!("{url}&createTable=true&{parameters}"));
        store.set("id", &ann()).await.unwrap_or_else(|error| panic!("{parameters}: {error}"));
        assert_eq!(store.get("id").await.unwrap(), Some(ann()), "{parameters}");
    }
    for parameters in ["sslmode=verify-full", "sslmode=verify-ca"] {
        let error = store(&format!("{url}&{parameters}")).get("id").await.unwrap_err();
        refused(&error, parameters);
        assert!(error.to_string().contains("TLS"), "{parameters}: {error}");
        assert!(error.to_string().contains("certificate"), "{parameters}: {error}");
    }
}

fn refused(error: &Error, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Config, "{what}: {error}");
    assert!(!error.outcome_unknown(), "{what}: {error}");
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn postgres_is_trusted_by_the_authority_that_the_url_names() {
    let server = Postgres::start_tls().unwrap();
    let authority = server.ca_certificate().unwrap();
    trusts(&format!("{}?table=session", server.url()), &authority).await;
    // Of the connections of one store the server says how they came.
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", server.url(), authority.display());
    let encrypted = store(&url);
    encrypted.get("id").await.unwrap();
    let mut beside =
        PgConnection::connect(&format!("{}?sslmode=disable", server.url())).await.unwrap();
    let count = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl";
    let count: i64 = sqlx::query(count).fetch_one(&mut beside).await.unwrap().get(0);
    assert!(count > 0);
}

#[tokio::test]
#[ignore = "needs mariadbd"]
async fn mariadb_is_trusted_by_the_authority_that_the_url_names() {
    let server = MariaDb::start_tls().unwrap();
    let url = format!("{}?counterpart=express-mysql-session", server.url());
    trusts(&url, &server.ca_certificate().unwrap()).await;
}

#[tokio::test]
#[ignore = "needs postgres and mariadbd"]
async fn a_server_without_tls_is_refused_before_anything_is_told() {
    let (postgres, mariadb) =
        (Postgres::start().unwrap(), MariaDb::start_with(&["--skip-ssl"]).unwrap());
    for url in [postgres.url(), mariadb.url()] {
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = store(&format!("{url}?sslmode={mode}")).get("id").await.unwrap_err();
            refused(&error, mode);
            assert!(error.to_string().contains("TLS"), "{error}");
        }
    }
}

#[test]
fn a_file_without_a_certificate_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.crt");
    std::fs::write(&empty, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    for scheme in ["postgres", "mysql"] {
        for (path, why) in [
            (Path::new("/nowhere/ca.crt"), "must be the path of a file that can be read"),
            (folder.path(), "must be the path of a file that can be read"),
            (&*empty, "must be a file with a certificate in PEM"),
        ] {
            let path = path.display();
            let url = format!("{scheme}://ann@h/app?sslmode=verify-full&sslrootcert={path}");
            let error = SqlStore::open(&url).unwrap_err();
            refused(&error, scheme);
            assert!(error.to_string().contains("\"sslrootcert\""), "{error}");
            assert!(error.to_string().ends_with(why), "{error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_a_timeout_by_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap();
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://ann@{addr}/app?sslmode=require&deadline=300");
        let error = SqlStore::open(&url).unwrap().get("id").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{scheme}: {error}");
    }
}
