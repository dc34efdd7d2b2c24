//! Removes expired sessions from the disk: by the TTL index, or every few minutes.
//!
//! The index must be exactly connect-mongo's. If another one is there, each operation of the Node.js side fails with
//! the code 85, and its process ends at the start by an unhandled rejection.

use std::{
    fmt::Write,
    sync::{Arc, MutexGuard, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

use cloakroom_backend::{Idempotency, Operation};
use cloakroom_core::{Error, ErrorKind};
use futures::TryStreamExt;
use mongodb::{
    IndexModel,
    bson::{Bson, DateTime, Document, doc},
    error::ErrorKind as MongoKind,
    options::IndexOptions,
};

use crate::{AutoRemove, IndexStatus, MongoStore, error, live::Sessions, store::Shared};

/// The name of the TTL index in connect-mongo.
const NAME: &str = "expires_1";

impl MongoStore {
    /// Creates the TTL index of connect-mongo, `{ expires: 1 }` with `expireAfterSeconds: 0`, if it does not exist.
    ///
    /// With [`AutoRemove::Native`], the store does this by itself, once, after its first operation. Call it to wait for
    /// the index, or to learn why it could not be created. A conflicting index does not affect any other operation.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if another index conflicts with it, naming that index and the command that drops
    /// it, or if the user may not create an index; otherwise the store's own errors.
    pub async fn ensure_index(&self) -> Result<(), Error> {
        self.make_index(&self.operation("ensure_index", Idempotency::Repeatable)).await
    }

    /// Creates the index. If another one conflicts with it, the error names that one.
    async fn make_index(&self, operation: &Operation) -> Result<(), Error> {
        let create = |sessions: Sessions| async move { sessions.create_index(model()).await };
        let made = self.0.connection.run(operation, self.options(), create).await?;
        let Err(failure) = made else {
            self.set_status(IndexStatus::Ready);
            return Ok(());
        };
        match &*failure.cause.kind {
            // IndexOptionsConflict and IndexKeySpecsConflict.
            MongoKind::Command(refusal) if matches!(refusal.code, 85 | 86) => {
                Err(self.conflict(operation).await)
            }
            _ => Err(error::of(operation, self.0.connection.hosts(), &failure)),
        }
    }

    /// Returns what this store knows about the TTL index. Nothing is sent.
    #[must_use]
    pub fn index_status(&self) -> IndexStatus {
        self.status().clone()
    }

    /// Removes the expired sessions from the disk, and returns their number.
    ///
    /// Expired sessions are never returned, even before they are removed. Call it regularly with
    /// [`AutoRemove::Disabled`].
    ///
    /// # Errors
    ///
    /// The store's own errors.
    pub async fn remove_expired(&self) -> Result<u64, Error> {
        let operation = self.operation("remove_expired", Idempotency::Repeatable);
        let now = DateTime::from_millis(self.now_ms());
        // `attempt` would start the upkeep, which may be what calls this.
        let removed = self
            .0
            .connection
            .run(&operation, self.options(), |sessions| async move {
                sessions.delete_many(doc! { "expires": { "$lt": now } }).await
            })
            .await?;
        match removed {
            Ok(removed) => Ok(removed.deleted_count),
            Err(failure) => Err(error::of(&operation, self.0.connection.hosts(), &failure)),
        }
    }

    /// Starts what `auto_remove` requires, in the background, unless it was started already.
    pub(crate) fn keep_up(&self) {
        if !self.0.upkeep_due.load(Ordering::Relaxed)
            || !self.0.upkeep_due.swap(false, Ordering::AcqRel)
        {
            return;
        }
        let due_again = DueAgain(Arc::downgrade(&self.0));
        match self.options().auto_remove {
            AutoRemove::Native => {
                let store = self.clone();
                tokio::spawn(async move {
                    // Building the index of a large collection takes long, and a retry would not be faster, so this
                    // operation has no deadline. It starts inside the task, where the caller's deadline does not
                    // apply.
                    let operation = Operation::start(
                        error::STORE,
                        "ensure_index",
                        Idempotency::Repeatable,
                        Duration::MAX,
                    );
                    match store.make_index(&operation).await {
                        Ok(()) => due_again.never(),
                        Err(error) if error.is_retryable() => {}
                        Err(error) => {
                            store.set_status(IndexStatus::Failed(Arc::new(error)));
                            due_again.never();
                        }
                    }
                });
            }
            AutoRemove::Interval(interval) => {
                tokio::spawn(remove_every(interval, due_again));
            }
            AutoRemove::Disabled => due_again.never(),
        }
    }

    /// Returns the error that names the conflicting index.
    async fn conflict(&self, operation: &Operation) -> Error {
        let operation = operation.reading();
        let listed = self.0.connection.run(&operation, self.options(), list_indexes).await;
        let other = match &listed {
            Ok(Ok(indexes)) => indexes.iter().find(|index| is_in_the_way(index)),
            _ => None,
        };
        let name = other.and_then(|index| index.options.as_ref()?.name.clone());
        let mut message = match (&name, other) {
            (Some(name), Some(other)) => format!("the index {name:?} {}", difference(other)),
            _ => "another index".to_owned(),
        };
        let (database, collection) =
            (self.0.connection.database(), &self.options().collection_name);
        // Writing to a string cannot fail.
        let _ = write!(
            message,
            " conflicts with {NAME:?}, which removes expired sessions: drop it with \
             db.getSiblingDB({database:?}).getCollection({collection:?}).dropIndex({:?}), or set autoRemove=disabled",
            name.as_deref().unwrap_or("its name"),
        );
        operation.error(ErrorKind::Config, message)
    }

    fn status(&self) -> MutexGuard<'_, IndexStatus> {
        // Nothing panics while the lock is held.
        self.0.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_status(&self, status: IndexStatus) {
        *self.status() = status;
    }
}

/// Returns exactly the index that connect-mongo creates. With any other, the Node.js side fails at its start.
#[expect(deprecated, reason = "`background` has no effect, but is part of connect-mongo's index")]
fn model() -> IndexModel {
    let options = IndexOptions::builder()
        .name(NAME.to_owned())
        .expire_after(Duration::ZERO)
        .background(true)
        .build();
    IndexModel::builder().keys(doc! { "expires": 1 }).options(options).build()
}

async fn list_indexes(sessions: Sessions) -> mongodb::error::Result<Vec<IndexModel>> {
    sessions.list_indexes().await?.try_collect().await
}

fn is_in_the_way(index: &IndexModel) -> bool {
    is_ours(&index.keys)
        || index.options.as_ref().is_some_and(|options| options.name.as_deref() == Some(NAME))
}

/// Returns true for the keys `{ expires: 1 }`, in any type of number: the shell writes a double.
fn is_ours(keys: &Document) -> bool {
    let ascending = match keys.get("expires") {
        Some(Bson::Int32(1) | Bson::Int64(1)) => true,
        Some(Bson::Double(direction)) => *direction == 1.0,
        _ => false,
    };
    keys.len() == 1 && ascending
}

/// Describes how this index differs from the required one.
fn difference(index: &IndexModel) -> String {
    let options = index.options.as_ref();
    if !is_ours(&index.keys) {
        return format!("on {}", index.keys);
    }
    match options.and_then(|options| options.expire_after) {
        None => "on { expires: 1 } without expireAfterSeconds".to_owned(),
        Some(Duration::ZERO) => "on { expires: 1 } with other options or another name".to_owned(),
        Some(after) => format!("on {{ expires: 1 }} with expireAfterSeconds {}", after.as_secs()),
    }
}

/// Makes the next operation start the upkeep again when this is dropped, for example because its runtime shut down.
struct DueAgain(Weak<Shared>);

impl DueAgain {
    fn never(mut self) {
        self.0 = Weak::new();
    }
}

impl Drop for DueAgain {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.upkeep_due.store(true, Ordering::Release);
        }
    }
}

/// Removes expired sessions regularly until the last handle on the store is dropped. If a removal fails, the next one
/// makes up for it.
async fn remove_every(interval: Duration, store: DueAgain) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(shared) = store.0.upgrade() else { return };
        let _ = MongoStore(shared).remove_expired().await;
    }
}
