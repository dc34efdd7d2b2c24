//! What PostgreSQL and MariaDB promise besides what every server does.
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use cloakroom_test_support::{MariaDb, Postgres, first_bytes};

/// Message by message, what a server says until one of this kind has come, which is the last of these.
fn read_until(stream: &mut TcpStream, last: u8) -> Vec<u8> {
    let mut kinds = Vec::new();
    while kinds.last() != Some(&last) {
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        stream.read_exact(&mut vec![0; length as usize - 4]).unwrap();
        kinds.push(head[0]);
    }
    kinds
}

const STARTUP: &[u8] = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
/// A simple query: `SELECT 1`.
const QUERY: &[u8] = b"Q\0\0\0\x0dSELECT 1\0";

/// Each connection has a process of its own.
#[test]
#[ignore = "needs postgresql"]
fn a_paused_postgres_answers_on_no_connection() {
    let mut server = Postgres::start().unwrap();
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.write_all(STARTUP).unwrap();
    assert_eq!(read_until(&mut stream, b'Z')[0], b'R');

    server.pause().unwrap();
    stream.write_all(QUERY).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let error = first_bytes(&mut stream).unwrap_err();
    assert!([ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()), "{error}");
    server.resume().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    assert_eq!(read_until(&mut stream, b'Z'), b"TDCZ");

    // A paused one ends with all its processes, and does not run what it was sent.
    server.pause().unwrap();
    stream.write_all(QUERY).unwrap();
    server.stop();
    let ended = first_bytes(&mut stream);
    assert!(ended.as_ref().map_or(true, Vec::is_empty), "{ended:?}");
    server.restart().unwrap();
}

#[test]
#[ignore = "needs postgresql and mariadb-server"]
fn a_sql_server_is_reached_as_a_user_without_a_password() {
    let (postgres, mariadb) = (Postgres::start().unwrap(), MariaDb::start().unwrap());
    assert_eq!(postgres.url(), format!("postgres://postgres@{}/postgres", postgres.addr()));
    assert_eq!(mariadb.url(), format!("mysql://root@{}/test", mariadb.addr()));
}
