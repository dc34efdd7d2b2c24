//! Four Express processes and two Rust ones on one store, and sessions that all of them know.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use cloakroom::{ExpressSession, Secrets, SessionData};
use cloakroom_test_support::{NodeProgram, unique};
use serde_json::Value;
use tokio::runtime::Runtime;

/// For how long a machine may be too busy to answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// A process of Rust. Its end of the pipe is closed when the test ends in whatever way, and it ends then.
struct Rust {
    child: Child,
    _stdin: ChildStdin,
}

impl Drop for Rust {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All processes, and the store that they are on.
pub(crate) struct Sites {
    origins: Vec<String>,
    http: ureq::Agent,
    runtime: Runtime,
    sessions: ExpressSession,
    secrets: Secrets,
    /// The test's threads share this, and a program's output can be read by one thread only.
    _node: Mutex<Vec<NodeProgram>>,
    _rust: Vec<Rust>,
}

fn start_rust(url: &str) -> (Rust, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_site"));
    let mut child = command.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let rust = Rust { child, _stdin: stdin };
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    (rust, line)
}

impl Sites {
    /// Starts the processes on the store that npm calls `store`. Express is safe, or as it comes.
    pub(crate) fn start(store: &str, url: &str, is_safe: bool) -> Self {
        let node = |express| {
            let mut arguments = vec!["--store", store, "--url", url, "--express", express];
            arguments.extend(is_safe.then_some("--safe"));
            NodeProgram::start("safe/writer.mjs", &arguments, &[]).unwrap()
        };
        let node = ["express", "express-4", "express", "express-4"].map(node);
        let patient = format!("{url}?deadline=600000");
        let (rust, lines): (Vec<_>, Vec<_>) = (0..2).map(|_| start_rust(&patient)).unzip();
        let ready = node.iter().map(NodeProgram::ready).chain(lines.iter().map(String::as_str));
        let origins = ready.map(|line| {
            let line: Value = line.parse().unwrap_or_else(|_| panic!("did not start: {line:?}"));
            format!("http://127.0.0.1:{}", line["port"])
        });
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_idle_connections(0)
            .build();
        Self {
            origins: origins.collect(),
            http: http.into(),
            runtime: Runtime::new().unwrap(),
            sessions: cloakroom::open(&patient).unwrap(),
            secrets: Secrets::new(["keyboard cat"]).unwrap(),
            _node: Mutex::new(node.into()),
            _rust: rust,
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.origins.len()
    }

    /// Stores a new session, and returns its id.
    pub(crate) fn new_session(&self) -> String {
        let sid = unique("sid");
        let mut session = SessionData::new();
        session
            .cookie_mut()
            .set_max_age_ms(Some(3_600_000), self.sessions.options().clock.now_ms())
            .unwrap();
        self.runtime.block_on(self.sessions.set(&sid, &session)).unwrap();
        sid
    }

    /// The session as it is stored.
    pub(crate) fn stored(&self, sid: &str) -> Option<SessionData> {
        self.runtime.block_on(self.sessions.get(sid)).unwrap()
    }

    /// Sends a request with the cookie of a session to one of the processes. Returns true if it was answered with
    /// success.
    pub(crate) fn ask(&self, site: usize, path: &str, sid: &str) -> bool {
        let cookie = format!("connect.sid={}", self.secrets.cookie_value(sid));
        let url = format!("{}{path}", self.origins[site]);
        self.http.get(url).header("cookie", cookie).call().unwrap().status().is_success()
    }

    fn text(&self, site: usize, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.origins[site])).call();
        answer.unwrap().body_mut().read_to_string().unwrap()
    }

    /// Waits until so many requests wait in all processes together, with their sessions loaded.
    pub(crate) fn wait_for_held(&self, number: usize) {
        let since = Instant::now();
        loop {
            let held = (0..self.number()).map(|site| self.text(site, "/held"));
            let held: usize = held.map(|held| held.parse::<usize>().unwrap()).sum();
            if held == number {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{held} of {number} requests wait");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Lets the waiting requests of a process go on.
    pub(crate) fn release(&self, site: usize) {
        self.text(site, "/release");
    }
}
