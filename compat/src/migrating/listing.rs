//! The listing of both stores. The old one comes first: a session moves from there to the new one, never back, so none
//! that moves while it is listed is missed. One that is in both is listed twice.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use async_trait::async_trait;
use cloakroom_backend::in_part;
use cloakroom_core::{Enumerate, Error, ErrorKind, FindBy, Listed, Store};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{
    Migrating,
    find::as_read,
    flag::{self, Flag},
    origin::from_old,
};

#[async_trait]
impl Enumerate for Migrating {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        match (part(&*self.old), part(&*self.new)) {
            (Ok(old), Ok(new)) => old.ids().chain(new.ids()).boxed(),
            (Err(error), _) | (_, Err(error)) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        let (old, new) = match (part(&*self.old), part(&*self.new)) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(error), _) | (_, Err(error)) => return stream::iter([Err(error)]).boxed(),
        };
        let in_old = old.all().try_filter_map(move |mut listed| async move {
            listed.session = match flag::of(&listed.session) {
                Flag::None => from_old(listed.session),
                Flag::Closed(_) => as_read(listed.session)?,
                Flag::Tentative => return Ok(None),
                // Its copy can be the session.
                Flag::Handed(..) | Flag::Pending(..) => match self.look(&listed.id).await? {
                    Some(session) => session,
                    None => return Ok(None),
                },
            };
            Ok(Some(listed))
        });
        let in_new = new.all().try_filter_map(move |mut listed| async move {
            match flag::of(&listed.session) {
                Flag::None => {}
                // It was on its way to the other store when the direction of the migration changed.
                Flag::Closed(_) => match self.look(&listed.id).await? {
                    Some(session) => listed.session = session,
                    None => return Ok(None),
                },
                Flag::Handed(..) | Flag::Pending(..) | Flag::Tentative => return Ok(None),
            }
            Ok(Some(listed))
        });
        in_old.chain(in_new).boxed()
    }

    /// Counts each session once. It keeps 8 bytes of each id in memory.
    async fn length(&self) -> Result<u64, Error> {
        let hasher = RandomState::new();
        let mut seen = HashSet::new();
        let mut ids = self.ids();
        while let Some(sid) = ids.try_next().await? {
            seen.insert(hasher.hash_one(sid));
        }
        Ok(seen.len() as u64)
    }

    async fn clear(&self) -> Result<(), Error> {
        part(&*self.old)?.clear().await?;
        part(&*self.new)?.clear().await.map_err(in_part(true))
    }

    /// Returns `None`: a session that moves can be in neither index, or in that of a store which no longer has it.
    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

fn part(store: &dyn Store) -> Result<&dyn Enumerate, Error> {
    store.enumerate().ok_or_else(|| {
        let message = "the store does not support this operation";
        Error::new(ErrorKind::Unsupported, store.name().to_owned(), "enumerate", message)
    })
}
