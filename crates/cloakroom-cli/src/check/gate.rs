//! The stores of the suite: they note what has to be removed, and refuse calls from the moment when it is.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom::{
    Atomic, Created, Enumerate, Error, ErrorKind, Listed, SessionData, Store, Touched, Updated,
};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::{sync::watch, time::timeout};

/// Ids that are shorter are shorter than 250 characters with every prefix of the suite.
const LONG: usize = 100;

/// How long the removal waits for calls and connections to end. A call ends within the deadline of its store, and its
/// connection soon after.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// What the stores of one place share. A case runs on a thread of its own, which goes on when the suite is interrupted,
/// so each call asks here first.
#[derive(Clone, Default)]
pub(super) struct Gate {
    /// Each call that has begun holds a receiver.
    is_shut: watch::Sender<bool>,
    noted: Arc<Mutex<BTreeSet<Noted>>>,
}

/// The URL of a store that was used, and an id that was stored there, if it must be removed by itself.
type Noted = (String, Option<String>);

impl Gate {
    /// Refuses all further calls, waits until none is left, and returns what was noted.
    pub(super) async fn shut(&self) -> BTreeSet<Noted> {
        self.is_shut.send_replace(true);
        let _ = timeout(LONGEST, self.is_shut.closed()).await;
        std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a store notes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    /// Nothing: all that is stored has a name by which it is found.
    Nothing,
    /// Long ids, which Memcached stores as digests.
    LongIds,
    /// All ids.
    Ids,
    /// That it was used.
    Use,
}

/// A store of the suite.
pub(super) struct Gated<S> {
    pub(super) store: S,
    pub(super) url: String,
    /// Stands before each id. If it is not empty, nothing else keeps the suite's sessions apart from those of the
    /// application, so the store lists and clears nothing.
    pub(super) prefix: String,
    pub(super) notes: Notes,
    pub(super) gate: Gate,
}

impl<S: Store> Gated<S> {
    /// Lets a call begin. It has ended when the receiver is dropped.
    fn enter(&self, operation: &'static str) -> Result<watch::Receiver<bool>, Error> {
        let call = self.gate.is_shut.subscribe();
        let is_shut = *call.borrow();
        if is_shut {
            return Err(self.error(ErrorKind::Unavailable, operation, "the check has ended"));
        }
        if self.notes == Notes::Use {
            self.note(None);
        }
        Ok(call)
    }

    /// The id as the store gets it. The empty one stays empty, which every store must refuse.
    fn id<'a>(&self, sid: &'a str) -> Cow<'a, str> {
        if self.prefix.is_empty() || sid.is_empty() {
            return Cow::Borrowed(sid);
        }
        Cow::Owned(format!("{}{sid}", self.prefix))
    }

    /// Notes an id before it is stored.
    fn note_id(&self, sid: &str) {
        let is_noted = match self.notes {
            Notes::Ids => true,
            Notes::LongIds => sid.len() > LONG,
            Notes::Nothing | Notes::Use => false,
        };
        if is_noted {
            self.note(Some(sid.to_owned()));
        }
    }

    fn note(&self, sid: Option<String>) {
        let mut noted = self.gate.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert((self.url.clone(), sid));
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, message: &'static str) -> Error {
        Error::new(kind, self.store.name().to_owned(), operation, message)
    }

    fn offered_atomic(&self) -> Result<&dyn Atomic, Error> {
        self.store.atomic().ok_or_else(|| {
            let message = "the store does not support conditional writes";
            self.error(ErrorKind::Unsupported, "check", message)
        })
    }

    fn offered_enumerate(&self) -> Result<&dyn Enumerate, Error> {
        self.store.enumerate().ok_or_else(|| {
            let message = "the store does not list its sessions";
            self.error(ErrorKind::Unsupported, "check", message)
        })
    }

    /// A listing, which is a call until it is dropped.
    fn listing<'a, T: Send + 'a>(
        &'a self,
        operation: &'static str,
        list: impl FnOnce(&'a dyn Enumerate) -> BoxStream<'a, Result<T, Error>>,
    ) -> BoxStream<'a, Result<T, Error>> {
        let begun = self.enter(operation);
        match begun.and_then(|call| Ok((call, self.offered_enumerate()?))) {
            Ok((call, store)) => list(store)
                .map(move |item| {
                    let _ = &call;
                    item
                })
                .boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }
}

