//! The conditional writes: `add`, and `set` with the item's `cas`.
//!
//! The server gives an item a new `cas` with every write, no matter which client makes it. So a write of Node.js is
//! noticed, although npm's `memcached` 2.2.2 never sends a `cas` itself.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation, jitter};
use cloakroom_core::{Atomic, Created, Error, ErrorKind, Revision, SessionData, Updated};
use memcache::exp::{Delete, Get, MutationResult, MutationStatus};
use tokio::time::sleep;

use crate::{MemcachedStore, ttl::Expiry};

/// How often an update is retried after another writer stored the identical record again, as connect-memcached's
/// `touch` does for browser sessions.
const TRIES: u32 = 8;

/// A number that no item has. It is the revision of a session that was stored with a passed expiry.
const NO_CAS: u64 = u64::MAX;

#[async_trait]
impl Atomic for MemcachedStore {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let operation = self.operation("create", Idempotency::Once);
        let place = self.place(&operation, sid)?;
        let Expiry::At(expiry) = self.options().expiry(session) else {
            // The contract: a session whose expiry has passed is not stored, but the answer is the same.
            let look = Get::new(&place.key).without_value();
            let there = self.server(&place).run(&operation, &look).await?.hit();
            let revision = Revision::from_number(NO_CAS);
            return Ok(if there { Created::Exists } else { Created::Stored(revision) });
        };
        let add = self.storing(&operation, &place, session, expiry).await?.add().return_cas();
        let answer = self.server(&place).run(&operation, &add).await?;
        Ok(if answer.applied() { Created::Stored(revision(&answer)) } else { Created::Exists })
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let operation = self.operation("update", Idempotency::Once);
        let place = self.place(&operation, sid)?;
        let mut cas = read_from(&operation, session)?;
        let expiry = self.options().expiry(session);
        let mut write = match expiry {
            Expiry::At(expiry) => {
                Some(self.storing(&operation, &place, session, expiry).await?.return_cas())
            }
            Expiry::Passed => None,
        };
        let mut attempt = 1;
        loop {
            let server = self.server(&place);
            let answer = match &mut write {
                Some(set) => {
                    set.compare_cas = Some(cas);
                    server.run(&operation, &*set).await?
                }
                None => server.run(&operation, &Delete::new(&place.key).compare_cas(cas)).await?,
            };
            match answer.status {
                MutationStatus::Applied => return Ok(Updated::Stored(revision(&answer))),
                MutationStatus::CasMismatch => {}
                _ => return Ok(Updated::Gone),
            }
            let Some(current) = self.read(&operation.reading(), &place, None).await? else {
                return Ok(Updated::Gone);
            };
            if attempt == TRIES || current.loaded_json() != session.loaded_json() {
                return Ok(Updated::Conflict(current));
            }
            // Another writer stored the record that this session was read from once more, so no change would be lost.
            cas = read_from(&operation, &current)?;
            pause(attempt).await;
            attempt += 1;
        }
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let operation = self.operation("get_and_touch", Idempotency::Repeatable);
        let place = self.place(&operation, sid)?;
        operation.check_ttl(ttl)?;
        self.read(&operation, &place, Some(self.options().expiry_of(ttl))).await
    }
}

/// Returns the `cas` of the item that `session` was read from.
fn read_from(operation: &Operation, session: &SessionData) -> Result<u64, Error> {
    match operation.check_origin(session.revision().and_then(Revision::as_number))? {
        0 => {
            let message = "update requires CAS, which this server has turned off (-C)";
            Err(operation.error(ErrorKind::Unsupported, message))
        }
        cas => Ok(cas),
    }
}

/// Returns the revision of the stored item, or one that no item has if the item was deleted.
fn revision(answer: &MutationResult) -> Revision {
    Revision::from_number(answer.cas.unwrap_or(NO_CAS))
}

/// Waits for a random time, so that writers that collided do not collide again.
async fn pause(attempt: u32) {
    sleep(jitter(Duration::ZERO..=Duration::from_millis(1) * attempt)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::STORE;

    #[test]
    fn an_update_needs_a_revision_of_this_store() {
        let operation =
            Operation::start(STORE, "update", Idempotency::Once, Duration::from_secs(5));
        let kind =
            |session: SessionData| read_from(&operation, &session).map_err(|error| error.kind());
        assert_eq!(kind(SessionData::new()), Err(ErrorKind::InvalidData));
        let of = |revision| SessionData::new().with_revision(revision);
        assert_eq!(kind(of(Revision::of_text())), Err(ErrorKind::InvalidData));
        assert_eq!(kind(of(Revision::from_number(0))), Err(ErrorKind::Unsupported));
        assert_eq!(kind(of(Revision::from_number(7))), Ok(7));
    }
}
