//! Four Memcached servers, each with a quarter of the sessions.

use cloakroom_test_support::{Error, Memcached};
use fastrand::Rng;

use super::{
    Failure, Fault, NpmStore, Target,
    kinds::{NPM_MEMCACHED, version},
    single::with_deadline,
};
use crate::history::{Loss, Lost};

/// The servers, of which one at a time is harmed.
pub(super) struct Ring {
    servers: Vec<Memcached>,
    harmed: Option<usize>,
}

impl Ring {
    pub(super) fn start() -> Result<Self, Failure> {
        let servers = (0..4).map(|_| Memcached::start_with(&["-M"]));
        Ok(Self { servers: servers.collect::<Result<_, Error>>()?, harmed: None })
    }
}

impl Target for Ring {
    fn version(&self) -> String {
        format!("4 × Memcached {}", version("memcached", "--version", "memcached "))
    }

    fn url(&self, _process: usize) -> String {
        with_deadline(&self.plain_url())
    }

    fn plain_url(&self) -> String {
        let addrs: Vec<_> = self.servers.iter().map(Memcached::addr).collect();
        format!("memcached://{}", addrs.join(","))
    }

    /// npm's client never calls back for a server that stands still: such a call is one of unknown outcome.
    fn npm(&self) -> Option<NpmStore> {
        Some(NpmStore { store: "memcached-3", url: self.plain_url(), options: NPM_MEMCACHED })
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Kill, Fault::Freeze, Fault::KillClient, Fault::FreezeClient]
    }

    /// Whether a session was on the server that was killed is not known.
    fn loses(&self, fault: Fault) -> Lost {
        if fault == Fault::Kill { Lost::Any } else { Lost::Nothing }
    }

    fn told(&mut self) -> Result<Vec<Loss>, Failure> {
        Ok(Vec::new())
    }

    fn begin(&mut self, fault: Fault, random: &mut Rng) -> Result<(), Failure> {
        let place = random.usize(..self.servers.len());
        self.harmed = Some(place);
        if fault == Fault::Freeze {
            return Ok(self.servers[place].pause()?);
        }
        self.servers[place].stop();
        Ok(())
    }

    fn end(&mut self, fault: Fault) -> Result<(), Failure> {
        let Some(place) = self.harmed.take() else { return Ok(()) };
        if fault == Fault::Freeze {
            return Ok(self.servers[place].resume()?);
        }
        Ok(self.servers[place].restart()?)
    }
}
