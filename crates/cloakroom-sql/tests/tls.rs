//! Connections over TLS: to whom the store talks, and what it says when it must not.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{net::TcpListener, path::Path, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use cloakroom_sql::{
    SqlOptions, SqlStore,
    sqlx::{self, Connection as _, MySqlConnection, PgConnection, Row as _},
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

/// Asks until the server has read its new settings.
async fn refused_without_tls(url: &str) -> String {
    for _ in 0..1_000 {
        if let Err(error) = SqlStore::open(url).unwrap().get("id").await {
            refused(&error, url);
            if error.to_string().contains("sslmode=require") {
                return error.to_string();
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no error says that TLS is missing");
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn postgres_that_requires_tls_is_an_error_that_says_so() {
    let server = Postgres::start_tls().unwrap();
    let mut beside =
        PgConnection::connect(&format!("{}?sslmode=disable", server.url())).await.unwrap();
    let file: String = sqlx::query("SHOW hba_file").fetch_one(&mut beside).await.unwrap().get(0);
    let lines = "'host all postgres all trust', 'hostssl all guarded all trust'";
    for sql in [
        "CREATE ROLE guarded LOGIN".to_owned(),
        "GRANT ALL ON SCHEMA public TO guarded".to_owned(),
        format!("COPY (SELECT unnest(ARRAY[{lines}])) TO '{file}'"),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        sqlx::query(&sql).execute(&mut beside).await.unwrap();
    }
    let url = server.url().replace("postgres@", "guarded@") + "?timeZone=UTC&createTable=true";
    let error = refused_without_tls(&url).await;
    assert!(error.contains("pg_hba.conf") && !error.contains("password"), "{error}");
    store(&format!("{url}&sslmode=require")).set("id", &ann()).await.unwrap();
    // It has the same SQLSTATE.
    let unknown = server.url().replace("postgres@", "nobody@") + "?sslmode=require";
    let lines = "'host all all all trust'";
    for sql in [
        format!("COPY (SELECT unnest(ARRAY[{lines}])) TO '{file}'"),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        sqlx::query(&sql).execute(&mut beside).await.unwrap();
    }
    let is_known = async || {
        let error = store(&unknown).get("id").await.unwrap_err();
        refused(&error, "nobody");
        !error.to_string().contains("does not know this user")
    };
    while is_known().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
#[ignore = "needs mariadbd"]
async fn mariadb_that_requires_tls_is_an_error_that_says_so() {
    let server = MariaDb::start_tls().unwrap();
    let mut beside = MySqlConnection::connect(&server.url()).await.unwrap();
    for sql in [
        "CREATE USER guarded@'%' REQUIRE SSL",
        "GRANT ALL ON *.* TO guarded@'%'",
        "SET GLOBAL require_secure_transport = 0",
    ] {
        sqlx::raw_sql(sql).execute(&mut beside).await.unwrap();
    }
    let url = server.url().replace("root@", "guarded@");
    refused_without_tls(&url).await;
    let encrypted = format!("{url}?sslmode=require&createTable=true");
    store(&encrypted).set("id", &ann()).await.unwrap();
    sqlx::raw_sql("SET GLOBAL require_secure_transport = 1").execute(&mut beside).await.unwrap();
    refused_without_tls(&server.url()).await;
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
