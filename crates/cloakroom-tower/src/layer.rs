//! The layer: an engine that waits for a service.

use cloakroom_core::{Secrets, Store};
use tower_layer::Layer;

use crate::{SessionEngine, SessionOptions, SessionService};

/// Gives each request a [`Session`](crate::Session), and writes it back before the response begins.
///
/// The constructors use a preset's default options. For a layer with your own options, call [`SessionOptions::layer`].
///
/// ```
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::SessionLayer;
///
/// let layer = SessionLayer::new(MemoryStore::new(), Secrets::new(["keyboard cat"])?);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionLayer {
    engine: SessionEngine,
}

impl SessionLayer {
    /// Creates a layer with the safe preset and its default options, those of [`SessionOptions::new`].
    #[must_use]
    pub fn new(store: impl Store + 'static, secrets: Secrets) -> Self {
        SessionEngine::unchecked(store, secrets.into(), SessionOptions::new()).into()
    }

    /// Creates a layer that does what express-session 1.19.0 does, call for call, with its default options, those of
    /// [`SessionOptions::express`].
    #[must_use]
    pub fn express(store: impl Store + 'static, secrets: Secrets) -> Self {
        SessionEngine::unchecked(store, secrets.into(), SessionOptions::express()).into()
    }

    /// Returns the engine, for requests that do not come through this layer, such as a WebSocket's upgrade.
    #[must_use]
    pub const fn engine(&self) -> &SessionEngine {
        &self.engine
    }
}

impl From<SessionEngine> for SessionLayer {
    fn from(engine: SessionEngine) -> Self {
        Self { engine }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, self.engine.clone())
    }
}
