//! Stores of npm packages: `bench/node/stores.mjs` runs them, and measures itself.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::Mutex,
    time::Duration,
};

use cloakroom_bench::{cpu, tasks::Cost};
use serde_json::{Value, json};

use crate::backend::Answer;

/// A Node.js process with one store.
pub(crate) struct NodeStore {
    name: &'static str,
    /// The first session, as it was read after it was stored.
    read: Value,
    child: Mutex<Child>,
    streams: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl NodeStore {
    /// Starts it, and stores the sessions.
    pub(crate) fn start(name: &'static str, url: &str, session: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/stores.mjs");
        let mut child = cpu::on_core(cpu::SUBJECT, "node")
            .arg(script)
            .args([name, url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js is installed");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let streams = Mutex::new((stdin, stdout));
        let mut store = Self { name, read: Value::Null, child: Mutex::new(child), streams };
        store.read = store.ask(&json!({ "session": session }));
        store
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The session that it answers with.
    pub(crate) fn answer(&self) -> Answer {
        let read = self.read.clone();
        Answer::new(self.name, move || std::future::ready(read.clone()))
    }

    /// Does the same for some time.
    pub(crate) fn run(&self, work: &str, time: Duration, servers: &[u32]) -> Cost {
        let of_servers = || cpu::of_processes(servers.iter().copied());
        let before = of_servers();
        let answer = self.ask(&json!({ "work": work, "ms": time.as_millis() as u64 }));
        let number = |name: &str| answer[name].as_f64().expect("the script answers with numbers");
        let done = number("operations");
        Cost {
            operations: done,
            per_second: done / number("seconds"),
            cpu: number("cpu") / done,
            server_cpu: (of_servers() - before).as_secs_f64() * 1e6 / done,
        }
    }

    fn ask(&self, question: &Value) -> Value {
        let mut streams = self.streams.lock().expect("nobody panics with it");
        let (stdin, stdout) = &mut *streams;
        writeln!(stdin, "{question}").expect("the script reads");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the script answers");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{} answers {line:?}", self.name))
    }
}

impl Drop for NodeStore {
    fn drop(&mut self) {
        let child = self.child.get_mut().expect("nobody panics with it");
        let _ = child.kill();
        let _ = child.wait();
    }
}
