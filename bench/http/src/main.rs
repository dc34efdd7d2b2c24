//! The area `http`: servers on Redis that read a session, change one, or answer without any.

mod case;
mod instructions;
mod redis;
mod subject;
mod table;
mod wrk;

use std::{env, fs, path::Path, process};

use cloakroom_bench::Options;

use crate::{
    case::{Case, cases_of, check, cookies_of},
    redis::Redis,
    subject::Running,
    table::{Table, tables},
};

fn main() {
    let options = Options::from_arguments();
    allow_many_connections();
    let folder = env::temp_dir().join(format!("cloakroom-bench-{}", process::id()));
    fs::create_dir_all(&folder).expect("there is a folder for temporary files");
    let mut redis = Redis::start();
    for table in tables(options) {
        measure(&table, options, &mut redis, &folder);
    }
    instructions::measure(options, &mut redis, &folder);
    let _ = fs::remove_dir_all(&folder);
}

fn measure(table: &Table, options: Options, redis: &mut Redis, folder: &Path) {
    let servers: Vec<Running> =
        table.subjects.iter().map(|subject| Running::start(*subject, &redis.url())).collect();
    let mut cases = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let cookies = cookies_of(server, redis, number, table);
        check(server, &cookies[0]);
        let file = folder.join(number.to_string());
        fs::write(&file, cookies.join("\n") + "\n").expect("there is space for cookies");
        let wanted = |case: &Case<'_>| !options.quick || case.is_in_quick_runs();
        cases.extend(cases_of(server, table, &file).into_iter().filter(wanted));
    }
    for case in &mut cases {
        case.warm_up(table);
    }
    for round in 0..table.rounds {
        for case in &cases {
            if case.server.subject.is_in_targets() || options.has_peers(round) {
                case.sample(table, round, redis).print();
            }
        }
    }
}

/// Lets this process, and those that it starts, open as many sockets as the system allows.
fn allow_many_connections() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a pointer to `limit`, which is there.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
