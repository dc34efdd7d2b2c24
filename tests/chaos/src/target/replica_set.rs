//! A MongoDB replica set of three.

use std::time::Duration;

use cloakroom_test_support::{MongoThree, find_mongod};
use fastrand::Rng;

use super::{Failure, Fault, NpmStore, Target, kinds::version, single::with_deadline};
use crate::history::{Loss, Lost};

/// How long a secondary waits for a primary before it stands for election.
const ELECTION: Duration = Duration::from_secs(1);

/// A primary and two secondaries, with the write concern of a new set: a majority has what is acknowledged.
pub(super) struct ReplicaSet {
    set: MongoThree,
    version: String,
    stopped: Option<usize>,
}

impl ReplicaSet {
    pub(super) fn start() -> Result<Self, Failure> {
        let program = find_mongod().ok_or("mongod is missing")?;
        let version = version(&program.to_string_lossy(), "--version", "db version v");
        Ok(Self { set: MongoThree::start(ELECTION)?, version, stopped: None })
    }
}

impl Target for ReplicaSet {
    fn version(&self) -> String {
        format!("3 × MongoDB {}", self.version)
    }

    fn url(&self, _process: usize) -> String {
        with_deadline(&self.plain_url())
    }

    fn plain_url(&self) -> String {
        self.set.url("test")
    }

    fn npm(&self) -> Option<NpmStore> {
        Some(NpmStore { store: "mongo-6", url: self.plain_url(), options: "{}" })
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::FailOver, Fault::Kill, Fault::KillClient, Fault::FreezeClient]
    }

    /// A reader can see a write that a majority does not have yet, and that is gone with its primary.
    fn loses(&self, fault: Fault) -> Lost {
        match fault {
            Fault::FailOver | Fault::Kill => Lost::Unacknowledged,
            _ => Lost::Nothing,
        }
    }

    fn told(&mut self) -> Result<Vec<Loss>, Failure> {
        Ok(Vec::new())
    }

    fn begin(&mut self, fault: Fault, _random: &mut Rng) -> Result<(), Failure> {
        if fault == Fault::FailOver {
            return Ok(self.set.step_down()?);
        }
        let primary = self.set.primary()?;
        self.stopped = Some(primary);
        self.set.server(primary).stop();
        Ok(())
    }

    fn end(&mut self, _fault: Fault) -> Result<(), Failure> {
        if let Some(place) = self.stopped.take() {
            self.set.primary()?;
            self.set.server(place).restart()?;
        }
        Ok(self.set.wait_until_whole()?)
    }
}
