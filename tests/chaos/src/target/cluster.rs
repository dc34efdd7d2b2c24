//! A Redis Cluster of three primaries, each with a replica.

use cloakroom_test_support::RedisCluster;
use fastrand::Rng;

use super::{Failure, Fault, NpmStore, Target, kinds::version, single::with_deadline};
use crate::history::{Loss, Lost};

/// Three primaries and their replicas.
pub(super) struct Cluster {
    nodes: RedisCluster,
    /// The node that is stopped.
    stopped: Option<usize>,
}

impl Cluster {
    pub(super) fn start() -> Result<Self, Failure> {
        Ok(Self { nodes: RedisCluster::start()?, stopped: None })
    }

    fn primaries(&self) -> Vec<usize> {
        let is_primary = |number: &usize| {
            let role = self.nodes.ask(*number, &["ROLE"]);
            role.is_ok_and(|role| role.starts_with("master"))
        };
        (0..self.nodes.nodes()).filter(is_primary).collect()
    }
}

impl Target for Cluster {
    fn version(&self) -> String {
        format!("Redis {}, 3 primaries, 3 replicas", version("redis-server", "--version", "v="))
    }

    fn url(&self, _process: usize) -> String {
        with_deadline(&self.plain_url())
    }

    fn plain_url(&self) -> String {
        self.nodes.url()
    }

    fn npm(&self) -> Option<NpmStore> {
        Some(NpmStore { store: "redis-10", url: self.plain_url(), options: "{}" })
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::FailOver, Fault::Kill, Fault::FailOver, Fault::KillClient, Fault::FreezeClient]
    }

    /// A replica that takes over while its primary is up has received everything before it does. One that takes over from
    /// a primary that was killed may not have.
    fn loses(&self, fault: Fault) -> Lost {
        if fault == Fault::Kill { Lost::Recent } else { Lost::Nothing }
    }

    fn told(&mut self) -> Result<Vec<Loss>, Failure> {
        Ok(Vec::new())
    }

    fn begin(&mut self, fault: Fault, random: &mut Rng) -> Result<(), Failure> {
        let primary = random.choice(self.primaries()).ok_or("no primary")?;
        if fault == Fault::FailOver {
            self.nodes.fail_over(primary)?;
            return Ok(());
        }
        self.stopped = Some(primary);
        self.nodes.node(primary).stop();
        // It comes back empty, so it must not come back as the primary.
        while self.primaries().len() < 3 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Ok(())
    }

    fn end(&mut self, _fault: Fault) -> Result<(), Failure> {
        if let Some(number) = self.stopped.take() {
            self.nodes.node(number).restart()?;
        }
        self.nodes.wait_until_ready()?;
        // The next fault may take away its primary.
        for number in 0..self.nodes.nodes() {
            while self.nodes.ask(number, &["INFO", "replication"])?.contains("link_status:down") {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        Ok(())
    }
}
