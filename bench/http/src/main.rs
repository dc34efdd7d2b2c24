//! The area `http`: servers on Redis that read a session, change one, or answer without any.

mod instructions;
mod redis;
mod subject;
mod wrk;

use std::{env, fs, path::PathBuf, process};

use cloakroom_bench::{Options, Sample, cpu, documents};

use crate::{
    redis::{Redis, commands_per_request, in_an_hour},
    subject::{RAW, Running, SAFE, SIGNED, SUBJECTS, Subject},
};

/// How many browsers there are.
const BROWSERS: usize = 1_000;

/// A table: a kind of session, and who is measured with it.
struct Table {
    name: &'static str,
    session: fn() -> String,
    data: fn() -> String,
    subjects: Vec<Subject>,
}

fn tables(options: Options) -> Vec<Table> {
    let all = || SUBJECTS.to_vec();
    // Most of the time of a table goes to the peers, which are measured with typical sessions in any case.
    let few = || {
        SUBJECTS.iter().copied().filter(|one| !options.quick || one.is_limit || one.name == SAFE)
    };
    let mut tables = vec![Table {
        name: "500 bytes",
        session: || documents::session(500, &in_an_hour()),
        data: || documents::data(414),
        subjects: all(),
    }];
    tables.push(Table {
        name: "20 KB",
        session: || documents::session(20_480, &in_an_hour()),
        data: || documents::data(20_394),
        subjects: few().collect(),
    });
    if !options.quick {
        tables.push(Table {
            name: "50 members",
            session: || documents::session_of_members(50, &in_an_hour()),
            data: || documents::data_of_members(50),
            subjects: few().collect(),
        });
    }
    tables
}

/// What one subject does in one table.
struct Case<'a> {
    server: &'a Running,
    work: &'static str,
    path: &'static str,
    base: &'static str,
    /// The name in the table: the server's, except for the page without a session layer.
    name: &'static str,
    cookies: Option<PathBuf>,
    allocations: Option<f64>,
}

const READ: &str = "read and extend";
const WRITE: &str = "write";
const ANONYMOUS: &str = "anonymous";
const NO_LAYER: &str = "axum without a session layer";

fn main() {
    let options = Options::from_arguments();
    let folder = env::temp_dir().join(format!("cloakroom-bench-{}", process::id()));
    fs::create_dir_all(&folder).expect("there is a folder for temporary files");
    for table in tables(options) {
        measure(&table, options, &folder);
    }
    if !options.quick {
        instructions::measure(&folder);
    }
    let _ = fs::remove_dir_all(&folder);
}

fn measure(table: &Table, options: Options, folder: &std::path::Path) {
    let mut redis = Redis::start();
    let servers: Vec<Running> =
        table.subjects.iter().map(|subject| Running::start(*subject, &redis.url())).collect();
    let mut cases = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let prefix = format!("subject{number:02}");
        let (session, data) = ((table.session)(), (table.data)());
        let cookies = cookies_of(server, &mut redis, &prefix, BROWSERS, &session, &data);
        check(server, &cookies[0]);
        let file = folder.join(number.to_string());
        fs::write(&file, cookies.join("\n") + "\n").expect("there is space for cookies");
        cases.extend(cases_of(server, file));
    }
    for case in &mut cases {
        // This is the warm-up, too.
        case.allocations = allocations(case);
    }
    for round in 0..options.rounds {
        for case in &cases {
            sample(case, table, round, options, &mut redis).print();
        }
    }
}

fn cases_of(server: &Running, cookies: PathBuf) -> Vec<Case<'_>> {
    let name = server.subject.name;
    let case = |work, path, base| {
        let cookies = Some(cookies.clone());
        Case { server, work, path, base, name, cookies, allocations: None }
    };
    let mut cases = vec![case(READ, "/read", SIGNED), case(WRITE, "/write", RAW)];
    if !server.subject.is_limit {
        cases.push(Case { cookies: None, ..case(ANONYMOUS, "/anonymous", NO_LAYER) });
    }
    if name == SAFE {
        cases.push(Case { cookies: None, name: NO_LAYER, ..case(ANONYMOUS, "/hello", NO_LAYER) });
    }
    cases
}

/// Makes sessions for so many browsers, and returns their cookies.
fn cookies_of(
    server: &Running,
    redis: &mut Redis,
    prefix: &str,
    browsers: usize,
    session: &str,
    data: &str,
) -> Vec<String> {
    if server.subject.reads_express {
        return redis.seed(prefix, browsers, session);
    }
    let cookies = (0..browsers).map(|_| {
        let (head, _) = server.ask("POST", "/seed", "", data);
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let cookies = lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        let cookies = cookies.filter_map(|(_, value)| value.split(';').next());
        cookies.collect::<Vec<_>>().join("; ")
    });
    cookies.collect()
}

/// All subjects give the same answers, and what they write is there afterwards.
fn check(server: &Running, cookie: &str) {
    let name = server.subject.name;
    for (path, answer) in
        [("/read", "views 1"), ("/write", "views 2"), ("/read", "views 2"), ("/write", "views 3")]
    {
        assert_eq!(server.ask("GET", path, cookie, "").1, answer, "{name}: {path}");
    }
    let anonymous = if server.subject.is_limit { "/hello" } else { "/anonymous" };
    assert_eq!(server.ask("GET", anonymous, "", "").1, "views 1", "{name}");
}

/// How often a request allocates, if that can be counted.
fn allocations(case: &Case<'_>) -> Option<f64> {
    let count = || -> f64 {
        case.server.ask("GET", "/count", "", "").1.parse().expect("a number of allocations")
    };
    let is_rust = case.server.subject.is_rust();
    is_rust.then(count);
    let answers = wrk::run(case.server.port, case.path, case.cookies.as_deref(), 1);
    is_rust.then(|| count() / answers.number)
}

fn sample(
    case: &Case<'_>,
    table: &Table,
    round: u32,
    options: Options,
    redis: &mut Redis,
) -> Sample {
    let (server, store) = (case.server.id(), redis.id());
    let before = (cpu::of_process(server), cpu::of_process(store), redis.commands());
    let seconds = if options.quick { 1 } else { 2 };
    let answers = wrk::run(case.server.port, case.path, case.cookies.as_deref(), seconds);
    let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6 / answers.number;
    let cpu = micros(cpu::of_process(server) - before.0);
    let redis_cpu = micros(cpu::of_process(store) - before.1);
    let commands = commands_per_request(&before.2, &redis.commands(), answers.number);
    let sample = Sample::new(table.name, case.work, case.name, case.base, round)
        .with("CPU, µs", cpu)
        .with("Redis CPU, µs", redis_cpu)
        .with("requests/s", answers.per_second)
        .with("half within, µs", answers.half)
        .with("99 % within, µs", answers.most)
        .with_note(commands);
    match case.allocations {
        Some(allocations) => sample.with("allocations", allocations),
        None => sample,
    }
}
