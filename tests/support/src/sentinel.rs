//! Redis Sentinel.

use std::{fs, io, path::Path, process::Command};

use crate::{Error, Kind, RedisServer, Server, ask::ask_port, redis_cluster::until, resp::command};

/// The name under which sentinels watch a master.
const NAME: &str = "mymaster";

/// A Redis Sentinel of its own, which watches nothing.
pub type SentinelServer = Server<Sentinel>;

/// The kind of [`SentinelServer`].
#[derive(Debug, Default)]
pub struct Sentinel;

impl Kind for Sentinel {
    const PROGRAM: &'static str = "redis-server";

    fn scheme(&self) -> &'static str {
        "redis"
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        // A Sentinel writes to its file. Without one it does not start, and says so in its log.
        let file = folder.join("sentinel.conf");
        if !file.exists() {
            let _ = fs::write(&file, format!("bind 127.0.0.1\nport {port}\n"));
        }
        command.arg(file).arg("--sentinel");
    }

    /// Sentinel has no Unix socket: that it is this one, the port that it was given has to tell.
    fn answers(&self, _folder: &Path, port: u16) -> io::Result<bool> {
        let answer = ask_port(port, b"PING\r\n")?;
        Ok(answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH"))
    }
}

impl SentinelServer {
    /// Watches a master on this port of 127.0.0.1 under the name `mymaster`. Without an answer for a second, it counts as
    /// down; two sentinels have to agree.
    ///
    /// # Errors
    ///
    /// If the sentinel refuses.
    pub fn watch(&self, master: u16) -> Result<(), Error> {
        let port = self.port();
        command(port, &["SENTINEL", "MONITOR", NAME, "127.0.0.1", &master.to_string(), "2"])?;
        for (option, value) in [("down-after-milliseconds", "1000"), ("failover-timeout", "10000")]
        {
            command(port, &["SENTINEL", "SET", NAME, option, value])?;
        }
        Ok(())
    }
}

/// A master, a replica, and three sentinels that watch them under the name `mymaster`.
///
/// ```no_run
/// # use cloakroom_test_support::{Error, SentinelSet};
/// # fn main() -> Result<(), Error> {
/// let set = SentinelSet::start()?;
/// let master = set.master()?;
/// set.fail_over()?;
/// assert_ne!(set.master()?, master);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SentinelSet {
    servers: Vec<RedisServer>,
    sentinels: Vec<SentinelServer>,
}

impl SentinelSet {
    /// A set whose sentinels know each other and the replica.
    ///
    /// # Errors
    ///
    /// If `redis-server` is missing or does not start, or the set is not ready within three minutes.
    pub fn start() -> Result<Self, Error> {
        let options = ["--repl-diskless-sync-delay", "0"];
        let master = RedisServer::start_with(&options)?;
        let follows = ["--replicaof", "127.0.0.1", &master.port().to_string()];
        let replica = RedisServer::start_with(&[&options[..], &follows].concat())?;
        until("the replica is in step", || {
            let info = command(replica.port(), &["INFO", "replication"])?;
            Ok(info.contains("master_link_status:up"))
        })?;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let sentinel = SentinelServer::start()?;
            sentinel.watch(master.port())?;
            sentinels.push(sentinel);
        }
        for sentinel in &sentinels {
            until("the sentinels know each other and the replica", || {
                let known = command(sentinel.port(), &["SENTINEL", "MASTER", NAME])?;
                let lines: Vec<_> = known.lines().collect();
                let number = |name| {
                    lines.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].to_owned())
                };
                let others = number("num-other-sentinels");
                Ok(others.as_deref() == Some("2") && number("num-slaves").as_deref() == Some("1"))
            })?;
        }
        Ok(Self { servers: vec![master, replica], sentinels })
    }

    /// The URL that names the sentinels and the master.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(SentinelServer::addr).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// The number of the server that the sentinels call the master: 0 or 1.
    ///
    /// # Errors
    ///
    /// If no sentinel answers.
    pub fn master(&self) -> Result<usize, Error> {
        let sentinel = self.sentinels.iter().find(|sentinel| sentinel.id().is_some());
        let sentinel = sentinel.ok_or_else(|| Error::new("no sentinel runs"))?;
        let place = command(sentinel.port(), &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
        let is_at = |server: &RedisServer| place.ends_with(&server.port().to_string());
        self.servers.iter().position(is_at).ok_or_else(|| Error::new("the master is unknown"))
    }

    /// The address of the master.
    ///
    /// # Errors
    ///
    /// As [`master`](Self::master).
    pub fn master_addr(&self) -> Result<String, Error> {
        Ok(self.servers[self.master()?].addr())
    }

    /// A server: 0 was the first master, 1 its replica.
    pub fn server(&mut self, number: usize) -> &mut RedisServer {
        &mut self.servers[number]
    }

    /// A sentinel, in the order of the URL: 0, 1 or 2.
    pub fn sentinel(&mut self, number: usize) -> &mut SentinelServer {
        &mut self.sentinels[number]
    }

    /// Sends a command to a server and returns its answer as text.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, or answers with an error.
    pub fn ask(&self, number: usize, words: &[&str]) -> Result<String, Error> {
        command(self.servers[number].port(), words)
    }

    /// Sends a command to a sentinel and returns its answer as text.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub fn ask_sentinel(&self, number: usize, words: &[&str]) -> Result<String, Error> {
        command(self.sentinels[number].port(), words)
    }

    /// Makes the replica the master, while both are up, and waits until the old master is its replica.
    ///
    /// # Errors
    ///
    /// If it does not happen within three minutes.
    pub fn fail_over(&self) -> Result<(), Error> {
        let old = self.master()?;
        until("the sentinels begin a failover", || {
            Ok(self.ask_sentinel(0, &["SENTINEL", "FAILOVER", NAME]).is_ok())
        })?;
        self.wait_for_another_master(old)?;
        until("the old master is a replica", || Ok(self.ask(old, &["ROLE"])?.starts_with("slave")))
    }

    /// Waits until the sentinels call another server than this one the master.
    ///
    /// # Errors
    ///
    /// If it does not happen within three minutes.
    pub fn wait_for_another_master(&self, old: usize) -> Result<(), Error> {
        until("another server is the master", || Ok(self.master()? != old))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs redis-server"]
    fn sentinels_fail_over_when_told_and_when_the_master_is_gone() {
        let mut set = SentinelSet::start().unwrap();
        set.fail_over().unwrap();
        assert_eq!(set.master().unwrap(), 1);
        until("the replica is known", || {
            let known = set.ask_sentinel(1, &["SENTINEL", "REPLICAS", NAME])?;
            Ok(known.contains("master-link-status\nok"))
        })
        .unwrap();
        set.server(1).stop();
        set.wait_for_another_master(1).unwrap();
    }
}
