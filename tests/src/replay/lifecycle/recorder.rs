//! A store that records its calls, in one list with the other events.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cloakroom_core::{Atomic, Enumerate, Error, ErrorKind, SessionData, Store, Touched};

use crate::json::Json;

/// The events in order. Clones share the list.
#[derive(Clone, Debug, Default)]
pub(super) struct Events(Arc<Mutex<Vec<Json>>>);

impl Events {
    pub(super) fn add(&self, event: Json) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    pub(super) fn take(&self) -> Vec<Json> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The answer of the store to `get`.
#[derive(Clone, Debug)]
pub(super) enum Holds {
    /// This record for any id.
    Record(String),
    Nothing,
    /// An error.
    Error,
}

/// A store with one record that fails on request.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    pub(super) events: Events,
    pub(super) sid: String,
    pub(super) holds: Holds,
    pub(super) has_touch: bool,
    /// The operation that fails, and the text of its error.
    pub(super) fails: Option<(String, String)>,
}

impl Recorder {
    /// Records the call and, unless it fails, its completion.
    fn call(&self, operation: &'static str, arguments: &[&str]) -> Result<(), Error> {
        let call = [operation].iter().chain(arguments).map(|text| Json::from(*text)).collect();
        self.events.add(Json::Array(call));
        if let Some((_, text)) = self.fails.as_ref().filter(|(failing, _)| failing == operation) {
            return Err(Error::new(ErrorKind::Other, "recorder", operation, text.clone()));
        }
        let done = format!("{operation}.done");
        self.events.add(Json::Array([&*done, arguments[0]].map(Json::from).into()));
        Ok(())
    }
}

#[async_trait]
impl Store for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.events.add(Json::Array(["get", sid].map(Json::from).into()));
        match &self.holds {
            Holds::Record(text) if sid == self.sid => SessionData::from_json(&**text).map(Some),
            Holds::Record(_) | Holds::Nothing => Ok(None),
            Holds::Error => Err(Error::new(ErrorKind::Other, "recorder", "get", "boom")),
        }
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.call("set", &[sid, &session.to_json()])
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.call("destroy", &[sid])
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        if !self.has_touch {
            return Ok(Touched::NotOffered);
        }
        self.call("touch", &[sid, &session.to_json()]).map(|()| Touched::Extended)
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}
