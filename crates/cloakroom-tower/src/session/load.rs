//! How the session of a request is loaded, or made.

use std::sync::Arc;

use cloakroom_core::Error;

use super::{Inner, Session};
use crate::{SessionEngine, late_life::LateLife, rules::Asked};

impl Session {
    pub(crate) async fn load(engine: &SessionEngine, asked: &Asked) -> Result<Self, Error> {
        match Self::at_once(engine, asked)? {
            Some(session) => Ok(session),
            None => Self::loaded(engine, asked).await,
        }
    }

    /// Returns the session if it is a new one that nothing has to be asked for.
    pub(crate) fn at_once(engine: &SessionEngine, asked: &Asked) -> Result<Option<Self>, Error> {
        let new = asked.new_session()?;
        Ok(new.map(|new| Self::new(engine, LateLife::of_new(new))))
    }

    /// Loads the session, after [`at_once`](Self::at_once) has returned none.
    pub(crate) async fn loaded(engine: &SessionEngine, asked: &Asked) -> Result<Self, Error> {
        Ok(Self::new(engine, LateLife::Begun(asked.load().await?)))
    }

    fn new(engine: &SessionEngine, life: LateLife) -> Self {
        Self { inner: Arc::new(Inner { engine: engine.clone(), life }) }
    }
}
