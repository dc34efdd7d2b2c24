//! Answers from a thread of its own, which owns the sessions: it has Connect's three required methods and no more.

use std::{collections::HashMap, sync::mpsc, thread};

use cloakroom_compat::{Callback, CallbackAtomic, CallbackEnumerate, CallbackStore};
use cloakroom_core::{SessionData, Touched};

use super::{Gate, expires_ms, now_ms};

pub(crate) struct ThreadedStore(mpsc::Sender<Request>);

enum Request {
    Get(String, Callback<Option<SessionData>>),
    Set(String, SessionData, Callback<()>),
    Destroy(String, Callback<()>),
}

impl ThreadedStore {
    pub(crate) fn new(gate: Gate) -> Self {
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            let mut sessions: HashMap<String, (String, i64)> = HashMap::new();
            for request in requests {
                gate.wait();
                sessions.retain(|_, (_, expires)| *expires > now_ms());
                match request {
                    Request::Get(sid, callback) => {
                        let text = sessions.get(&sid).map(|(text, _)| text.as_str());
                        callback.answer(text.map(SessionData::from_json).transpose());
                    }
                    Request::Set(sid, session, callback) => {
                        match expires_ms(&session) {
                            Some(expires) => {
                                sessions.insert(sid, (session.to_json().into_owned(), expires))
                            }
                            None => sessions.remove(&sid),
                        };
                        callback.ok(());
                    }
                    Request::Destroy(sid, callback) => {
                        sessions.remove(&sid);
                        callback.ok(());
                    }
                }
            }
        });
        Self(sender)
    }

    /// A thread that has gone drops the request, and the callback with it.
    fn send(&self, request: Request) {
        drop(self.0.send(request));
    }
}

impl CallbackStore for ThreadedStore {
    fn name(&self) -> &str {
        "threaded"
    }

    fn get(&self, sid: &str, callback: Callback<Option<SessionData>>) {
        self.send(Request::Get(sid.to_owned(), callback));
    }

    fn set(&self, sid: &str, session: &SessionData, callback: Callback<()>) {
        self.send(Request::Set(sid.to_owned(), session.clone(), callback));
    }

    fn destroy(&self, sid: &str, callback: Callback<()>) {
        self.send(Request::Destroy(sid.to_owned(), callback));
    }

    fn touch(&self, _sid: &str, _session: &SessionData, callback: Callback<Touched>) {
        callback.ok(Touched::NotOffered);
    }

    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        None
    }
}
