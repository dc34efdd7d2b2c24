//! Instructions per request, counted by callgrind while one connection sends requests, one at a time.
//!
//! callgrind writes a file each time the server enters [`count`](cloakroom_bench_http::server::count), which is behind
//! `/count`, and begins to count again. What counting costs by itself is subtracted.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
};

use cloakroom_bench::{Options, Sample, documents};

use crate::{
    case::{ANONYMOUS, NO_LAYER, READ, WRITE, cookie_of},
    redis::{Redis, in_an_hour},
    subject::{RAW, Running, SAFE, SIGNED, SUBJECTS, Subject},
};

const TABLE: &str = "500 bytes, instructions";

/// How many requests are counted. A tenth of that comes before, for what a server does once.
const REQUESTS: usize = 200;

/// Counts for each server in Rust, and prints the samples: one round, as the numbers hardly vary.
pub(crate) fn measure(options: Options, redis: &mut Redis, folder: &Path) {
    let subjects = SUBJECTS.iter().filter(|subject| subject.is_rust());
    for subject in subjects.filter(|one| !options.quick || one.is_limit || one.name == SAFE) {
        let mut counted = Counted::start(*subject, redis, folder.join("callgrind"));
        let mut works = vec![(READ, "/read", SIGNED, subject.name)];
        works.push((WRITE, "/write", RAW, subject.name));
        if !subject.is_limit {
            works.push((ANONYMOUS, "/anonymous", NO_LAYER, subject.name));
        }
        if subject.name == SAFE {
            works.push((ANONYMOUS, "/hello", NO_LAYER, NO_LAYER));
        }
        for (work, path, base, name) in works {
            let each = counted.requests(path, work != ANONYMOUS);
            Sample::new(TABLE, work, name, base, 0).with("instructions", each).print();
        }
    }
}

/// A server under callgrind.
struct Counted {
    server: Running,
    connection: BufReader<TcpStream>,
    cookie: String,
    file: PathBuf,
    /// How many files callgrind has written.
    files: usize,
}

impl Counted {
    fn start(subject: Subject, redis: &mut Redis, file: PathBuf) -> Self {
        let server = Running::start_under_callgrind(subject, &redis.url(), &file);
        let cookie = if subject.reads_express {
            let session = documents::session(500, &in_an_hour());
            redis.seed("counted", 1, &session).remove(0)
        } else {
            cookie_of(&server, &documents::data(414))
        };
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server listens");
        Self { server, connection: BufReader::new(stream), cookie, file, files: 0 }
    }

    /// The instructions of a request.
    fn requests(&mut self, path: &str, has_cookie: bool) -> f64 {
        for _ in 0..REQUESTS / 10 {
            self.ask(path, has_cookie);
        }
        self.count();
        // Between these two there is nothing else.
        let counting = self.count();
        for _ in 0..REQUESTS {
            let answer = self.ask(path, has_cookie);
            let name = self.server.subject.name;
            assert!(answer.starts_with("views "), "{name}: {path}: {answer}");
        }
        (self.count() - counting) / REQUESTS as f64
    }

    /// The instructions since it was called last.
    fn count(&mut self) -> f64 {
        self.ask("/count", false);
        self.files += 1;
        let file = self.file.with_extension(self.files.to_string());
        let text = fs::read_to_string(&file).expect("callgrind has written its counts");
        let total = text.lines().find_map(|line| {
            let number =
                line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: "))?;
            number.trim().parse().ok()
        });
        total.expect("callgrind has written a sum")
    }

    /// Sends a request on the connection, which stays, and returns the body of the answer.
    fn ask(&mut self, path: &str, has_cookie: bool) -> String {
        let cookie =
            if has_cookie { format!("Cookie: {}\r\n", self.cookie) } else { String::new() };
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n");
        self.connection.get_mut().write_all(request.as_bytes()).expect("the server reads");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.connection.read_line(&mut line).expect("the server answers");
            assert!(!line.is_empty(), "the server hung up");
            if line == "\r\n" {
                break;
            }
            let header = line
                .split_once(": ")
                .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            if let Some((_, value)) = header {
                length = value.trim().parse().expect("a length is a number");
            }
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body).expect("the body follows");
        String::from_utf8(body).expect("it is text")
    }
}
