//! A Redis Cluster.

use std::{
    io,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{Error, Kind, Redis, RedisServer, Server, free_port, resp::command};

/// How long the nodes may take to agree.
const PATIENCE: Duration = Duration::from_secs(180);
const SLOTS: usize = 16_384;
const PRIMARIES: usize = 3;
/// After this time without an answer, in milliseconds, the others count a node as failed, where a test waits for that.
const SHORT: &str = "2000";
/// The same where no test waits for it, which is the default of Redis: on a busy machine, a node may be silent for seconds.
const LONG: &str = "15000";
/// The same where replicas take over when they are told to: an election that failed is repeated after four times as long.
const MEDIUM: &str = "5000";

/// Three primaries that share the slots, and replicas of theirs.
///
/// ```no_run
/// # use cloakroom_test_support::{Error, RedisCluster};
/// # fn main() -> Result<(), Error> {
/// let mut cluster = RedisCluster::start()?;
/// let primary = cluster.owner_of("sess:a")?;
/// cluster.node(primary).stop();
/// // After about two seconds its replica is the primary.
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Three primaries with a replica each, which takes over when its primary is silent for two seconds.
    ///
    /// # Errors
    ///
    /// If `redis-server` is missing or does not start, or the nodes do not agree within three minutes.
    pub fn start() -> Result<Self, Error> {
        Self::start_nodes(1, SHORT)
    }

    /// Three primaries with this many replicas each. A replica takes over when it is told to.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with(replicas: usize) -> Result<Self, Error> {
        Self::start_nodes(replicas, if replicas == 0 { LONG } else { MEDIUM })
    }

    fn start_nodes(replicas: usize, timeout: &str) -> Result<Self, Error> {
        let mut cluster = Self { nodes: Vec::new() };
        let mut buses = Vec::new();
        for _ in 0..PRIMARIES * (1 + replicas) {
            let bus = free_port();
            cluster.nodes.push(RedisServer::start_with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus.to_string(),
                "--cluster-node-timeout",
                timeout,
                // A replica may take over however long it has been without its primary.
                "--cluster-replica-validity-factor",
                "0",
                "--repl-diskless-sync-delay",
                "0",
            ])?);
            buses.push(bus);
        }
        let first = (cluster.nodes[0].port().to_string(), buses[0].to_string());
        for (number, node) in cluster.nodes.iter().enumerate() {
            let port = node.port();
            command(port, &["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()])?;
            if number < PRIMARIES {
                let (from, to) = (number * SLOTS / PRIMARIES, (number + 1) * SLOTS / PRIMARIES - 1);
                let (from, to) = (from.to_string(), to.to_string());
                command(port, &["CLUSTER", "ADDSLOTSRANGE", &from, &to])?;
            }
            if number > 0 {
                command(port, &["CLUSTER", "MEET", "127.0.0.1", &first.0, &first.1])?;
            }
        }
        cluster.wait_until_ready()?;
        for number in PRIMARIES..cluster.nodes.len() {
            let primary = cluster.id(number % PRIMARIES)?;
            let port = cluster.nodes[number].port();
            // The node may not have heard of the primary yet.
            until("the replicas follow", || {
                Ok(command(port, &["CLUSTER", "REPLICATE", &primary]).is_ok())
            })?;
            until("the replicas are in step", || {
                Ok(command(port, &["INFO", "replication"])?.contains("master_link_status:up"))
            })?;
        }
        if replicas > 0 {
            cluster.wait_until_ready()?;
        }
        Ok(cluster)
    }

    /// The URL that names the three nodes which were the first primaries.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.nodes.iter().take(PRIMARIES).map(RedisServer::addr).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// A node. Those from 0 to 2 were the first primaries, and 3 is the replica of 0.
    pub fn node(&mut self, number: usize) -> &mut RedisServer {
        &mut self.nodes[number]
    }

    /// The address of a node.
    #[must_use]
    pub fn addr(&self, number: usize) -> String {
        self.nodes[number].addr()
    }

    /// Sends a command to a node and returns its answer as text.
    ///
    /// # Errors
    ///
    /// If the node cannot be reached, or answers with an error.
    pub fn ask(&self, number: usize, words: &[&str]) -> Result<String, Error> {
        command(self.nodes[number].port(), words)
    }

    /// The slot of a key.
    ///
    /// # Errors
    ///
    /// If no node answers.
    pub fn slot_of(&self, key: &str) -> Result<u16, Error> {
        let slot = self.by_any(&["CLUSTER", "KEYSLOT", key])?;
        slot.parse().map_err(|_| Error::new(format!("the slot {slot:?}")))
    }

    /// The number of the node that has a key.
    ///
    /// # Errors
    ///
    /// If no node answers, or none has the key.
    pub fn owner_of(&self, key: &str) -> Result<usize, Error> {
        let slot = self.slot_of(key)?;
        for number in self.running() {
            if self.describes_itself_as_owner(number, slot)? {
                return Ok(number);
            }
        }
        Err(Error::new(format!("no node has the slot {slot}")))
    }

    /// Makes the replica of a primary take over, while both are up. Returns the number of the new primary.
    ///
    /// # Errors
    ///
    /// If there is no replica, or it does not take over within three minutes.
    pub fn fail_over(&self, primary: usize) -> Result<usize, Error> {
        let id = self.id(primary)?;
        let replica = self.running().into_iter().find(|number| {
            let info = self.ask(*number, &["CLUSTER", "NODES"]).unwrap_or_default();
            info.lines().any(|line| line.contains("myself,slave") && line.contains(&id))
        });
        let replica = replica.ok_or_else(|| Error::new("the primary has no replica"))?;
        until("the replica takes over", || {
            let _ = self.ask(replica, &["CLUSTER", "FAILOVER"]);
            thread::sleep(Duration::from_millis(100));
            Ok(self.ask(replica, &["ROLE"])?.starts_with("master"))
        })?;
        Ok(replica)
    }

    /// Moves a slot to another primary, with all its keys, as `redis-cli --cluster reshard` does. `midway` is called when
    /// both nodes have a part of it.
    ///
    /// # Errors
    ///
    /// If a node refuses a step.
    pub fn move_slot(
        &self,
        slot: u16,
        from: usize,
        to: usize,
        mut midway: impl FnMut(),
    ) -> Result<(), Error> {
        let (slot, target) = (slot.to_string(), self.id(to)?);
        self.ask(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)?])?;
        self.ask(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target])?;
        let port = self.nodes[to].port().to_string();
        loop {
            let keys = self.ask(from, &["CLUSTER", "GETKEYSINSLOT", &slot, "1"])?;
            let Some(key) = keys.lines().next() else { break };
            // `NOKEY`, if the key has gone in the meantime.
            self.ask(from, &["MIGRATE", "127.0.0.1", &port, key, "0", "5000"])?;
            midway();
        }
        midway();
        for number in [to, from] {
            self.ask(number, &["CLUSTER", "SETSLOT", &slot, "NODE", &target])?;
        }
        Ok(())
    }

    /// Waits until all nodes that run say that every slot has an owner.
    ///
    /// # Errors
    ///
    /// If that takes more than three minutes.
    pub fn wait_until_ready(&self) -> Result<(), Error> {
        let known = format!("cluster_known_nodes:{}\r\n", self.nodes.len());
        for number in self.running() {
            until("the nodes agree", || {
                let info = self.ask(number, &["CLUSTER", "INFO"])?;
                Ok(info.contains("cluster_state:ok") && info.contains(&known))
            })?;
        }
        Ok(())
    }

    fn running(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|number| self.nodes[*number].id().is_some()).collect()
    }

    fn id(&self, number: usize) -> Result<String, Error> {
        self.ask(number, &["CLUSTER", "MYID"])
    }

    fn by_any(&self, words: &[&str]) -> Result<String, Error> {
        let number = self.running().first().copied();
        self.ask(number.ok_or_else(|| Error::new("no node runs"))?, words)
    }

    /// Whether a node says that it is a primary with this slot.
    fn describes_itself_as_owner(&self, number: usize, slot: u16) -> Result<bool, Error> {
        let nodes = self.ask(number, &["CLUSTER", "NODES"])?;
        let line = nodes.lines().find(|line| line.contains("myself,master")).unwrap_or_default();
        // The ninth word and those behind it are ranges of slots, such as `0-5460`.
        Ok(line.split(' ').skip(8).any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last))
                if (first..=last).contains(&slot))
        }))
    }
}

