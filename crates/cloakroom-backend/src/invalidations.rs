//! What a store offers whose server tells when a record changes, so that a copy in memory can be dropped.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_core::{Error, SessionData, Store};

/// Receives what a store learns about changes.
///
/// The methods are called from the code that reads the connection, so they must not block.
pub trait InvalidationSink: Send + Sync {
    /// Notes that the record of this id was written, extended, destroyed, or has expired.
    fn changed(&self, sid: &str);

    /// Notes that any record may have changed.
    fn all_changed(&self);

    /// Notes that a question is about to be sent. The receiver remembers when, by the clocks that it trusts.
    fn asking(&self);

    /// Notes that the last question was answered: every change whose writer had its answer before that was asked has been
    /// reported.
    fn confirmed(&self);
}

/// A store that reports each change of a record, no matter which program made it.
#[async_trait]
pub trait Invalidations: Store {
    /// Checks that this store can report changes at all. It sends nothing.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) if it cannot, with the reason.
    fn check_invalidations(&self) -> Result<(), Error>;

    /// Reports changes to `sink` on a connection of its own, and returns when that is lost. It does not reconnect.
    ///
    /// - It calls [`confirmed`](InvalidationSink::confirmed) first when the server has agreed to report changes, and
    ///   then about once per `heartbeat`, each time after the server has answered a question that was sent behind the
    ///   changes. Nothing before the first call was reported. Each question is [noted](InvalidationSink::asking) before
    ///   it is sent.
    /// - It returns an error when the server does not answer such a question within `patience`.
    /// - It also returns when a read on any runtime may go to another server, such as a new master.
    /// - It also returns if the user lacks a permission that the reports or
    ///   [`get_with_time_left`](Self::get_with_time_left) need. The error says how to give it.
    /// - If it is dropped, the connection is closed.
    async fn report_invalidations(
        &self,
        sink: Arc<dyn InvalidationSink>,
        heartbeat: Duration,
        patience: Duration,
    ) -> Error;

    /// Returns the session as [`get`](Store::get) does, and how long it lives from when the call began. `None` means
    /// that it does not end by itself, and zero that the time is not known.
    ///
    /// # Errors
    ///
    /// As for [`get`](Store::get).
    async fn get_with_time_left(
        &self,
        sid: &str,
    ) -> Result<Option<(SessionData, Option<Duration>)>, Error>;
}
