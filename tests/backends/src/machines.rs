//! The servers that a store works with, and how they do harm.

use std::slice;

use cloakroom_conformance::AccessError;
use cloakroom_test_support::{Kind, Proxy, Server};

/// One server or several, each behind a proxy.
pub trait Machines: Sized + Send + 'static {
    /// Servers that answer.
    ///
    /// # Errors
    ///
    /// If they do not start.
    fn start() -> Result<Self, AccessError>;

    /// The proxies before the servers, in the order in which a URL names them.
    fn proxies(&self) -> &[Proxy];

    /// Takes away what the sessions under test need: nothing answers for them, and connections are refused.
    ///
    /// # Errors
    ///
    /// If it is not known which servers these are.
    fn stop(&mut self) -> Result<(), AccessError>;

    /// Brings back what was stopped, and waits until it answers.
    ///
    /// # Errors
    ///
    /// If it does not.
    fn restart(&mut self) -> Result<(), AccessError>;

    /// Freezes what the sessions under test need: connections are accepted, and nothing is answered.
    ///
    /// # Errors
    ///
    /// If a server does not run.
    fn freeze(&mut self) -> Result<(), AccessError>;

    /// Resumes what was frozen.
    ///
    /// # Errors
    ///
    /// If a server does not run.
    fn thaw(&mut self) -> Result<(), AccessError>;

    /// Makes them whole again after any harm.
    ///
    /// # Errors
    ///
    /// If a server does not answer.
    fn repair(&mut self) -> Result<(), AccessError>;
}

/// One server of a kind behind a proxy.
#[derive(Debug)]
pub struct One<K> {
    server: Server<K>,
    proxy: Proxy,
}

impl<K: Kind + Send + 'static> Machines for One<K> {
    fn start() -> Result<Self, AccessError> {
        let server = Server::<K>::start()?;
        let proxy = Proxy::start(&server.addr())?;
        Ok(Self { server, proxy })
    }

    fn proxies(&self) -> &[Proxy] {
        slice::from_ref(&self.proxy)
    }

    fn stop(&mut self) -> Result<(), AccessError> {
        self.server.stop();
        self.proxy.refuse();
        Ok(())
    }

    fn restart(&mut self) -> Result<(), AccessError> {
        self.server.restart()?;
        Ok(self.proxy.listen()?)
    }

    fn freeze(&mut self) -> Result<(), AccessError> {
        Ok(self.server.pause()?)
    }

    fn thaw(&mut self) -> Result<(), AccessError> {
        Ok(self.server.resume()?)
    }

    fn repair(&mut self) -> Result<(), AccessError> {
        self.restart()
    }
}