/// Waits until something is true.
pub(crate) fn until(
    what: &str,
    mut is_true: impl FnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let since = Instant::now();
    let mut last = String::new();
    while since.elapsed() < PATIENCE {
        match is_true() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => last = format!(": {error}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(Error::new(format!("not within {} s: {what}{last}", PATIENCE.as_secs())))
}

/// A Redis Cluster of one node, which has all slots, and tells its clients the port of a proxy.
pub type RedisClusterNode = Server<ClusterNode>;

/// The kind of [`RedisClusterNode`].
#[derive(Debug)]
pub struct ClusterNode {
    redis: Redis,
    bus: u16,
    announced: u16,
}

impl Default for ClusterNode {
    fn default() -> Self {
        Self { redis: Redis::default(), bus: free_port(), announced: free_port() }
    }
}

impl Kind for ClusterNode {
    const PROGRAM: &'static str = Redis::PROGRAM;

    fn scheme(&self) -> &'static str {
        "redis+cluster"
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        self.redis.configure(command, folder, port);
        command.args(["--cluster-enabled", "yes", "--cluster-port", &self.bus.to_string()]);
        command.args(["--cluster-announce-port", &self.announced.to_string()]);
    }

    /// Gives the node all slots at its first start, and waits until it uses them.
    fn answers(&self, folder: &Path, port: u16) -> io::Result<bool> {
        if !self.redis.answers(folder, port)? {
            return Ok(false);
        }
        // After a restart, it has them already.
        let _ = command(port, &["CLUSTER", "ADDSLOTSRANGE", "0", &(SLOTS - 1).to_string()]);
        let info = command(port, &["CLUSTER", "INFO"]).map_err(io::Error::other)?;
        Ok(info.contains("cluster_state:ok"))
    }

    fn announced(&self) -> Option<u16> {
        Some(self.announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs redis-server"]
    fn a_cluster_fails_over_and_moves_a_slot() {
        let mut cluster = RedisCluster::start().unwrap();
        let first = cluster.owner_of("a").unwrap();
        let second = cluster.fail_over(first).unwrap();
        assert_eq!(cluster.owner_of("a").unwrap(), second);
        cluster.ask(second, &["SET", "a", "1"]).unwrap();
        let (slot, to) = (cluster.slot_of("a").unwrap(), (first + 1) % PRIMARIES);
        cluster.move_slot(slot, second, to, || ()).unwrap();
        assert_eq!(cluster.owner_of("a").unwrap(), to);
        assert_eq!(cluster.ask(to, &["GET", "a"]).unwrap(), "1");
        cluster.node(to).stop();
        until("its replica takes over", || Ok(cluster.owner_of("a").is_ok())).unwrap();
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn a_cluster_of_one_keeps_its_slots() {
        let mut node = RedisClusterNode::start().unwrap();
        for _ in 0..2 {
            let port = node.announced().unwrap().to_string();
            let slots = command(node.port(), &["CLUSTER", "SLOTS"]).unwrap();
            assert!(slots.starts_with("0\n16383\n") && slots.contains(&port), "{slots}");
            node.restart().unwrap();
        }
    }
}
