//! A replica set that loses its primary.

use std::time::Duration;

use cloakroom_conformance::AccessError;
use cloakroom_test_support::{MongoThree, Proxy};

use crate::Machines;

/// In the first message of a member to another one.
const MEMBER: &[u8] = b"internalClient";

/// A replica set of three, whose members and clients know each other by the proxies.
///
/// The primary is stopped together with one other, so that the third cannot be elected, and frozen alone, so that
/// another one takes over after a second. The proxies harm the clients only.
#[derive(Debug)]
pub struct MongoSet {
    set: MongoThree,
    proxies: Vec<Proxy>,
    frozen: Option<usize>,
    stopped: Vec<usize>,
}

impl Machines for MongoSet {
    fn start() -> Result<Self, AccessError> {
        let mut proxies = Vec::new();
        let set = MongoThree::start_behind(Duration::from_secs(1), |server| {
            let proxy = Proxy::start_sparing(&server.addr(), MEMBER)?;
            let host = proxy.addr();
            proxies.push(proxy);
            Ok(host)
        })?;
        Ok(Self { set, proxies, frozen: None, stopped: Vec::new() })
    }

    fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }

    fn stop(&mut self) -> Result<(), AccessError> {
        let first = self.frozen.take().map_or_else(|| self.set.primary(), Ok)?;
        self.stopped = vec![first, (first + 1) % 3];
        for place in &self.stopped {
            self.set.server(*place).stop();
            self.proxies[*place].refuse();
        }
        // The third may have been elected while the first was frozen. It steps down without a majority.
        self.set.wait_until_without_primary()?;
        Ok(())
    }

    fn restart(&mut self) -> Result<(), AccessError> {
        for place in self.stopped.drain(..) {
            self.set.server(place).restart()?;
            self.proxies[place].listen()?;
        }
        Ok(self.set.wait_until_whole()?)
    }

    fn freeze(&mut self) -> Result<(), AccessError> {
        let primary = self.set.primary()?;
        self.frozen = Some(primary);
        Ok(self.set.server(primary).pause()?)
    }

    fn thaw(&mut self) -> Result<(), AccessError> {
        if let Some(place) = self.frozen.take() {
            self.set.server(place).resume()?;
        }
        Ok(())
    }

    fn repair(&mut self) -> Result<(), AccessError> {
        self.thaw()?;
        for proxy in &self.proxies {
            proxy.listen()?;
        }
        self.restart()
    }
}
