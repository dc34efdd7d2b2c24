//! What a Node.js program promises.
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    io::{self, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use cloakroom_test_support::{Memcached, NodeProgram, RedisServer};

const ECHO: &str = "
    console.log(JSON.stringify({ ready: process.env.GREETING }));
    console.error('to the log');
    process.stdin.on('end', () => process.exit());
    require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
        if (line === 'end') process.exit(3);
        console.log(line);
    });";

fn echo() -> NodeProgram {
    NodeProgram::start("--eval", &[ECHO], &[("GREETING", "hello")]).unwrap()
}

#[test]
#[ignore = "needs Node.js"]
fn a_program_answers_line_by_line() {
    let mut program = echo();
    assert_eq!(program.ready(), r#"{"ready":"hello"}"#);
    assert_eq!(program.call::<String>(r#"{"a":1}"#).unwrap(), r#"{"a":1}"#);
    assert_eq!(program.call::<u32>(17).unwrap(), 17);
    assert_eq!(program.log(), "to the log\n");
    let error = program.call::<u32>("x").unwrap_err().to_string();
    assert!(error.contains(r#"answered "x": invalid digit"#), "{error}");
}

#[test]
#[ignore = "needs Node.js"]
fn a_program_that_ends_is_an_error_with_its_log() {
    let mut program = echo();
    let error = program.call::<String>("end").unwrap_err().to_string();
    assert!(error.ends_with("has ended; its log ends:\n  to the log"), "{error}");
    let error = NodeProgram::start("no-such-program.mjs", &[], &[]).unwrap_err().to_string();
    assert!(error.contains("MODULE_NOT_FOUND"), "{error}");
}

#[test]
#[ignore = "needs Node.js"]
fn a_program_ends_with_its_guard() {
    let program = echo();
    let runs = format!("kill -0 {}", program.id());
    let runs = || {
        Command::new("/bin/sh")
            .args(["-c", &runs])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    assert!(runs());
    drop(program);
    assert!(!runs());
}

#[test]
#[ignore = "needs redis-server and Node.js"]
fn each_store_does_as_it_is_told() {
    let server = RedisServer::start().unwrap();
    for version in ["6", "7", "10"] {
        let options = format!(r#"{{"prefix":"{version}:"}}"#);
        let arguments = ["--store", version, "--url", &server.url(), "--options", &options];
        let mut store = NodeProgram::start("store.mjs", &arguments, &[]).unwrap();
        for (request, answer) in [
            (r#"{"op":"get","sid":"a"}"#, r#"{"value":null}"#),
            (r#"{"op":"set","sid":"a","session":"{ \"n\": 1.0 }"}"#, "{}"),
            (r#"{"op":"get","sid":"a"}"#, r#"{"value":"{\"n\":1}"}"#),
            (r#"{"op":"touch","sid":"a","session":"{}"}"#, "{}"),
            (r#"{"op":"all"}"#, r#"{"value":"[{\"n\":1,\"id\":\"a\"}]"}"#),
            (r#"{"op":"set","sid":"b","cookie":{"path":"/x"}}"#, "{}"),
            (
                r#"{"op":"get","sid":"b"}"#,
                r#"{"value":"{\"cookie\":{\"originalMaxAge\":null,\"expires\":null,\"httpOnly\":true,\"path\":\"/x\"}}"}"#,
            ),
            (r#"{"op":"destroy","sid":"b"}"#, "{}"),
            (r#"{"op":"length"}"#, r#"{"value":"1"}"#),
            (r#"{"op":"ids"}"#, r#"{"value":"[\"a\"]"}"#),
            (r#"{"op":"clear"}"#, "{}"),
            (r#"{"op":"length"}"#, r#"{"value":"0"}"#),
        ] {
            assert_eq!(
                store.call::<String>(request).unwrap(),
                answer,
                "connect-redis {version}: {request}"
            );
        }
        let error: String = store.call(r#"{"op":"set","sid":"a","session":"{"}"#).unwrap();
        assert!(error.starts_with(r#"{"error":""#), "{error}");
    }
}

#[test]
#[ignore = "needs memcached and Node.js"]
fn the_store_on_memcached_does_as_it_is_told() {
    let servers: Vec<_> = (0..2).map(|_| Memcached::start().unwrap()).collect();
    let url = format!("{},{}", servers[0].url(), servers[1].addr());
    let mut store =
        NodeProgram::start("store.mjs", &["--store", "memcached-3", "--url", &url], &[]).unwrap();
    for (request, answer) in [
        (r#"{"op":"get","sid":"a"}"#, r#"{"value":null}"#),
        (r#"{"op":"set","sid":"a","session":"{ \"n\": 1.0 }","cookie":{}}"#, "{}"),
        (
            r#"{"op":"get","sid":"a"}"#,
            r#"{"value":"{\"n\":1,\"cookie\":{\"originalMaxAge\":null,\"expires\":null,\"httpOnly\":true,\"path\":\"/\"}}"}"#,
        ),
        (r#"{"op":"destroy","sid":"a"}"#, "{}"),
        (r#"{"op":"get","sid":"a"}"#, r#"{"value":null}"#),
        (r#"{"op":"clear"}"#, "{}"),
    ] {
        assert_eq!(store.call::<String>(request).unwrap(), answer, "{request}");
    }
    // It refuses a session without a cookie.
    let error: String = store.call(r#"{"op":"set","sid":"a","session":"{}"}"#).unwrap();
    assert!(error.starts_with(r#"{"error":""#), "{error}");
}

#[test]
#[ignore = "needs redis-server and Node.js"]
fn the_app_keeps_a_login() {
    let server = RedisServer::start().unwrap();
    let app =
        NodeProgram::start("app.mjs", &["--url", &server.url(), "--secret", "keyboard cat"], &[])
            .unwrap();
    let port = app.ready().trim_start_matches(r#"{"port":"#).trim_end_matches('}').parse().unwrap();

    let login = request(port, "GET /login?user=ada", "", "");
    let cookie = login.split_once("Set-Cookie: ").unwrap().1.split_once(';').unwrap().0;
    let shown = body(&login);
    assert!(shown.contains(r#""user":"ada""#), "{login}");

    assert_eq!(body(&request(port, "GET /", cookie, "")), shown);
    let changed = request(port, "PUT /keys/theme", cookie, r#""dark""#);
    assert!(body(&changed).ends_with(r#""user":"ada","theme":"dark"}}"#), "{changed}");
    assert_eq!(body(&request(port, "GET /", cookie, "")), body(&changed));
    assert_eq!(body(&request(port, "GET /logout", cookie, "")), r#"{"id":null,"session":null}"#);
    assert!(!request(port, "GET /", cookie, "").contains("ada"));
}

/// The whole response to one request.
fn request(port: u16, line: &str, cookie: &str, body: &str) -> String {
    let length = body.len();
    let headers =
        format!("Cookie: {cookie}\r\nContent-Type: application/json\r\nContent-Length: {length}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "{line} HTTP/1.0\r\n{headers}\r\n\r\n{body}").unwrap();
    io::read_to_string(stream).unwrap()
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}
