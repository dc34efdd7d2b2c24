//! The conditional writes.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{Atomic, Created, Error, ErrorKind, Revision, Session, Updated};
use memcache::exp::{Delete, Get, MutationResult, MutationStatus};
use tokio::time::sleep;

use crate::{
    MemcachedStore,
    call::{Call, Effect},
    error,
    ttl::Expiry,
};

/// How often an update goes on where somebody has written the very same record again, as connect-memcached's `touch`
/// does for browser sessions.
const TRIES: u32 = 8;

/// What no item ever has: the revision of a session that was stored with a passed expiry.
const NO_CAS: u64 = u64::MAX;

#[async_trait]
impl Atomic for MemcachedStore {
    async fn create(&self, sid: &str, session: &Session) -> Result<Created, Error> {
        let call = self.call("create", Effect::Once);
        let place = self.place(&call, sid)?;
        let Expiry::At(expiry) = self.options().expiry(session) else {
            let look = Get::new(&place.key).without_value();
            let there = self.server(&place).run(&call, look).await?.hit();
            let revision = Revision::from_number(NO_CAS);
            return Ok(if there { Created::Exists } else { Created::Stored(revision) });
        };
        let add = self.storing(&call, &place, session, expiry).await?.add().return_cas();
        let answer = self.server(&place).run(&call, add).await?;
        Ok(if answer.applied() { Created::Stored(revision(&answer)) } else { Created::Exists })
    }

    async fn update(&self, sid: &str, session: &Session) -> Result<Updated, Error> {
        let call = self.call("update", Effect::Once);
        let place = self.place(&call, sid)?;
        let mut cas = read_from(&call, session)?;
        let expiry = self.options().expiry(session);
        let write = match expiry {
            Expiry::At(expiry) => Some(self.storing(&call, &place, session, expiry).await?),
            Expiry::Passed => None,
        };
        let mut attempt = 1;
        loop {
            let server = self.server(&place);
            let answer = match &write {
                Some(set) => server.run(&call, set.clone().compare_cas(cas).return_cas()).await?,
                None => server.run(&call, Delete::new(&place.key).compare_cas(cas)).await?,
            };
            match answer.status {
                MutationStatus::Applied => return Ok(Updated::Stored(revision(&answer))),
                MutationStatus::CasMismatch => {}
                _ => return Ok(Updated::Gone),
            }
            let Some(current) = self.read(&call.reading(), &place, None).await? else {
                return Ok(Updated::Gone);
            };
            if attempt == TRIES || current.loaded_json() != session.loaded_json() {
                return Ok(Updated::Conflict(current));
            }
            cas = read_from(&call, &current)?;
            pause(attempt).await;
            attempt += 1;
        }
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<Session>, Error> {
        let call = self.call("get_and_touch", Effect::Repeatable);
        let place = self.place(&call, sid)?;
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(error::new(&call, ErrorKind::InvalidData, "the ttl is zero"));
        }
        self.read(&call, &place, Some(self.options().expiry_of(ttl))).await
    }
}

/// The `cas` of the item that `session` was read from.
fn read_from(call: &Call, session: &Session) -> Result<u64, Error> {
    match session.revision().and_then(Revision::as_number) {
        Some(0) => {
            let message = "the server numbers no writes, so none can be compared with (-C)";
            Err(error::new(call, ErrorKind::Unsupported, message))
        }
        Some(cas) => Ok(cas),
        None => {
            let message = "the session was not read from this store";
            Err(error::new(call, ErrorKind::InvalidData, message))
        }
    }
}

fn revision(answer: &MutationResult) -> Revision {
    Revision::from_number(answer.cas.unwrap_or(NO_CAS))
}

/// A moment of its own for each, so that those who met do not meet again.
async fn pause(attempt: u32) {
    let dice = RandomState::new().hash_one(attempt);
    sleep(Duration::from_micros(dice % (u64::from(attempt) * 1_000))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_needs_a_revision_of_this_store() {
        let call = Call::start("update", Effect::Once, Duration::from_secs(5));
        let kind = |session: Session| read_from(&call, &session).map_err(|error| error.kind());
        assert_eq!(kind(Session::new()), Err(ErrorKind::InvalidData));
        let of = |revision| Session::new().with_revision(revision);
        assert_eq!(kind(of(Revision::of_text())), Err(ErrorKind::InvalidData));
        assert_eq!(kind(of(Revision::from_number(0))), Err(ErrorKind::Unsupported));
        assert_eq!(kind(of(Revision::from_number(7))), Ok(7));
    }
}
