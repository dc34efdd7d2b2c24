//! The option `transformId`. connect-mongo needs only one direction, since it lists sessions without their ids.

use std::{fmt, sync::Arc};

type Forth = dyn Fn(&str) -> String + Send + Sync;
type Back = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Maps a session id to the `_id` of a document: the option `transformId` of connect-mongo.
///
/// ```
/// use cloakroom_mongodb::{MongoOptions, TransformId};
///
/// let mut options = MongoOptions::default();
/// options.transform_id = Some(
///     TransformId::new(|sid| format!("app:{sid}"))
///         .with_inverse(|id| id.strip_prefix("app:").map(str::to_owned)),
/// );
/// ```
#[derive(Clone)]
pub struct TransformId {
    forth: Arc<Forth>,
    back: Option<Arc<Back>>,
}

impl TransformId {
    /// Maps a session id to an `_id` with `forth`, which must not map two ids to the same `_id`.
    ///
    /// Without an [inverse](Self::with_inverse), sessions cannot be listed.
    #[must_use]
    pub fn new(forth: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self { forth: Arc::new(forth), back: None }
    }

    /// The same mapping with an inverse, which listings use: it returns the id for an `_id`, or `None` if the `_id`
    /// does not belong to a session.
    #[must_use]
    pub fn with_inverse(
        mut self,
        back: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.back = Some(Arc::new(back));
        self
    }

    pub(crate) fn forth(&self, sid: &str) -> String {
        (self.forth)(sid)
    }

    pub(crate) fn back(&self) -> Option<&Back> {
        self.back.as_deref()
    }
}

impl fmt::Debug for TransformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformId").finish_non_exhaustive()
    }
}
