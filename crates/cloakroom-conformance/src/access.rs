//! Access behind a store's back: reading and writing records, and faults of the server.
//!
//! A store that is tested only through itself can be wrong in the same way when it writes and when it reads.

use std::{error::Error, time::Duration};

use async_trait::async_trait;
use cloakroom_core::Store;

/// The reason why an access to the backend failed. The case that needed it fails with this text.
pub type AccessError = Box<dyn Error + Send + Sync>;

/// Access to the records of a store, as another program has it.
///
/// Implement it with a plain client of the backend, never with the store under test. The implementation knows how the
/// store maps an id to a key, and where the text of a record is. If the store encrypts, the implementation encrypts and
/// decrypts as well.
///
/// ```
/// use std::{
///     collections::HashMap,
///     sync::{Arc, Mutex},
///     time::Duration,
/// };
///
/// use async_trait::async_trait;
/// use cloakroom_conformance::{AccessError, RawAccess};
///
/// /// Texts by key. They never expire.
/// struct Raw(Arc<Mutex<HashMap<String, String>>>);
///
/// #[async_trait]
/// impl RawAccess for Raw {
///     async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
///         let mut records = self.0.lock().map_err(|_| "poisoned")?;
///         records.insert(format!("sess:{sid}"), record.to_owned());
///         Ok(())
///     }
///
///     async fn put_endless(&self, sid: &str, record: &str) -> Result<bool, AccessError> {
///         self.put(sid, record).await.map(|()| true)
///     }
///
///     async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
///         let records = self.0.lock().map_err(|_| "poisoned")?;
///         Ok(records.get(&format!("sess:{sid}")).cloned())
///     }
///
///     async fn time_left(&self, _sid: &str) -> Result<Option<Duration>, AccessError> {
///         Ok(None)
///     }
/// }
/// ```
#[async_trait]
pub trait RawAccess: Send + Sync {
    /// Creates or replaces the record of this id, as another program would. It must live for at least an hour. The text
    /// may be anything, even invalid JSON.
    ///
    /// # Errors
    ///
    /// If the backend cannot be reached, or rejects the record.
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError>;

    /// Creates or replaces the record of this id, and lets it live until it is destroyed. Returns false, and does
    /// nothing, if every record of the backend has an end.
    ///
    /// # Errors
    ///
    /// If the backend cannot be reached, or rejects the record.
    async fn put_endless(&self, sid: &str, record: &str) -> Result<bool, AccessError>;

    /// Returns the text of the record, or `None` if the backend has no record with this id.
    ///
    /// # Errors
    ///
    /// If the backend cannot be reached.
    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError>;

    /// Returns the record's remaining time to live, by the clock of the store. `None` if it never expires, or if the
    /// backend has no record with this id.
    ///
    /// # Errors
    ///
    /// If the backend cannot be reached.
    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError>;
}

/// A server that a case may stop, freeze and cut off, and the stores on it.
///
/// The function of [`StoreUnderTest::with_faults`](crate::StoreUnderTest::with_faults) creates it for each case that
/// needs it, and it is dropped at the end of the case. Use a TCP proxy between the stores and the server for
/// [`silence`](Self::silence), [`cut`](Self::cut) and [`lose_answers`](Self::lose_answers). Each method returns once it
/// has taken effect.
///
/// ```no_run
/// use std::time::Duration;
///
/// use async_trait::async_trait;
/// use cloakroom_conformance::{AccessError, Faults, StoreUnderTest};
/// use cloakroom_core::{MemoryStore, Store};
/// # struct Server;
/// # struct Proxy;
/// # type Done = Result<(), AccessError>;
/// # impl Server {
/// #     async fn kill(&self) -> Done { Ok(()) }
/// #     async fn start(&self) -> Done { Ok(()) }
/// #     async fn signal(&self, _name: &str) -> Done { Ok(()) }
/// # }
/// # impl Proxy {
/// #     fn silence(&self) {}
/// #     fn cut(&self) {}
/// #     fn lose_answers(&self) {}
/// # }
///
/// struct MyServer {
///     server: Server,
///     proxy: Proxy,
/// }
///
/// #[async_trait]
/// impl Faults for MyServer {
///     async fn open(&self, deadline: Duration) -> Result<Box<dyn Store>, AccessError> {
///         // Your store, at the address of the proxy, with this deadline.
///         # let _ = deadline;
///         Ok(Box::new(MemoryStore::new()))
///     }
///
///     async fn stop(&self) -> Result<(), AccessError> {
///         self.server.kill().await
///     }
///
///     async fn restart(&self) -> Result<(), AccessError> {
///         self.server.start().await
///     }
///
///     async fn freeze(&self) -> Result<(), AccessError> {
///         self.server.signal("STOP").await
///     }
///
///     async fn thaw(&self) -> Result<(), AccessError> {
///         self.server.signal("CONT").await
///     }
///
///     async fn silence(&self) -> Result<(), AccessError> {
///         Ok(self.proxy.silence())
///     }
///
///     async fn cut(&self) -> Result<(), AccessError> {
///         Ok(self.proxy.cut())
///     }
///
///     async fn lose_answers(&self) -> Result<(), AccessError> {
///         Ok(self.proxy.lose_answers())
///     }
/// }
///
/// async fn start() -> Result<MyServer, AccessError> {
///     Ok(MyServer { server: Server, proxy: Proxy })
/// }
///
/// let subject = StoreUnderTest::new(MemoryStore::new()).with_faults(start);
/// ```
#[async_trait]
pub trait Faults: Send + Sync {
    /// Opens another handle, with its own connections, on the one store of this server. Each of its calls has this
    /// deadline. It need not be connected yet.
    ///
    /// # Errors
    ///
    /// If the store cannot be opened.
    async fn open(&self, deadline: Duration) -> Result<Box<dyn Store>, AccessError>;

    /// Kills the server: its connections end, and new ones are refused.
    ///
    /// # Errors
    ///
    /// If the server cannot be stopped.
    async fn stop(&self) -> Result<(), AccessError>;

    /// Starts a stopped server again at the same address, and waits until it answers. It may have lost its records.
    ///
    /// # Errors
    ///
    /// If the server does not start.
    async fn restart(&self) -> Result<(), AccessError>;

    /// Freezes the server: connections stay open, new ones are accepted, and nothing is answered.
    ///
    /// # Errors
    ///
    /// If the server cannot be frozen.
    async fn freeze(&self) -> Result<(), AccessError>;

    /// Resumes a frozen server. It may still carry out commands that it received while it was frozen.
    ///
    /// # Errors
    ///
    /// If the server cannot be resumed.
    async fn thaw(&self) -> Result<(), AccessError>;

    /// Keeps every connection that is open now open, but passes nothing on. New connections work.
    ///
    /// # Errors
    ///
    /// If the proxy fails.
    async fn silence(&self) -> Result<(), AccessError>;

    /// Closes every connection that is open now. New connections work.
    ///
    /// # Errors
    ///
    /// If the proxy fails.
    async fn cut(&self) -> Result<(), AccessError>;

    /// Closes each connection that is open now as soon as the server answers on it, instead of passing the answer on.
    /// The server carries out the command. New connections work.
    ///
    /// # Errors
    ///
    /// If the proxy fails.
    async fn lose_answers(&self) -> Result<(), AccessError>;
}
