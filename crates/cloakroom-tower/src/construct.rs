//! Makes an engine or a layer of options, once they are checked.

use cloakroom_core::{Error, Store};

use crate::{IdFormat, SessionEngine, SessionLayer, SessionOptions, check::check};

impl SessionOptions {
    /// Returns a layer that works with these options.
    ///
    /// # Errors
    ///
    /// As [`engine`](Self::engine).
    pub fn layer(
        self,
        store: impl Store + 'static,
        ids: impl Into<IdFormat>,
    ) -> Result<SessionLayer, Error> {
        self.engine(store, ids).map(SessionLayer::from)
    }

    /// Returns an engine that works with these options, for applications without tower. `ids` are the
    /// [`Secrets`](cloakroom_core::Secrets) that sign the ids, or an [`IdFormat`] for the unsigned ids of next-session.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config), quoting the offender, for options that cannot work: a name,
    /// domain or path that no cookie can have, or a `max_age` beyond JavaScript's dates. The safe presets also reject
    /// `resave`, a `max_age` of zero, and `SameSite=None` without `Secure`, because browsers reject such a cookie.
    ///
    /// ```
    /// use cloakroom_core::{MemoryStore, Secrets};
    /// use cloakroom_tower::SessionOptions;
    ///
    /// let secrets = Secrets::new(["keyboard cat"])?;
    /// let engine = SessionOptions::express().engine(MemoryStore::new(), secrets)?;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn engine(
        self,
        store: impl Store + 'static,
        ids: impl Into<IdFormat>,
    ) -> Result<SessionEngine, Error> {
        check(&self)?;
        Ok(SessionEngine::unchecked(store, ids.into(), self))
    }
}