#[async_trait]
impl<S: Store> Store for Gated<S> {
    fn name(&self) -> &str {
        self.store.name()
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let _call = self.enter("get")?;
        self.store.get(&self.id(sid)).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let (_call, sid) = (self.enter("set")?, self.id(sid));
        self.note_id(&sid);
        self.store.set(&sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let _call = self.enter("destroy")?;
        self.store.destroy(&self.id(sid)).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let (_call, sid) = (self.enter("touch")?, self.id(sid));
        // The `touch` of some stores writes the session.
        self.note_id(&sid);
        self.store.touch(&sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        self.store.atomic().is_some().then_some(self as &dyn Atomic)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        let lists = self.prefix.is_empty() && self.store.enumerate().is_some();
        lists.then_some(self as &dyn Enumerate)
    }
}

#[async_trait]
impl<S: Store> Atomic for Gated<S> {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let (_call, sid) = (self.enter("create")?, self.id(sid));
        self.note_id(&sid);
        self.offered_atomic()?.create(&sid, session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let _call = self.enter("update")?;
        self.offered_atomic()?.update(&self.id(sid), session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let _call = self.enter("get_and_touch")?;
        self.offered_atomic()?.get_and_touch(&self.id(sid), ttl).await
    }
}

#[async_trait]
impl<S: Store> Enumerate for Gated<S> {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.listing("ids", |store| store.ids())
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.listing("all", |store| store.all())
    }
    async fn length(&self) -> Result<u64, Error> {
        let _call = self.enter("length")?;
        self.offered_enumerate()?.length().await
    }
    async fn clear(&self) -> Result<(), Error> {
        let _call = self.enter("clear")?;
        self.offered_enumerate()?.clear().await
    }
}

#[cfg(test)]
mod tests {
    use cloakroom::MemoryStore;
    use futures::FutureExt;

    use super::*;

    fn gated(prefix: &str, notes: Notes) -> Gated<MemoryStore> {
        let (store, gate) = (MemoryStore::new(), Gate::default());
        Gated { store, url: "a url".to_owned(), prefix: prefix.to_owned(), notes, gate }
    }

    #[tokio::test]
    async fn what_is_noted_is_told_once_nobody_can_add_to_it() {
        for (prefix, notes, told) in [
            ("", Notes::Nothing, &[][..]),
            ("", Notes::LongIds, &[Some("x".repeat(101))]),
            ("p:", Notes::Ids, &[Some("p:a".to_owned()), Some(format!("p:{}", "x".repeat(101)))]),
            ("", Notes::Use, &[None]),
        ] {
            let store = gated(prefix, notes);
            for sid in ["a", &"x".repeat(101)] {
                store.set(sid, &SessionData::new()).await.unwrap();
                assert!(store.get(sid).await.unwrap().is_some());
            }
            let noted = store.gate.shut().await;
            assert!(noted.iter().all(|(url, _)| url == "a url"));
            assert!(noted.iter().map(|(_, sid)| sid).eq(told), "{noted:?}");
            assert_eq!(store.get("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
            assert!(store.set("b", &SessionData::new()).await.is_err());
            assert!(store.gate.shut().await.is_empty());
        }
    }

    /// Nobody else's sessions are listed or removed where only the ids tell them apart.
    #[tokio::test]
    async fn a_store_with_a_prefix_lists_and_clears_nothing() {
        let store = gated("p:", Notes::Ids);
        assert!(store.enumerate().is_none());
        assert!(gated("", Notes::Nothing).enumerate().is_some());
        assert!(store.set("", &SessionData::new()).await.is_err());
    }

    #[tokio::test]
    async fn a_call_that_has_begun_is_waited_for() {
        let store = gated("", Notes::Nothing);
        store.set("a", &SessionData::new()).await.unwrap();
        let mut ids = store.ids();
        assert!(ids.next().await.is_some());
        let mut shut = std::pin::pin!(store.gate.shut());
        assert!(shut.as_mut().now_or_never().is_none());
        drop(ids);
        shut.await;
    }
}
