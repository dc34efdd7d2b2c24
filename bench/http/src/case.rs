//! One page of one server.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use cloakroom_bench::{Sample, commands::Commands, cpu, memory};

use crate::{
    redis::Redis,
    subject::{RAW, Running, SAFE, SIGNED},
    table::{CONNECTIONS, Pages, Table},
    wrk,
};

/// How many browsers there are.
const BROWSERS: usize = 1_000;

pub(crate) const READ: &str = "read and extend";
pub(crate) const WRITE: &str = "write";
pub(crate) const ANONYMOUS: &str = "anonymous";
pub(crate) const NO_LAYER: &str = "axum without a session layer";

/// What one server does in one table.
pub(crate) struct Case<'a> {
    pub(crate) server: &'a Running,
    work: &'static str,
    path: &'static str,
    base: &'static str,
    /// The name in the table: the server's, except for the page without a session layer.
    name: &'static str,
    cookies: Option<PathBuf>,
    allocations: Option<f64>,
}

pub(crate) fn cases_of<'a>(server: &'a Running, table: &Table, cookies: &Path) -> Vec<Case<'a>> {
    let name = server.subject.name;
    let case = |work, path, base| {
        let cookies = Some(cookies.to_owned());
        Case { server, work, path, base, name, cookies, allocations: None }
    };
    let anonymous = |name, path| {
        let case = case(ANONYMOUS, path, NO_LAYER);
        Case { name, cookies: None, ..case }
    };
    let mut cases = Vec::new();
    if table.pages == Pages::All || name != RAW {
        cases.push(case(READ, "/read", SIGNED));
    }
    if table.pages == Pages::All || (table.pages == Pages::OfSessions && name != SIGNED) {
        cases.push(case(WRITE, "/write", RAW));
    }
    if table.pages == Pages::All && !server.subject.is_limit {
        cases.push(anonymous(name, "/anonymous"));
    }
    if table.pages == Pages::All && name == SAFE {
        cases.push(anonymous(NO_LAYER, "/hello"));
    }
    cases
}

impl Case<'_> {
    /// Whether a quick run has it: of the peers, only the pages with a session.
    pub(crate) fn is_in_quick_runs(&self) -> bool {
        self.work != ANONYMOUS || self.server.subject.is_in_targets()
    }

    /// Asks for a second, and counts how often a request allocates, if that can be counted.
    pub(crate) fn warm_up(&mut self, table: &Table) {
        let count = || -> f64 {
            self.server.ask("GET", "/count", "", "").1.parse().expect("a number of allocations")
        };
        let is_rust = self.server.subject.is_rust();
        is_rust.then(count);
        let answers = self.run(table.connections, 1);
        self.allocations = is_rust.then(|| count() / answers.number);
    }

    fn run(&self, connections: usize, seconds: u32) -> wrk::Answers {
        wrk::run(self.server.port, self.path, self.cookies.as_deref(), connections, seconds)
    }

    pub(crate) fn sample(&self, table: &Table, round: u32, redis: &mut Redis) -> Sample {
        let (server, store) = (self.server.id(), redis.id());
        let commands = redis.commands_at_rest();
        let before = (cpu::of_process(server), cpu::of_process(store), commands);
        let run = || self.run(table.connections, table.seconds);
        let (answers, connections) = if table.connections > CONNECTIONS {
            most_connections(server, run)
        } else {
            (run(), 0)
        };
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / answers.number;
        let cpu = micros(cpu::of_process(server) - before.0);
        let redis_cpu = micros(cpu::of_process(store) - before.1);
        let commands =
            Commands::between(&before.2, &redis.commands(), answers.number, table.connections);
        self.check_commands(&commands, table);
        let mut sample = Sample::new(table.name, self.work, self.name, self.base, round)
            .with("CPU, µs", cpu)
            .with("Redis CPU, µs", redis_cpu)
            .with("requests/s", answers.per_second)
            .with("half within, µs", answers.half)
            .with("99 % within, µs", answers.most)
            .with_note(commands.text());
        if let Some(allocations) = self.allocations {
            sample = sample.with("allocations", allocations);
        }
        if table.connections > CONNECTIONS {
            sample = sample
                .with("server's memory, MB", memory::most_of_process(server) / 1e6)
                .with("connections at once", connections as f64);
        }
        sample
    }

    fn check_commands(&self, commands: &Commands, table: &Table) {
        let declared = self.server.subject.commands.iter().find(|(path, _)| *path == self.path);
        let wrong =
            declared.and_then(|(_, of)| commands.differ_from(of[usize::from(table.is_long)]));
        if let Some(wrong) = wrong {
            panic!("{}: {} of {}: {wrong}", self.name, self.path, table.name);
        }
    }
}

/// Runs something, and counts the most connections that a server has during it.
fn most_connections<T: Send>(server: u32, run: impl FnOnce() -> T + Send) -> (T, usize) {
    thread::scope(|scope| {
        let running = scope.spawn(run);
        let mut most = 0;
        while !running.is_finished() {
            let open = fs::read_dir(format!("/proc/{server}/fd")).map_or(0, Iterator::count);
            most = most.max(open);
            thread::sleep(Duration::from_millis(50));
        }
        (running.join().expect("it says itself why it panicked"), most)
    })
}

/// Makes a session for each browser, and returns their cookies.
pub(crate) fn cookies_of(
    server: &Running,
    redis: &mut Redis,
    number: usize,
    table: &Table,
) -> Vec<String> {
    if server.subject.reads_express {
        return redis.seed(&format!("subject{number:02}"), BROWSERS, &table.session);
    }
    (0..BROWSERS).map(|_| cookie_of(server, &table.data)).collect()
}

/// Lets the server make a session, and returns its cookie.
pub(crate) fn cookie_of(server: &Running, data: &str) -> String {
    let (head, _) = server.ask("POST", "/seed", "", data);
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let cookies = lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let cookies = cookies.filter_map(|(_, value)| value.split(';').next());
    cookies.collect::<Vec<_>>().join("; ")
}

/// All subjects give the same answers, and what they write is there afterwards.
pub(crate) fn check(server: &Running, cookie: &str) {
    let name = server.subject.name;
    for (path, answer) in
        [("/read", "views 1"), ("/write", "views 2"), ("/read", "views 2"), ("/write", "views 3")]
    {
        assert_eq!(server.ask("GET", path, cookie, "").1, answer, "{name}: {path}");
    }
    let anonymous = if server.subject.is_limit { "/hello" } else { "/anonymous" };
    assert_eq!(server.ask("GET", anonymous, "", "").1, "views 1", "{name}");
}
