//! A Memcached server, a tap in front of it, and a plain client.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use cloakroom_core::{Clock, SessionData, Store};
use cloakroom_encryption::Kruptein;
use cloakroom_memcached::{MemcachedOptions, MemcachedStore};
use cloakroom_test_support::{Memcached, MemcachedTap};
use tokio::runtime::Runtime;

/// A key and its item.
pub(super) struct Item {
    pub(super) key: String,
    pub(super) flags: u32,
    pub(super) value: Vec<u8>,
}

/// The command that the store sent to write.
#[derive(Debug)]
pub(super) enum Sent {
    Stored { line: String, key: String, exptime: i64 },
    Other { line: String },
}

impl Sent {
    /// Parses `ms <key> <bytes> <flags…>`, where `T` is the exptime.
    fn of(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let exptime = words.iter().skip(3).find_map(|word| word.strip_prefix('T')?.parse().ok());
        match (&*words, exptime) {
            (["ms", key, ..], Some(exptime)) => {
                Self::Stored { line: line.to_owned(), key: (*key).to_owned(), exptime }
            }
            _ => Self::Other { line: line.to_owned() },
        }
    }

    pub(super) fn exptime(&self) -> Option<i64> {
        match self {
            Self::Stored { exptime, .. } => Some(*exptime),
            Self::Other { .. } => None,
        }
    }

    pub(super) fn line(&self) -> String {
        let (Self::Stored { line, .. } | Self::Other { line }) = self;
        line.clone()
    }
}

/// The server, and a clock that is set to the time of the recording.
pub(super) struct Bench {
    tap: MemcachedTap,
    raw: BufReader<TcpStream>,
    runtime: Runtime,
    clock: Clock,
    _server: Memcached,
}

impl Bench {
    pub(super) fn start(now_ms: i64) -> Result<Self, String> {
        let server = Memcached::start().map_err(|error| error.to_string())?;
        let tap = MemcachedTap::start(&server).map_err(|error| error.to_string())?;
        let raw = TcpStream::connect(server.addr()).map_err(|error| error.to_string())?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let clock = Clock::fixed(now_ms);
        Ok(Self { tap, raw: BufReader::new(raw), runtime, clock, _server: server })
    }

    pub(super) fn store(
        &self,
        given: &super::Options,
        encryption: Option<Kruptein>,
    ) -> Result<MemcachedStore, String> {
        let mut options = MemcachedOptions::default();
        options.prefix.clone_from(&given.prefix);
        options.namespace.clone_from(&given.namespace);
        options.flags = given.flags;
        options.ttl = given.ttl.map(|seconds| Duration::from_secs(seconds.unsigned_abs()));
        // These checks are not about the duration of an answer.
        (options.timeout, options.deadline) = (super::super::DEADLINE, super::super::DEADLINE);
        options.clock = self.clock.clone();
        options.encryption = encryption.map(|kruptein| Arc::new(kruptein) as _);
        let url = format!("memcached://{}", self.tap.addr());
        MemcachedStore::open_with(&url, options).map_err(|error| error.to_string())
    }

    pub(super) fn get(
        &self,
        store: &MemcachedStore,
        sid: &str,
    ) -> Result<Option<SessionData>, String> {
        self.runtime.block_on(store.get(sid)).map_err(|error| error.to_string())
    }

    /// Writes, and returns the one command that was sent.
    pub(super) fn set(
        &self,
        store: &MemcachedStore,
        sid: &str,
        session: &SessionData,
    ) -> Result<Sent, String> {
        drop(self.tap.commands());
        self.runtime.block_on(store.set(sid, session)).map_err(|error| error.to_string())?;
        let mut commands = self.tap.commands();
        // The store asks for the server's limit before the first record of more than about a kilobyte.
        commands.retain(|command| command != "stats settings");
        match &*commands {
            [command] => Ok(Sent::of(command)),
            _ => Err(format!("{} commands", commands.len())),
        }
    }

    /// Empties the server and stores this item without an expiry.
    pub(super) fn plant(&mut self, item: &Item) -> Result<(), String> {
        self.flush()?;
        let Item { key, flags, value } = item;
        let mut command = format!("set {key} {flags} 0 {}\r\n", value.len()).into_bytes();
        command.extend_from_slice(value);
        self.says(&command, "STORED")
    }

    pub(super) fn flush(&mut self) -> Result<(), String> {
        self.says(b"flush_all", "OK")
    }

    /// Returns the item of a key.
    pub(super) fn item(&mut self, key: &str) -> Result<Option<Item>, String> {
        let line = self.say(format!("get {key}").as_bytes()).map_err(|error| error.to_string())?;
        let words: Vec<&str> = line.split(' ').collect();
        let ["VALUE", _, flags, length] = &*words else { return Ok(None) };
        let (Ok(flags), Ok(length)) = (flags.parse(), length.parse::<usize>()) else {
            return Err(line);
        };
        let mut value = vec![0; length + "\r\nEND\r\n".len()];
        self.raw.read_exact(&mut value).map_err(|error| error.to_string())?;
        value.truncate(length);
        Ok(Some(Item { key: key.to_owned(), flags, value }))
    }

    fn says(&mut self, command: &[u8], wanted: &str) -> Result<(), String> {
        let answer = self.say(command).map_err(|error| error.to_string())?;
        if answer == wanted { Ok(()) } else { Err(format!("the server said {answer:?}")) }
    }

    fn say(&mut self, command: &[u8]) -> io::Result<String> {
        let stream = self.raw.get_mut();
        stream.write_all(command)?;
        stream.write_all(b"\r\n")?;
        let mut line = String::new();
        self.raw.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
