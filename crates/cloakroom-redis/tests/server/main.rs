//! The store against real servers, and against some that misbehave on purpose.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod atomic;
mod cluster;
mod comparing;
mod connecting;
mod fake;
mod given;
mod large;
mod listing;
mod load;
mod operations;
mod outage;
mod reading;
mod redirects;
mod refusals;
mod roles;
mod round_trips;
mod runtimes;
mod sentinel;
mod silence;
#[cfg(feature = "tls")]
mod tls;
mod users;
mod writers;
mod writing;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use cloakroom_core::{Atomic, Enumerate, Store};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_backends::{expiring_in, session};
use cloakroom_test_support::RedisServer;
use redis::{Cmd, FromRedisValue};

/// A server, a store on it, and a plain client beside it.
struct Bench {
    server: RedisServer,
    store: RedisStore,
}

impl Bench {
    fn start() -> Self {
        Self::with(RedisOptions::default())
    }

    fn with(options: RedisOptions) -> Self {
        Self::on(RedisServer::start().unwrap(), options)
    }

    fn on(server: RedisServer, options: RedisOptions) -> Self {
        let store = RedisStore::open_with(&server.url(), options).unwrap();
        Self { server, store }
    }

    fn raw<T: FromRedisValue>(&self, command: &mut Cmd) -> T {
        let client = redis::Client::open(self.server.url()).unwrap();
        command.query(&mut client.get_connection().unwrap()).unwrap()
    }

    /// Stores a value as another program would.
    fn plant(&self, key: &str, value: impl AsRef<[u8]>) {
        self.raw(redis::cmd("SET").arg(key).arg(value.as_ref()))
    }

    fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.raw(redis::cmd("GET").arg(key))
    }

    /// A number of the server's statistics.
    fn stat(&self, name: &str) -> u64 {
        let stats: redis::InfoDict = self.raw(redis::cmd("INFO").arg("stats"));
        stats.get(name).unwrap()
    }

    fn ttl(&self, key: &str) -> i64 {
        self.raw(redis::cmd("TTL").arg(key))
    }
}

fn atomic(store: &RedisStore) -> &dyn Atomic {
    store.atomic().unwrap()
}

fn listing(store: &RedisStore) -> &dyn Enumerate {
    store.enumerate().unwrap()
}

fn options(change: impl FnOnce(&mut RedisOptions)) -> RedisOptions {
    let mut options = RedisOptions::default();
    change(&mut options);
    options
}

/// What a server is told, by its own account.
struct Monitor {
    port: u16,
    lines: BufReader<TcpStream>,
}

impl Monitor {
    fn start(server: &RedisServer) -> Self {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut monitor = Self { port: server.port(), lines: BufReader::new(stream) };
        assert_eq!(monitor.line(), "+OK");
        monitor
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The commands since the last time, without what scripts called inside the server.
    fn commands(&mut self) -> Vec<String> {
        let mut end = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        end.write_all(b"ECHO the-end\r\n").unwrap();
        let mut commands = Vec::new();
        loop {
            let line = self.line();
            let (from, command) = line.split_once("] ").unwrap();
            if command.contains("the-end") {
                return commands;
            }
            if !from.ends_with("lua") {
                commands.push(command.to_owned());
            }
        }
    }
}
