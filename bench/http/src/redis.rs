//! The Redis server behind all subjects: sessions as Express writes them, and the commands that it has run.

use std::{mem, thread, time::Duration};

use cloakroom::{Secrets, date::to_iso_string};
use cloakroom_bench::{
    commands::{Counts, of_redis},
    cpu,
};
use cloakroom_bench_http::server::SECRET;
use cloakroom_test_support::RedisServer;
use redis::{Connection, cmd, pipe};

pub(crate) struct Redis {
    server: RedisServer,
    connection: Connection,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let server = RedisServer::start().expect("redis-server is installed");
        cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
        let client = redis::Client::open(server.url()).expect("it is a URL");
        Self { connection: client.get_connection().expect("it answers"), server }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn id(&self) -> u32 {
        self.server.id().expect("it runs")
    }

    /// Stores sessions as Express would, and returns their cookies.
    pub(crate) fn seed(&mut self, prefix: &str, number: usize, session: &str) -> Vec<String> {
        let secrets = Secrets::new([SECRET]).expect("it is a secret");
        let ids: Vec<String> = (0..number).map(|number| format!("{prefix}{number:0>24}")).collect();
        let mut sets = pipe();
        for id in &ids {
            sets.cmd("SET").arg(format!("sess:{id}")).arg(session).arg("EX").arg(3600).ignore();
        }
        sets.exec(&mut self.connection).expect("Redis stores sessions");
        ids.iter().map(|id| format!("connect.sid={}", secrets.cookie_value(id))).collect()
    }

    /// How often each command was run so far, when none of what was asked before is under way any more: Express touches a
    /// session after its answer, and a client that ends leaves its last requests to the server. Does not wait for longer
    /// than a second.
    pub(crate) fn commands_at_rest(&mut self) -> Counts {
        let mut last = self.commands();
        for _ in 0..50 {
            thread::sleep(Duration::from_millis(20));
            let before = mem::replace(&mut last, self.commands());
            if before == last {
                break;
            }
        }
        last
    }

    /// How often each command was run so far.
    pub(crate) fn commands(&mut self) -> Counts {
        let info: String =
            cmd("INFO").arg("commandstats").query(&mut self.connection).expect("Redis knows INFO");
        of_redis(&info)
    }
}

/// An hour from now, as `cookie.expires` has it.
pub(crate) fn in_an_hour() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("it is after 1970").as_millis();
    to_iso_string(i64::try_from(now).expect("it is before 292278994") + 3_600_000)
        .expect("a year of 4 digits")
}
