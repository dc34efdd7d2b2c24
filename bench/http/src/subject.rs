//! The servers that are compared.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use cloakroom_bench::cpu;

/// A server that is compared with others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    program: Program,
    environment: &'static [(&'static str, &'static str)],
    /// Whether it reads what Express has written. If not, it makes its sessions itself.
    pub(crate) reads_express: bool,
    /// Whether only `/read` and `/write` are of interest.
    pub(crate) is_limit: bool,
    /// The commands that Redis runs for a request for a page, with a short and with a long session: for our subjects,
    /// which fail if they run others.
    pub(crate) commands: &'static [(&'static str, [&'static str; 2])],
}

impl Subject {
    /// Whether it is ours, or the bare client, and no peer.
    pub(crate) fn is_in_targets(&self) -> bool {
        self.is_limit || self.name.starts_with("cloakroom")
    }

    /// Whether its allocations and its instructions can be counted.
    pub(crate) fn is_rust(&self) -> bool {
        matches!(self.program, Program::Rust(_))
    }
}

#[derive(Clone, Copy, Debug)]
enum Program {
    /// A binary of this package.
    Rust(&'static str),
    /// A file in `bench/node/servers`.
    Node(&'static str),
}

const fn rust(name: &'static str, binary: &'static str) -> Subject {
    let program = Program::Rust(binary);
    Subject {
        name,
        program,
        environment: &[],
        reads_express: false,
        is_limit: false,
        commands: &[],
    }
}

const fn node(name: &'static str, file: &'static str) -> Subject {
    let program = Program::Node(file);
    Subject { name, program, environment: &[], reads_express: true, is_limit: false, commands: &[] }
}

pub(crate) const RAW: &str = "raw redis in axum";
pub(crate) const SIGNED: &str = "raw redis in axum, cookie checked";
pub(crate) const SAFE: &str = "cloakroom, safe";
pub(crate) const EXPRESS: &str = "cloakroom, express preset";

/// `GETEX` reads and extends; a write is one more round trip, and two for a long session. The script runs the `GET` and the
/// `SET`; for a long session, `WATCH` is sent with a `GETEX`, and `MULTI` with the rest. A Redis that compares by itself
/// runs a `SET` alone.
const SAFE_COMMANDS: &[(&str, [&str; 2])] = &[
    ("/read", ["getex 1", "getex 1"]),
    (
        "/write",
        [
            "evalsha 1 · get 1 · getex 1 · set 1 | getex 1 · set 1",
            "exec 1 · getex 2 · multi 1 · set 1 · watch 1 | getex 1 · set 1",
        ],
    ),
    ("/anonymous", ["", ""]),
];

/// Those of express-session with connect-redis.
const EXPRESS_COMMANDS: &[(&str, [&str; 2])] = &[
    ("/read", ["expire 1 · get 1", "expire 1 · get 1"]),
    ("/write", ["get 1 · set 1", "get 1 · set 1"]),
    ("/anonymous", ["", ""]),
];

/// Those of express-session with a connect-redis store that the npm package in `compat/express` has made safe: the script
/// instead of the `SET`, or a Redis that compares by itself.
const SAFE_NODE_COMMANDS: &[(&str, [&str; 2])] = &[
    ("/read", ["expire 1 · get 1", "expire 1 · get 1"]),
    (
        "/write",
        ["evalsha 1 · get 2 · set 1 | get 1 · set 1", "evalsha 1 · get 2 · set 1 | get 1 · set 1"],
    ),
    ("/anonymous", ["", ""]),
];

/// All of them; the first ones are what the others are compared with.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { reads_express: true, is_limit: true, ..rust(RAW, "serve_raw") },
    Subject {
        reads_express: true,
        is_limit: true,
        environment: &[("SIGNED", "1")],
        ..rust(SIGNED, "serve_raw")
    },
    Subject { reads_express: true, commands: SAFE_COMMANDS, ..rust(SAFE, "serve_cloakroom") },
    Subject {
        reads_express: true,
        environment: &[("PRESET", "express")],
        commands: EXPRESS_COMMANDS,
        ..rust(EXPRESS, "serve_cloakroom")
    },
    rust("tower-sessions", "serve_tower_sessions"),
    rust("axum_session", "serve_axum_session"),
    Subject {
        environment: &[("MEMORY", "1")],
        ..rust("axum_session, sessions also in memory", "serve_axum_session")
    },
    rust("actix-session", "serve_actix_session"),
    rust("salvo-express-session", "serve_salvo_express_session"),
    node("express-session on Express", "express.mjs"),
    Subject {
        environment: &[("SAFE", "1")],
        commands: SAFE_NODE_COMMANDS,
        ..node("express-session on Express, safe", "express.mjs")
    },
    node("express-session on node:http", "node_http.mjs"),
];

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) subject: Subject,
    pub(crate) port: u16,
    child: Child,
    // The server ends when this is closed, also if this process is killed.
    _stdin: ChildStdin,
}

impl Running {
    pub(crate) fn start(subject: Subject, redis: &str) -> Self {
        Self::spawn(subject, command(subject), redis)
    }

    /// Starts a server in Rust under callgrind, which writes to files whose names begin so.
    pub(crate) fn start_under_callgrind(subject: Subject, redis: &str, file: &Path) -> Self {
        let server = command(subject);
        let mut valgrind = cpu::on_core(cpu::SUBJECT, "valgrind");
        valgrind.args(["--quiet", "--tool=callgrind", "--dump-before=*::server::count*"]);
        valgrind.arg(format!("--callgrind-out-file={}", file.display()));
        // The server itself stands last, after what keeps it on its core.
        valgrind.args(server.get_args().last().or(Some(server.get_program())));
        Self::spawn(subject, valgrind, redis)
    }

    fn spawn(subject: Subject, mut command: Command, redis: &str) -> Self {
        let mut child = command
            .env("REDIS", redis)
            .envs(subject.environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", subject.name));
        let stdin = child.stdin.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("its output is text");
        let port = line.trim().parse();
        let port = port.unwrap_or_else(|_| panic!("{} did not start: {line:?}", subject.name));
        Self { subject, port, child, _stdin: stdin }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request and returns the head and the body of the answer, which must be a success.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        cookie: &str,
        body: &str,
    ) -> (String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        let cookie =
            if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}Connection: close\r\n\
             Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut answer = String::new();
        stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.read_to_string(&mut answer))
            .expect("the server answers");
        let name = self.subject.name;
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {method} {path}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head ends");
        // Express and salvo may send the body in chunks.
        let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked { body.split("\r\n").nth(1).unwrap_or_default() } else { body };
        (head.to_owned(), body.to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(subject: Subject) -> Command {
    match subject.program {
        Program::Rust(binary) => {
            let folder = env::current_exe().expect("this program has a path");
            cpu::on_core(cpu::SUBJECT, &folder.with_file_name(binary).to_string_lossy())
        }
        Program::Node(file) => {
            let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../node/servers"].iter().collect();
            let mut command = cpu::on_core(cpu::SUBJECT, "node");
            command.arg(folder.join(file));
            command
        }
    }
}
