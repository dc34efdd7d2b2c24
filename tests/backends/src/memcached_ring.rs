//! A ring of Memcached servers of which one does harm.

use cloakroom_conformance::AccessError;
use cloakroom_test_support::{Error, Memcached, Proxy};

use crate::{Machines, RawMemcached};

/// Four servers. One is stopped and frozen, and the others stay: the one that has the session under `id`, with the prefix
/// `s:`, or else the first that has any.
#[derive(Debug)]
pub struct MemcachedRing {
    servers: Vec<Memcached>,
    proxies: Vec<Proxy>,
    home: Option<usize>,
}

impl MemcachedRing {
    /// The server that has the session, which was stored before any harm is done.
    fn home(&mut self) -> Result<usize, AccessError> {
        if self.home.is_none() {
            let is_there = |server: &Memcached| RawMemcached::has(&server.addr(), "s:id");
            let has_any = |server: &Memcached| Some(RawMemcached::items(&server.addr()).ok()? > 0);
            let first = |has: &dyn Fn(&Memcached) -> bool| self.servers.iter().position(has);
            self.home = first(&|server| is_there(server).unwrap_or(false))
                .or_else(|| first(&|server| has_any(server).unwrap_or(false)));
        }
        self.home.ok_or_else(|| "no server of the ring has a session".into())
    }
}

impl Machines for MemcachedRing {
    fn start() -> Result<Self, AccessError> {
        let servers = (0..4).map(|_| Memcached::start()).collect::<Result<Vec<_>, Error>>()?;
        let proxies = servers.iter().map(|server| Proxy::start(&server.addr()));
        let proxies = proxies.collect::<Result<_, Error>>()?;
        Ok(Self { servers, proxies, home: None })
    }

    fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }

    fn stop(&mut self) -> Result<(), AccessError> {
        let home = self.home()?;
        self.servers[home].stop();
        self.proxies[home].refuse();
        Ok(())
    }

    fn restart(&mut self) -> Result<(), AccessError> {
        let home = self.home()?;
        self.servers[home].restart()?;
        Ok(self.proxies[home].listen()?)
    }

    fn freeze(&mut self) -> Result<(), AccessError> {
        let home = self.home()?;
        Ok(self.servers[home].pause()?)
    }

    fn thaw(&mut self) -> Result<(), AccessError> {
        let home = self.home()?;
        Ok(self.servers[home].resume()?)
    }

    fn repair(&mut self) -> Result<(), AccessError> {
        for (server, proxy) in self.servers.iter_mut().zip(&self.proxies) {
            server.restart()?;
            proxy.listen()?;
        }
        self.home = None;
        Ok(())
    }
}
