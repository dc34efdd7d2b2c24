//! The store against real servers, and against some that misbehave on purpose.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod atomic;
mod client;
#[cfg(feature = "encryption")]
mod encryption;
mod fake;
mod ids;
mod limits;
mod listing;
mod load;
mod outage;
mod outcome;
mod reading;
mod refusals;
mod ring;
mod round_trips;
mod runtimes;
mod silence;
mod storms;
mod writing;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use cloakroom_core::{Atomic, Enumerate, SessionData, Store};
use cloakroom_memcached::{MemcachedOptions, MemcachedStore};
use cloakroom_test_backends::{expiring_in, session};
use cloakroom_test_support::Memcached;

/// A server and a store on it, under the prefix `s:`.
struct Bench {
    server: Memcached,
    store: MemcachedStore,
}

impl Bench {
    fn start() -> Self {
        Self::with(MemcachedOptions::default())
    }

    fn with(options: MemcachedOptions) -> Self {
        Self::on(Memcached::start().unwrap(), options)
    }

    fn on(server: Memcached, mut options: MemcachedOptions) -> Self {
        options.prefix = "s:".to_owned();
        let store = MemcachedStore::open_with(&server.url(), options).unwrap();
        Self { server, store }
    }

    fn raw(&self) -> Raw {
        Raw::connect(&self.server)
    }
}

/// A plain client beside the store, of the older text protocol.
struct Raw(BufReader<TcpStream>);

impl Raw {
    fn connect(server: &Memcached) -> Self {
        Self(BufReader::new(TcpStream::connect(server.addr()).unwrap()))
    }

    /// Sends a command and returns the first line of the answer.
    fn say(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Stores a value as another client would.
    fn plant(&mut self, key: &str, flags: u32, value: &str) {
        let command = format!("set {key} {flags} 0 {}\r\n{value}", value.len());
        assert_eq!(self.say(&command), "STORED");
    }

    /// The flags and the value of an item.
    fn item(&mut self, key: &str) -> Option<(u32, String)> {
        let line = self.say(&format!("get {key}"));
        let mut words = line.strip_prefix("VALUE ")?.split(' ').skip(1);
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        let (flags, length) = (number(), number());
        let mut value = vec![0; length + "\r\nEND\r\n".len()];
        self.0.read_exact(&mut value).unwrap();
        value.truncate(length);
        Some((flags as u32, String::from_utf8(value).unwrap()))
    }

    /// How many seconds an item has; -1 for one that never expires.
    fn lives(&mut self, key: &str) -> Option<i64> {
        self.say(&format!("mg {key} t"))
            .strip_prefix("HD t")
            .map(|seconds| seconds.parse().unwrap())
    }

    fn stat(&mut self, name: &str) -> u64 {
        let wanted = format!("STAT {name} ");
        let mut line = self.say("stats");
        let mut found = None;
        while line != "END" {
            found = found.or(line.strip_prefix(&wanted).map(|number| number.parse().unwrap()));
            line = self.line();
        }
        found.unwrap()
    }
}

fn atomic(store: &MemcachedStore) -> &dyn Atomic {
    store.atomic().unwrap()
}

fn listing(store: &MemcachedStore) -> &dyn Enumerate {
    store.enumerate().unwrap()
}

/// A session with a record of about so many bytes.
fn large(bytes: usize) -> SessionData {
    let mut session = session();
    session.insert("large", "x".repeat(bytes)).unwrap();
    session
}

fn options(change: impl FnOnce(&mut MemcachedOptions)) -> MemcachedOptions {
    let mut options = MemcachedOptions::default();
    change(&mut options);
    options
}
