//! Servers behind proxies, both of which do harm.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, Faults};
use cloakroom_core::Store;
use cloakroom_test_support::Proxy;
use tokio::sync::OwnedMutexGuard;

use crate::Machines;

type Open = Box<dyn Fn(&str, Duration) -> Result<Box<dyn Store>, AccessError> + Send + Sync>;

/// Servers of their own behind proxies, and how a store at the proxies' addresses is opened.
///
/// ```no_run
/// use cloakroom_conformance::StoreUnderTest;
/// use cloakroom_core::MemoryStore;
/// use cloakroom_test_backends::{Harmed, One};
/// use cloakroom_test_support::Redis;
///
/// let subject = StoreUnderTest::new(MemoryStore::new()).with_faults(|| {
///     Harmed::<One<Redis>>::start(|addrs, deadline| {
///         // A store at this address, with this deadline.
///         # let _ = (addrs, deadline);
///         Ok(Box::new(MemoryStore::new()))
///     })
/// });
/// ```
pub struct Harmed<M> {
    machines: Arc<Mutex<M>>,
    addrs: String,
    open: Open,
    /// Held as long as the machines are this case's alone.
    _turn: Option<OwnedMutexGuard<Option<Arc<Mutex<M>>>>>,
}

/// Machines that take long to start: several cases share them, one at a time, and find them repaired.
pub struct Shared<M>(Arc<tokio::sync::Mutex<Option<Arc<Mutex<M>>>>>);

impl<M> fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<M> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Default for Shared<M> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<M: Machines> Shared<M> {
    /// Waits until no other case has the machines, which are started for the first one. `open` is that of
    /// [`Harmed::start`], and should open a part of the servers that no other case uses.
    ///
    /// # Errors
    ///
    /// If a server does not start.
    pub async fn harmed(
        &self,
        open: impl Fn(&str, Duration) -> Result<Box<dyn Store>, AccessError> + Send + Sync + 'static,
    ) -> Result<Harmed<M>, AccessError> {
        let mut turn = Arc::clone(&self.0).lock_owned().await;
        let machines = match turn.take() {
            Some(machines) => {
                let repaired = Arc::clone(&machines);
                let repair =
                    move || repaired.lock().unwrap_or_else(PoisonError::into_inner).repair();
                tokio::task::spawn_blocking(repair).await??;
                machines
            }
            None => Arc::new(Mutex::new(tokio::task::spawn_blocking(M::start).await??)),
        };
        *turn = Some(Arc::clone(&machines));
        let mut harmed = Harmed::of(machines, Box::new(open));
        harmed._turn = Some(turn);
        Ok(harmed)
    }
}

impl<M> fmt::Debug for Harmed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harmed").field("addrs", &self.addrs).finish_non_exhaustive()
    }
}

impl<M: Machines> Harmed<M> {
    /// Starts the servers and their proxies. `open` is given the addresses of the proxies, such as
    /// `127.0.0.1:12345,127.0.0.1:12346`, and the deadline of each call.
    ///
    /// # Errors
    ///
    /// If a server does not start.
    pub async fn start(
        open: impl Fn(&str, Duration) -> Result<Box<dyn Store>, AccessError> + Send + Sync + 'static,
    ) -> Result<Self, AccessError> {
        let machines = tokio::task::spawn_blocking(M::start).await??;
        Ok(Self::of(Arc::new(Mutex::new(machines)), Box::new(open)))
    }

    fn of(machines: Arc<Mutex<M>>, open: Open) -> Self {
        let addrs: Vec<_> = {
            let machines = machines.lock().unwrap_or_else(PoisonError::into_inner);
            machines.proxies().iter().map(Proxy::addr).collect()
        };
        Self { machines, addrs: addrs.join(","), open, _turn: None }
    }

    /// Does something that takes its time to the servers and the proxies.
    async fn harm(
        &self,
        how: impl FnOnce(&mut M) -> Result<(), AccessError> + Send + 'static,
    ) -> Result<(), AccessError> {
        let machines = Arc::clone(&self.machines);
        let harmed = tokio::task::spawn_blocking(move || {
            how(&mut machines.lock().unwrap_or_else(PoisonError::into_inner))
        });
        harmed.await?
    }

    fn each_proxy(&self, how: impl Fn(&Proxy)) {
        let machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        machines.proxies().iter().for_each(how);
    }
}

#[async_trait]
impl<M: Machines> Faults for Harmed<M> {
    async fn open(&self, deadline: Duration) -> Result<Box<dyn Store>, AccessError> {
        (self.open)(&self.addrs, deadline)
    }

    async fn stop(&self) -> Result<(), AccessError> {
        self.harm(M::stop).await
    }

    async fn restart(&self) -> Result<(), AccessError> {
        self.harm(M::restart).await
    }

    async fn freeze(&self) -> Result<(), AccessError> {
        self.harm(M::freeze).await
    }

    async fn thaw(&self) -> Result<(), AccessError> {
        self.harm(M::thaw).await
    }

    async fn silence(&self) -> Result<(), AccessError> {
        self.each_proxy(|proxy| {
            proxy.silence();
            proxy.pass();
        });
        Ok(())
    }

    async fn cut(&self) -> Result<(), AccessError> {
        self.each_proxy(|proxy| {
            proxy.cut();
            proxy.pass();
        });
        Ok(())
    }

    async fn lose_answers(&self) -> Result<(), AccessError> {
        self.each_proxy(Proxy::lose_answers);
        Ok(())
    }
}
