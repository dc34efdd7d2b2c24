//! `destroy_where`: which sessions are gone afterwards, and what is said when some are not.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use cloakroom_compat::{ExpressSession, ExpressSessionOptions};
use cloakroom_core::{
    Atomic, Clock, Enumerate, Error, ErrorKind, FindBy, Listed, MemoryStore, SessionData, Store,
    Touched, marker_name,
};
use cloakroom_test_backends::{Calls, Instead};
use futures::{
    executor::block_on,
    stream::{self, BoxStream, StreamExt},
};

fn of(user: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert("user", user).unwrap();
    session
}

fn is_of(user: &str) -> impl Fn(&str, &SessionData) -> bool + Copy + Send {
    move |_, session| session.get::<String>("user").unwrap().as_deref() == Some(user)
}

async fn filled() -> (MemoryStore, ExpressSession) {
    let store = MemoryStore::new();
    for number in 0..30 {
        let user = if number % 3 == 0 { "ann" } else { "bob" };
        store.set(&format!("id{number}"), &of(user)).await.unwrap();
    }
    (store.clone(), ExpressSession::new(store))
}

#[tokio::test]
async fn those_that_are_picked_are_gone_and_the_others_stay() {
    let (store, sessions) = filled().await;
    store.set(&marker_name("id0"), &of("ann")).await.unwrap();
    assert_eq!(sessions.destroy_where(is_of("ann")).await.unwrap(), 10);
    assert_eq!(sessions.length().await.unwrap(), 20);
    assert!(store.get("id1").await.unwrap().is_some());
    assert!(store.get("id3").await.unwrap().is_none());
    assert!(store.get(&marker_name("id0")).await.unwrap().is_some(), "markers stay");
    assert_eq!(sessions.destroy_where(is_of("ann")).await.unwrap(), 0);
    assert_eq!(sessions.destroy_where(|sid, _| sid == "id1").await.unwrap(), 1);
}

/// Express gives a session another life that it writes back after its end.
#[tokio::test]
async fn a_session_that_the_store_has_beyond_its_end_is_destroyed_too() {
    let store = MemoryStore::new();
    let mut session = of("ann");
    let ends_at = Clock::system().now_ms() + 3_600_000;
    session.set_ends_at_ms(Some(ends_at)).unwrap();
    store.set("id", &session).await.unwrap();
    let options = ExpressSessionOptions::default().with_clock(Clock::fixed(ends_at + 1));
    let sessions = ExpressSession::with_options(store.clone(), options);
    assert!(sessions.get("id").await.unwrap().is_none());
    assert!(store.get("id").await.unwrap().is_some());
    assert_eq!(sessions.destroy_where(is_of("ann")).await.unwrap(), 1);
    assert!(store.get("id").await.unwrap().is_none());
}

/// The predicate is asked as soon as a session is listed, so it stands for another request here.
#[tokio::test]
async fn a_session_is_judged_by_what_it_is_when_it_is_destroyed() {
    for becomes in ["somebody else's", "gone", "another id's"] {
        let store = MemoryStore::new();
        let sessions = ExpressSession::new(store.clone());
        store.set("id", &of("ann")).await.unwrap();
        let mut is_first = true;
        let ended = sessions
            .destroy_where(|sid, session| {
                if std::mem::take(&mut is_first) {
                    block_on(async {
                        match becomes {
                            "gone" => store.destroy(sid).await.unwrap(),
                            "somebody else's" => store.set(sid, &of("bob")).await.unwrap(),
                            _ => {
                                store.set("new", session).await.unwrap();
                                store.destroy(sid).await.unwrap();
                            }
                        }
                    });
                    return true;
                }
                is_of("ann")(sid, session)
            })
            .await
            .unwrap();
        // A session that has moved may be listed by this call, under its new id; a later call finds it otherwise.
        let moved = u64::from(becomes == "another id's");
        let later = sessions.destroy_where(is_of("ann")).await.unwrap();
        assert!(ended <= moved, "{becomes}: {ended}");
        assert_eq!(ended + later, moved, "{becomes}");
    }
}

/// A store that answers `get` from an old copy, as one with memory in front of it may.
struct Stale(MemoryStore);

#[async_trait]
impl Calls for Stale {
    fn behind(&self) -> &dyn Store {
        &self.0
    }
    async fn get(&self, _sid: &str) -> Result<Option<SessionData>, Error> {
        Ok(None)
    }
}

#[tokio::test]
async fn a_session_is_judged_by_its_listed_record_and_not_read_again() {
    let store = MemoryStore::new();
    store.set("id", &of("ann")).await.unwrap();
    let sessions = ExpressSession::new(Instead(Stale(store.clone())));
    assert_eq!(sessions.destroy_where(is_of("ann")).await.unwrap(), 1);
    assert!(store.get("id").await.unwrap().is_none());
}

/// A store without conditional writes, in which somebody else logs in before each read.
struct Changing(MemoryStore);

#[async_trait]
impl Store for Changing {
    fn name(&self) -> &str {
        "changing"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.set(sid, &of("bob")).await?;
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.0.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.0.enumerate()
    }
}

