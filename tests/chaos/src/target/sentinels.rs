//! A Redis master, a replica, and three sentinels.

use cloakroom_test_support::SentinelSet;
use fastrand::Rng;

use super::{Failure, Fault, NpmStore, Target, kinds::version, single::with_deadline};
use crate::history::{Loss, Lost};

/// A master, a replica and their sentinels.
pub(super) struct Sentinels {
    set: SentinelSet,
    stopped: Option<usize>,
}

impl Sentinels {
    pub(super) fn start() -> Result<Self, Failure> {
        Ok(Self { set: SentinelSet::start()?, stopped: None })
    }
}

impl Target for Sentinels {
    fn version(&self) -> String {
        format!("Redis {}, 3 sentinels", version("redis-server", "--version", "v="))
    }

    fn url(&self, _process: usize) -> String {
        with_deadline(&self.plain_url())
    }

    fn plain_url(&self) -> String {
        self.set.url()
    }

    fn npm(&self) -> Option<NpmStore> {
        Some(NpmStore { store: "redis-10", url: self.plain_url(), options: "{}" })
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Kill, Fault::KillClient, Fault::FreezeClient]
    }

    fn loses(&self, fault: Fault) -> Lost {
        if fault == Fault::Kill { Lost::Recent } else { Lost::Nothing }
    }

    fn told(&mut self) -> Result<Vec<Loss>, Failure> {
        Ok(Vec::new())
    }

    fn begin(&mut self, _fault: Fault, _random: &mut Rng) -> Result<(), Failure> {
        let master = self.set.master()?;
        self.stopped = Some(master);
        self.set.server(master).stop();
        Ok(self.set.wait_for_another_master(master)?)
    }

    fn end(&mut self, _fault: Fault) -> Result<(), Failure> {
        let Some(number) = self.stopped.take() else { return Ok(()) };
        self.set.server(number).restart()?;
        // The sentinels make it a replica; only then it can take over again.
        while !self.set.ask(number, &["INFO", "replication"])?.contains("link_status:up") {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Ok(())
    }
}
