//! What each kind of server promises.
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    panic,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cloakroom_test_support::{
    Kind, Maria, Memcache, Memcached, Mongo, Mongod, Pg, Redis, RedisServer, Server, first_bytes,
};

/// Whether the process is there. Our children are gone as soon as we waited for them.
fn runs(id: u32) -> bool {
    Command::new("/bin/sh")
        .args(["-c", &format!("kill -0 {id}")])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

/// The first bytes of the answer.
fn ask(addr: &str, question: &str) -> std::io::Result<String> {
    ask_for(Duration::from_secs(120), addr, question)
}

/// Returns the first bytes of the answer, or why it did not come within this time.
fn ask_for(time: Duration, addr: &str, question: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(time))?;
    stream.write_all(question.as_bytes())?;
    Ok(String::from_utf8_lossy(&first_bytes(&mut stream)?).into_owned())
}

fn check_a_server_ends_with_its_guard<K: Kind>() {
    let server = Server::<K>::start().unwrap();
    let (id, addr) = (server.id().unwrap(), server.addr());
    assert!(runs(id));
    TcpStream::connect(&addr).unwrap();
    drop(server);
    assert!(!runs(id));
    TcpStream::connect(&addr).unwrap_err();
}

fn check_a_restart_keeps_the_port<K: Kind>() {
    let mut server = Server::<K>::start().unwrap();
    let (id, addr, url) = (server.id(), server.addr(), server.url());
    server.stop();
    assert_eq!(server.id(), None);
    TcpStream::connect(&addr).unwrap_err();
    server.restart().unwrap();
    assert_ne!(server.id(), id);
    assert_eq!(server.url(), url);
    TcpStream::connect(&addr).unwrap();
    // Also one that still runs, and one whose data is not kept.
    server.restart().unwrap();
    server.restart_empty().unwrap();
    TcpStream::connect(&addr).unwrap();
}

fn check_a_failed_start_returns_the_command_and_the_log<K: Kind>() {
    let error = Server::<K>::start_with(&["--no-such-option"]).unwrap_err().to_string();
    let (first, log) = error.split_once('\n').unwrap();
    assert!(first.contains(K::PROGRAM) && first.contains("--no-such-option"), "{error}");
    assert!(log.contains("no-such-option"), "{error}");
}

#[test]
#[ignore = "needs redis-server"]
fn redis_ends_with_its_guard() {
    check_a_server_ends_with_its_guard::<Redis>();
}

#[test]
#[ignore = "needs memcached"]
fn memcached_ends_with_its_guard() {
    check_a_server_ends_with_its_guard::<Memcache>();
}

#[test]
#[ignore = "needs mongod"]
fn mongod_ends_with_its_guard() {
    check_a_server_ends_with_its_guard::<Mongo>();
}

#[test]
#[ignore = "needs postgresql"]
fn postgres_ends_with_its_guard() {
    check_a_server_ends_with_its_guard::<Pg>();
}

#[test]
#[ignore = "needs mariadb-server"]
fn mariadb_ends_with_its_guard() {
    check_a_server_ends_with_its_guard::<Maria>();
}

#[test]
#[ignore = "needs redis-server"]
fn redis_keeps_its_port() {
    check_a_restart_keeps_the_port::<Redis>();
}

#[test]
#[ignore = "needs memcached"]
fn memcached_keeps_its_port() {
    check_a_restart_keeps_the_port::<Memcache>();
}

#[test]
#[ignore = "needs mongod"]
fn mongod_keeps_its_port() {
    check_a_restart_keeps_the_port::<Mongo>();
}

#[test]
#[ignore = "needs postgresql"]
fn postgres_keeps_its_port() {
    check_a_restart_keeps_the_port::<Pg>();
}

#[test]
#[ignore = "needs mariadb-server"]
fn mariadb_keeps_its_port() {
    check_a_restart_keeps_the_port::<Maria>();
}

#[test]
#[ignore = "needs redis-server"]
fn redis_that_fails_to_start_returns_its_log() {
    check_a_failed_start_returns_the_command_and_the_log::<Redis>();
}

#[test]
#[ignore = "needs memcached"]
fn memcached_that_fails_to_start_returns_its_log() {
    check_a_failed_start_returns_the_command_and_the_log::<Memcache>();
}

#[test]
#[ignore = "needs mongod"]
fn mongod_that_fails_to_start_returns_its_log() {
    check_a_failed_start_returns_the_command_and_the_log::<Mongo>();
}

#[test]
#[ignore = "needs postgresql"]
fn postgres_that_fails_to_start_returns_its_log() {
    check_a_failed_start_returns_the_command_and_the_log::<Pg>();
}

#[test]
#[ignore = "needs mariadb-server"]
fn mariadb_that_fails_to_start_returns_its_log() {
    check_a_failed_start_returns_the_command_and_the_log::<Maria>();
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_ends_with_a_panic() {
    let mut id = None;
    let result = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let server = RedisServer::start().unwrap();
        id = server.id();
        panic!("as a test fails");
    }));
    assert!(result.is_err());
    assert!(!runs(id.unwrap()));
}

