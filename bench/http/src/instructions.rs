//! Instructions per request, counted by callgrind: the difference between a run with few and one with many requests.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
};

use cloakroom_bench::{Sample, documents};

use crate::{
    ANONYMOUS, NO_LAYER, READ, WRITE, cookies_of,
    redis::{Redis, in_an_hour},
    subject::{RAW, Running, SAFE, SIGNED, SUBJECTS, Subject},
};

const TABLE: &str = "500 bytes, instructions";

/// How many requests are counted. There are as many before, for what a server does once.
const REQUESTS: usize = 300;

/// Counts for each server in Rust, and prints the samples: one round, as the numbers hardly vary.
pub(crate) fn measure(folder: &Path) {
    let mut redis = Redis::start();
    for subject in SUBJECTS.iter().filter(|subject| subject.is_rust()) {
        let mut works = vec![(READ, "/read", SIGNED, subject.name)];
        works.push((WRITE, "/write", RAW, subject.name));
        if !subject.is_limit {
            works.push((ANONYMOUS, "/anonymous", NO_LAYER, subject.name));
        }
        if subject.name == SAFE {
            works.push((ANONYMOUS, "/hello", NO_LAYER, NO_LAYER));
        }
        for (work, path, base, name) in works {
            let few = count(*subject, path, work, REQUESTS, &mut redis, folder);
            let many = count(*subject, path, work, 2 * REQUESTS, &mut redis, folder);
            let each = (many - few) / REQUESTS as f64;
            Sample::new(TABLE, work, name, base, 0).with("instructions", each).print();
        }
    }
}

/// All instructions of a server that gets so many requests.
fn count(
    subject: Subject,
    path: &str,
    work: &str,
    requests: usize,
    redis: &mut Redis,
    folder: &Path,
) -> f64 {
    let file = folder.join("callgrind");
    let server = Running::start_under_callgrind(subject, &redis.url(), &file);
    let session = documents::session(500, &in_an_hour());
    let cookies = cookies_of(&server, redis, "counted", 1, &session, &documents::data(414));
    let cookie = match work {
        ANONYMOUS => String::new(),
        _ => format!("Cookie: {}\r\n", cookies[0]),
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n");
    let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server listens");
    let mut reader = BufReader::new(stream);
    for _ in 0..requests {
        reader.get_mut().write_all(request.as_bytes()).expect("the server reads");
        let answer = answer(&mut reader);
        assert!(answer.starts_with("views "), "{}: {path}: {answer}", subject.name);
    }
    server.end();
    let text = fs::read_to_string(&file).expect("callgrind has written its counts");
    let total = text.lines().find_map(|line| {
        let number = line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: "))?;
        number.trim().parse().ok()
    });
    total.expect("callgrind has written a sum")
}

/// Reads one answer of a connection that stays, and returns its body.
fn answer(reader: &mut BufReader<TcpStream>) -> String {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("the server answers");
        assert!(!line.is_empty(), "the server hung up");
        if line == "\r\n" {
            break;
        }
        let header =
            line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if let Some((_, value)) = header {
            length = value.trim().parse().expect("a length is a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body follows");
    String::from_utf8(body).expect("it is text")
}
