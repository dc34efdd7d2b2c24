//! The listing, which goes to the store. What memory has of a session that it returns is removed: a caller that looks at
//! the session next must not get what is older than the listing.

use async_trait::async_trait;
use cloakroom_core::{Enumerate, Error, ErrorKind, FindBy, Listed, Store};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{Cached, Inner};

/// Removes all entries at the beginning and at the end of a `clear`, also if its future is dropped.
struct Clearing<'a>(&'a Inner);

impl<'a> Clearing<'a> {
    fn begin(inner: &'a Inner) -> Self {
        let clearing = Self(inner);
        clearing.forget();
        clearing
    }

    fn forget(&self) {
        self.0.near.forget_all();
        self.0.touches.forget_all();
    }
}

impl Drop for Clearing<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Returns the error for a part that the store does not have.
pub(super) fn unsupported(store: &dyn Store, operation: &'static str) -> Error {
    let message = "the store does not support this operation";
    Error::new(ErrorKind::Unsupported, store.name().to_owned(), operation, message)
}

impl Cached {
    fn far_enumerate(&self, operation: &'static str) -> Result<&dyn Enumerate, Error> {
        self.far().enumerate().ok_or_else(|| unsupported(self.far(), operation))
    }

    fn far_find_by(&self, operation: &'static str) -> Result<&dyn FindBy, Error> {
        self.far_enumerate(operation)?.find_by().ok_or_else(|| unsupported(self.far(), operation))
    }

    /// Removes the entry of each session that the listing returns.
    fn fresh<'s>(
        &'s self,
        listed: BoxStream<'s, Result<Listed, Error>>,
    ) -> BoxStream<'s, Result<Listed, Error>> {
        listed.inspect_ok(|listed| self.0.near.forget(&listed.id)).boxed()
    }
}

#[async_trait]
impl Enumerate for Cached {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        match self.far_enumerate("ids") {
            Ok(enumerate) => enumerate.ids().inspect_ok(|sid| self.0.near.forget(sid)).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        match self.far_enumerate("all") {
            Ok(enumerate) => self.fresh(enumerate.all()),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn length(&self) -> Result<u64, Error> {
        self.far_enumerate("length")?.length().await
    }

    async fn clear(&self) -> Result<(), Error> {
        let _clearing = Clearing::begin(&self.0);
        self.far_enumerate("clear")?.clear().await
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        self.far().enumerate()?.find_by().map(|_| self as &dyn FindBy)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "the store's own methods must be called")]
impl FindBy for Cached {
    async fn create_index(&self, path: &str) -> Result<(), Error> {
        self.far_find_by("create_index")?.create_index(path).await
    }

    async fn find<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let found = self.far_find_by("find")?.find(path, value).await?;
        Ok(found.map(|found| self.fresh(found)))
    }

    async fn find_known<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let found = self.far_find_by("find_known")?.find_known(path, value).await?;
        Ok(found.map(|found| self.fresh(found)))
    }
}
