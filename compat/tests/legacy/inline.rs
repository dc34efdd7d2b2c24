//! Answers before it returns: a map behind a lock, as express-session's own `MemoryStore` is.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use cloakroom_compat::{Callback, CallbackAtomic, CallbackEnumerate, CallbackStore};
use cloakroom_core::{Listed, SessionData, Touched};

use super::{expires_ms, now_ms};

#[derive(Default)]
pub(crate) struct InlineStore(Mutex<HashMap<String, (String, i64)>>);

impl InlineStore {
    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, i64)>> {
        let mut sessions = self.0.lock().unwrap();
        sessions.retain(|_, (_, expires)| *expires > now_ms());
        sessions
    }
}

impl CallbackStore for InlineStore {
    fn name(&self) -> &str {
        "inline"
    }

    fn get(&self, sid: &str, callback: Callback<Option<SessionData>>) {
        let text = self.live().get(sid).map(|(text, _)| text.clone());
        callback.answer(text.map(SessionData::from_json).transpose());
    }

    fn set(&self, sid: &str, session: &SessionData, callback: Callback<()>) {
        match expires_ms(session) {
            Some(expires) => {
                self.live().insert(sid.to_owned(), (session.to_json().into_owned(), expires))
            }
            None => self.live().remove(sid),
        };
        callback.ok(());
    }

    fn destroy(&self, sid: &str, callback: Callback<()>) {
        self.live().remove(sid);
        callback.ok(());
    }

    fn touch(&self, sid: &str, session: &SessionData, callback: Callback<Touched>) {
        let mut sessions = self.live();
        let touched = match (sessions.get_mut(sid), expires_ms(session)) {
            (Some((_, expires)), Some(later)) => {
                *expires = later;
                Touched::Extended
            }
            (Some(_), None) => {
                sessions.remove(sid);
                Touched::Missing
            }
            (None, _) => Touched::Missing,
        };
        drop(sessions);
        callback.ok(touched);
    }

    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        Some(self)
    }
}

impl CallbackEnumerate for InlineStore {
    fn all(&self, callback: Callback<Vec<Listed>>) {
        let sessions = self
            .live()
            .iter()
            .map(|(sid, (text, expires))| {
                let left_ms = u64::try_from(expires - now_ms()).unwrap_or_default();
                let session = SessionData::from_json(text.as_str())?;
                Ok(Listed::new(sid, session, Duration::from_millis(left_ms)))
            })
            .collect();
        callback.answer(sessions);
    }

    fn length(&self, callback: Callback<u64>) {
        callback.ok(self.live().len() as u64);
    }

    fn clear(&self, callback: Callback<()>) {
        self.live().clear();
        callback.ok(());
    }
}