#[tokio::test]
async fn without_conditional_writes_a_session_is_read_again_before_it_is_destroyed() {
    let store = MemoryStore::new();
    store.set("id", &of("ann")).await.unwrap();
    let sessions = ExpressSession::new(Changing(store.clone()));
    assert_eq!(sessions.destroy_where(is_of("ann")).await.unwrap(), 0);
    assert!(store.get("id").await.unwrap().is_some());
    assert_eq!(sessions.destroy_where(is_of("bob")).await.unwrap(), 1);
}

/// A store whose listing is what it is told, and which fails after so many destroyed sessions.
#[derive(Clone)]
struct Listing {
    memory: MemoryStore,
    /// How many sessions are listed. Each is made when it is asked for.
    count: usize,
    /// The place of a record that cannot be read.
    unread: Option<usize>,
    /// Why not.
    why: ErrorKind,
    destroyed: Arc<AtomicUsize>,
    fails_after: Option<usize>,
    /// Whether that failure says that nothing was destroyed.
    is_refused: bool,
}

impl Listing {
    fn of(count: usize) -> Self {
        let (memory, destroyed) = (MemoryStore::new(), Arc::default());
        let why = ErrorKind::Corrupt;
        Self { memory, count, unread: None, why, destroyed, fails_after: None, is_refused: false }
    }
}

#[async_trait]
impl Store for Listing {
    fn name(&self) -> &str {
        "listing"
    }
    async fn get(&self, _sid: &str) -> Result<Option<SessionData>, Error> {
        Ok(Some(of("ann")))
    }
    async fn set(&self, _sid: &str, _session: &SessionData) -> Result<(), Error> {
        Ok(())
    }
    async fn destroy(&self, _sid: &str) -> Result<(), Error> {
        if Some(self.destroyed.load(SeqCst)) == self.fails_after {
            let error = Error::new(ErrorKind::Unavailable, "listing", "destroy", "as told");
            return Err(if self.is_refused { error } else { error.with_outcome_unknown() });
        }
        self.destroyed.fetch_add(1, SeqCst);
        Ok(())
    }
    async fn touch(&self, _sid: &str, _session: &SessionData) -> Result<Touched, Error> {
        Ok(Touched::NotOffered)
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        (self.count > 0).then_some(self)
    }
}

#[async_trait]
impl Enumerate for Listing {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.memory.enumerate().unwrap().ids()
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        let item = |number| match Some(number) == self.unread {
            true => Err(Error::new(self.why, "listing", "all", "not JSON")),
            false => Ok(Listed::new(format!("id{number}"), of("ann"), None)),
        };
        stream::iter(0..self.count).map(item).boxed()
    }
    async fn length(&self) -> Result<u64, Error> {
        Ok(self.count as u64)
    }
    async fn clear(&self) -> Result<(), Error> {
        Ok(())
    }
    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_no_other_and_is_told_at_the_end() {
    for why in [ErrorKind::Corrupt, ErrorKind::TooLarge] {
        let mut store = Listing::of(5);
        (store.unread, store.why) = (Some(1), why);
        let sessions = ExpressSession::new(store.clone());
        let error = sessions.destroy_where(is_of("ann")).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (why, "destroy_where"));
        let told = "destroyed: 4, records that cannot be read: 1";
        assert!(error.to_string().ends_with(told), "{error}");
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("not JSON"));
        assert_eq!(store.destroyed.load(SeqCst), 4);
    }
}

#[tokio::test]
async fn an_error_after_destroyed_sessions_may_have_happened() {
    for (fails_after, is_unknown) in [(0, false), (3, true)] {
        let mut store = Listing::of(5);
        (store.fails_after, store.is_refused) = (Some(fails_after), true);
        let error = ExpressSession::new(store).destroy_where(is_of("ann")).await.unwrap_err();
        assert_eq!(error.outcome_unknown(), is_unknown, "{error}");
    }
}

#[tokio::test]
async fn an_error_half_way_says_how_many_were_destroyed() {
    let mut store = Listing::of(5);
    store.fails_after = Some(3);
    let error = ExpressSession::new(store).destroy_where(is_of("ann")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Unavailable, true));
    assert!(error.to_string().ends_with("sessions destroyed before that: 3"), "{error}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("as told"));
}

#[tokio::test]
async fn a_store_that_does_not_list_destroys_nothing() {
    let store = Listing::of(0);
    let error = ExpressSession::new(store.clone()).destroy_where(|_, _| true).await.unwrap_err();
    assert_eq!((error.kind(), error.store()), (ErrorKind::Unsupported, "listing"));
    assert_eq!(store.destroyed.load(SeqCst), 0);
}

#[test]
fn memory_does_not_grow_with_the_store() {
    let peak = |count| {
        let sessions = ExpressSession::new(Listing::of(count));
        let used = allocation_counter::measure(|| {
            assert_eq!(block_on(sessions.destroy_where(is_of("ann"))).unwrap(), count as u64);
        });
        used.bytes_max
    };
    let few = peak(10);
    // The longer ids are a few bytes more.
    assert!(peak(10_000) < few + 64, "{few}");
}
