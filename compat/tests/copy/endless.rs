//! Copies of stores that are never full, and hold nothing.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_compat::{CopyOptions, copy};
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, FindBy, Listed, SessionData, Store, Touched,
};
use futures::{
    executor::block_on,
    stream::{self, BoxStream, StreamExt},
};

use crate::copied;

/// A store that only says how many sessions it has, for the listing and for `create`.
struct Endless(u64);

#[async_trait]
impl Store for Endless {
    fn name(&self) -> &str {
        "endless"
    }
    async fn get(&self, _: &str) -> Result<Option<SessionData>, Error> {
        Ok(Some(SessionData::new()))
    }
    async fn set(&self, _: &str, _: &SessionData) -> Result<(), Error> {
        Ok(())
    }
    async fn destroy(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
    async fn touch(&self, _: &str, _: &SessionData) -> Result<Touched, Error> {
        Ok(Touched::Extended)
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        (self.0 > 0).then_some(self)
    }
}

#[async_trait]
impl Atomic for Endless {
    async fn create(&self, _: &str, _: &SessionData) -> Result<Created, Error> {
        Ok(Created::Stored(cloakroom_core::Revision::of_text()))
    }
    async fn update(&self, _: &str, _: &SessionData) -> Result<cloakroom_core::Updated, Error> {
        Ok(cloakroom_core::Updated::Gone)
    }
    async fn get_and_touch(
        &self,
        _: &str,
        _: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        Ok(None)
    }
}

#[async_trait]
impl Enumerate for Endless {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        stream::empty().boxed()
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        stream::iter(0..self.0)
            .map(|n| Ok(Listed::new(n.to_string(), SessionData::new(), None)))
            .boxed()
    }
    async fn length(&self) -> Result<u64, Error> {
        Ok(self.0)
    }
    async fn clear(&self) -> Result<(), Error> {
        Ok(())
    }
    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

#[test]
fn the_memory_of_a_copy_does_not_grow_with_the_sessions() {
    let peak = |count| {
        let used = allocation_counter::measure(|| {
            let done = copied(&Endless(count), &Endless(1), &CopyOptions::default());
            assert_eq!(done.copied, count);
        });
        used.bytes_max
    };
    let few = peak(1_000);
    // The longer ids are a few bytes more.
    assert!(peak(20_000) < few + 4_096, "{few}");
}

#[test]
fn a_store_that_does_not_list_cannot_be_copied() {
    let error =
        block_on(copy(&Endless(0), &Endless(0), &CopyOptions::default(), |_| ())).unwrap_err();
    assert_eq!((error.kind(), error.store()), (ErrorKind::Unsupported, "endless"));
}
