//! A server behind a proxy, both of which do harm.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, Faults};
use cloakroom_core::Store;
use cloakroom_test_support::{Error, Kind, Proxy, Server};

type Open = Box<dyn Fn(&str, Duration) -> Result<Box<dyn Store>, AccessError> + Send + Sync>;

/// A server of its own behind a proxy, and how a store at the proxy's address is opened.
///
/// ```no_run
/// use cloakroom_conformance::StoreUnderTest;
/// use cloakroom_core::MemoryStore;
/// use cloakroom_test_backends::Harmed;
/// use cloakroom_test_support::Redis;
///
/// let subject = StoreUnderTest::new(MemoryStore::new()).with_faults(|| {
///     Harmed::<Redis>::start(|addr, deadline| {
///         // A store at this address, with this deadline.
///         # let _ = (addr, deadline);
///         Ok(Box::new(MemoryStore::new()))
///     })
/// });
/// ```
pub struct Harmed<K> {
    server: Arc<Mutex<Server<K>>>,
    proxy: Arc<Proxy>,
    open: Open,
}

impl<K> fmt::Debug for Harmed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harmed").finish_non_exhaustive()
    }
}

impl<K: Kind + Send + 'static> Harmed<K> {
    /// Starts a server and a proxy. `open` is given the address of the proxy, such as `127.0.0.1:12345`, and the deadline
    /// of each call.
    ///
    /// # Errors
    ///
    /// If the server does not start.
    pub async fn start(
        open: impl Fn(&str, Duration) -> Result<Box<dyn Store>, AccessError> + Send + Sync + 'static,
    ) -> Result<Self, AccessError> {
        let (server, proxy) = tokio::task::spawn_blocking(|| {
            let server = Server::<K>::start()?;
            let proxy = match server.announced() {
                Some(port) => Proxy::start_on(port, &server.addr())?,
                None => Proxy::start(&server.addr())?,
            };
            Ok::<_, Error>((server, proxy))
        })
        .await??;
        let (server, proxy) = (Arc::new(Mutex::new(server)), Arc::new(proxy));
        Ok(Self { server, proxy, open: Box::new(open) })
    }

    /// Does something that takes its time to the server and the proxy.
    async fn harm(
        &self,
        how: impl FnOnce(&mut Server<K>, &Proxy) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), AccessError> {
        let (server, proxy) = (Arc::clone(&self.server), Arc::clone(&self.proxy));
        let harmed = tokio::task::spawn_blocking(move || {
            how(&mut server.lock().unwrap_or_else(PoisonError::into_inner), &proxy)
        });
        Ok(harmed.await??)
    }
}

#[async_trait]
impl<K: Kind + Send + 'static> Faults for Harmed<K> {
    async fn open(&self, deadline: Duration) -> Result<Box<dyn Store>, AccessError> {
        (self.open)(&self.proxy.addr(), deadline)
    }

    async fn stop(&self) -> Result<(), AccessError> {
        self.harm(|server, proxy| {
            server.stop();
            proxy.refuse();
            Ok(())
        })
        .await
    }

    async fn restart(&self) -> Result<(), AccessError> {
        self.harm(|server, proxy| {
            server.restart()?;
            proxy.listen()
        })
        .await
    }

    async fn freeze(&self) -> Result<(), AccessError> {
        self.harm(|server, _| server.pause()).await
    }

    async fn thaw(&self) -> Result<(), AccessError> {
        self.harm(|server, _| server.resume()).await
    }

    async fn silence(&self) -> Result<(), AccessError> {
        self.proxy.silence();
        self.proxy.pass();
        Ok(())
    }

    async fn cut(&self) -> Result<(), AccessError> {
        self.proxy.cut();
        self.proxy.pass();
        Ok(())
    }

    async fn lose_answers(&self) -> Result<(), AccessError> {
        self.proxy.lose_answers();
        Ok(())
    }
}