#[test]
#[ignore = "needs redis-server, memcached, mongod, postgresql and mariadb-server"]
fn a_server_ends_with_a_killed_test() {
    for kind in ["redis", "memcached", "mongod", "postgres", "mariadb"] {
        let mut helper = Command::new(env!("CARGO_BIN_EXE_serve"))
            .arg(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Kept open: the end of its input would stop the helper in the orderly way.
        let _input = helper.stdin.take();
        let mut url = String::new();
        BufReader::new(helper.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let addr = url.trim().split(['/', '@']).find(|part| part.starts_with("127.")).unwrap();
        TcpStream::connect(addr).unwrap();

        helper.kill().unwrap();
        helper.wait().unwrap();
        let since = Instant::now();
        while TcpStream::connect(addr).is_ok() {
            assert!(since.elapsed() < Duration::from_secs(120), "{kind} outlived its test");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
#[ignore = "needs redis-server and memcached"]
fn servers_started_at_once_have_ports_of_their_own() {
    let start = |n| {
        thread::spawn(move || {
            if n % 2 == 0 {
                RedisServer::start().unwrap().port()
            } else {
                Memcached::start().unwrap().port()
            }
        })
    };
    let starts: Vec<_> = (0..12).map(start).collect();
    let ports: HashSet<u16> = starts.into_iter().map(|start| start.join().unwrap()).collect();
    assert_eq!(ports.len(), 12);
}

#[test]
#[ignore = "needs redis-server"]
fn a_paused_server_answers_after_it_is_resumed() {
    let mut server = RedisServer::start().unwrap();
    assert_eq!(ask(&server.addr(), "PING\r\n").unwrap(), "+PONG\r\n");
    server.pause().unwrap();
    ask_for(Duration::from_millis(500), &server.addr(), "PING\r\n").unwrap_err();
    server.resume().unwrap();
    assert_eq!(ask(&server.addr(), "PING\r\n").unwrap(), "+PONG\r\n");
    // A paused server ends with its guard like any other, and a stopped one cannot be paused.
    server.pause().unwrap();
    let id = server.id().unwrap();
    server.stop();
    assert!(!runs(id));
    server.pause().unwrap_err();
}

#[test]
#[ignore = "needs redis-server"]
fn redis_keeps_its_data_if_told_to() {
    for (options, kept) in [(&[][..], "$-1\r\n"), (&["--appendonly", "yes"], "$1\r\nv\r\n")] {
        let mut server = RedisServer::start_with(options).unwrap();
        ask(&server.addr(), "SET k v\r\n").unwrap();
        server.restart().unwrap();
        assert_eq!(ask(&server.addr(), "GET k\r\n").unwrap(), kept, "{options:?}");
        server.restart_empty().unwrap();
        assert_eq!(ask(&server.addr(), "GET k\r\n").unwrap(), "$-1\r\n", "{options:?}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn redis_takes_options_and_listens_on_a_unix_socket() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]).unwrap();
    assert!(ask(&server.addr(), "PING\r\n").unwrap().starts_with("-NOAUTH"));
    assert_eq!(ask(&server.addr(), "AUTH secret\r\n").unwrap(), "+OK\r\n");
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    assert_eq!(server.ca_certificate(), None);
    UnixStream::connect(server.unix_socket()).unwrap();
}

#[test]
#[ignore = "needs redis-server and openssl"]
fn redis_speaks_tls_with_a_certificate_that_verifies() {
    let server = RedisServer::start_tls().unwrap();
    assert_eq!(server.url(), format!("rediss://127.0.0.1:{}", server.port()));
    let client = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-verify_ip",
            "127.0.0.1",
            "-connect",
            &server.addr(),
        ])
        .arg("-CAfile")
        .arg(server.ca_certificate().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    client.stdin.as_ref().unwrap().write_all(b"PING\r\nQUIT\r\n").unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "+PONG\r\n+OK\r\n");
}

#[test]
#[ignore = "needs memcached and mongod"]
fn the_others_have_urls_too() {
    let (memcached, mongod) = (Memcached::start().unwrap(), Mongod::start().unwrap());
    assert_eq!(memcached.url(), format!("memcached://{}", memcached.addr()));
    assert_eq!(mongod.url(), format!("mongodb://{}", mongod.addr()));
    assert!(mongod.log().contains("Waiting for connections"), "{}", mongod.log());
}

#[test]
fn a_missing_program_is_named_and_how_to_get_it() {
    for (kind, program) in
        [("redis", "redis-server"), ("memcached", "memcached"), ("mongod", "mongod")]
    {
        let output =
            Command::new(env!("CARGO_BIN_EXE_serve")).arg(kind).env_clear().output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text, format!("{program} is missing here: `cargo xtask test` installs it\n"));
        assert!(!output.status.success());
    }
}

#[test]
#[ignore = "needs redis-server"]
fn nothing_is_left_in_the_temporary_folder() {
    let server = RedisServer::start().unwrap();
    let folder = server.unix_socket().parent().map(Path::to_owned).unwrap();
    assert!(folder.join("data").is_dir());
    drop(server);
    assert!(!folder.exists());
}
