//! The spans and counts of a store's operations.

use std::{future::pending, pin::pin, sync::Arc};

use async_trait::async_trait;
use cloakroom::{
    Atomic, Enumerate, Error, ErrorKind, ExpressSession, Listed, MemoryStore, SessionData, Store,
    Touched,
    observe::observed,
    tower::{Session, SessionOptions},
};
use cloakroom_backend::observe::server;
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    stream::{BoxStream, iter},
};
use tracing::{
    Subscriber,
    span::{Id, Record},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry::Registry,
};

use crate::{collector::watch, sessions::Site};

/// A store that never answers.
struct Silent;

#[async_trait]
impl Store for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    async fn get(&self, _: &str) -> Result<Option<SessionData>, Error> {
        pending().await
    }

    async fn set(&self, _: &str, _: &SessionData) -> Result<(), Error> {
        panic!("the store fails")
    }

    async fn destroy(&self, _: &str) -> Result<(), Error> {
        pending().await
    }

    async fn touch(&self, _: &str, _: &SessionData) -> Result<Touched, Error> {
        pending().await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

fn session() -> SessionData {
    let mut session = SessionData::new();
    session.insert("card", "marker-value").unwrap();
    session
}

#[test]
fn each_operation_has_a_span_with_its_outcome() {
    let shown = watch(async || {
        let store = observed(MemoryStore::new());
        let atomic = store.atomic().unwrap();
        let listing = store.enumerate().unwrap();
        let id = "marker-id";
        assert_eq!(store.get(id).await.unwrap(), None);
        atomic.create(id, &session()).await.unwrap();
        atomic.create(id, &session()).await.unwrap();
        let mine = store.get(id).await.unwrap().unwrap();
        store.set(id, &session()).await.unwrap();
        atomic.update(id, &mine).await.unwrap();
        store.touch(id, &session()).await.unwrap();
        atomic.get_and_touch(id, None).await.unwrap();
        listing.ids().try_for_each(async |_| Ok(())).await.unwrap();
        listing.all().try_for_each(async |_| Ok(())).await.unwrap();
        listing.length().await.unwrap();
        store.destroy(id).await.unwrap();
        store.touch(id, &session()).await.unwrap();
        atomic.update(id, &mine).await.unwrap();
        listing.clear().await.unwrap();
    });
    let expected = [
        "get missing 1",
        "create ok 1",
        "create exists 1",
        "get ok 1",
        "set ok 1",
        "update conflict 1",
        "touch ok 1",
        "get_and_touch ok 1",
        "ids ok 1",
        "all ok 1",
        "length ok 1",
        "destroy ok 1",
        "touch missing 1",
        "update missing 1",
        "clear ok 1",
    ];
    assert_eq!(shown.operations(), expected);
    assert_eq!(shown.open, 0, "every span is closed");
    let hashes: Vec<_> = shown.spans.iter().map(|span| span.field("session.hash")).collect();
    assert!(hashes[0].len() == 12 && hashes[..8].iter().all(|hash| *hash == hashes[0]));
    assert_eq!(hashes[8], "", "a listing is of no session");
    for span in &shown.spans {
        assert_eq!(span.field("db.system.name"), "memory");
        assert_eq!((span.field("otel.kind"), span.field("otel.status_code")), ("client", ""));
        assert!(span.field("duration").parse::<f64>().unwrap() < 600.0);
    }
    assert_eq!(shown.event("cloakroom.conflict").len(), 1);
    assert_eq!(shown.count("cloakroom_conflicts_total", &[("operation", "update")]), 1);
    for (name, count) in [("get", 2), ("create", 2), ("update", 2), ("ids", 1)] {
        let labels = [("store", "memory"), ("operation", name)];
        assert_eq!(shown.count("cloakroom_store_operations_total", &labels), count, "{name}");
        let seconds = shown.count("cloakroom_store_operation_duration_seconds", &labels);
        assert_eq!(seconds, count, "{name}");
    }
    shown.assert_without(&["marker"]);
}

#[test]
fn an_error_is_in_the_span_by_its_kind() {
    let shown = watch(async || {
        let sessions = ExpressSession::new(MemoryStore::new());
        sessions.get("").await.unwrap_err();
    });
    assert_eq!(shown.operations(), ["get invalid_id 1"]);
    assert_eq!(shown.verbs(), ["handle get invalid_id"]);
    for span in &shown.spans {
        let (kind, status) = (span.field("error.type"), span.field("otel.status_code"));
        assert_eq!((kind, status), ("invalid_id", "ERROR"));
    }
}

#[test]
fn a_dropped_operation_closes_its_span() {
    let shown = watch(async || {
        let sessions = ExpressSession::new(Silent);
        assert!(sessions.get("marker-id").now_or_never().is_none());
        // Nobody has polled this one, so nothing has begun.
        drop(sessions.get("marker-id"));
    });
    assert_eq!((shown.operations(), shown.open), (vec!["get dropped 1".to_owned()], 0));
    assert_eq!(shown.verbs(), ["handle get dropped"]);
    assert_eq!(shown.count("cloakroom_store_operations_total", &[("outcome", "dropped")]), 1);
}

#[test]
fn a_listing_that_is_dropped_half_way_closes_its_span() {
    let shown = watch(async || {
        let store = observed(MemoryStore::new());
        for id in ["a", "b"] {
            store.set(id, &session()).await.unwrap();
        }
        let mut ids = store.enumerate().unwrap().ids();
        assert!(ids.try_next().await.unwrap().is_some());
    });
    assert_eq!(shown.operations(), ["set ok 1", "set ok 1", "ids dropped 1"]);
}

/// A store on a server whose listings are these items.
struct Listing(&'static [Option<&'static str>]);

#[async_trait]
impl Store for Listing {
    fn name(&self) -> &str {
        "listing"
    }

    async fn get(&self, _: &str) -> Result<Option<SessionData>, Error> {
        server("127.0.0.1", Some(1));
        Ok(None)
    }

    async fn set(&self, _: &str, _: &SessionData) -> Result<(), Error> {
        Ok(())
    }

    async fn destroy(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn touch(&self, _: &str, _: &SessionData) -> Result<Touched, Error> {
        Ok(Touched::Missing)
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

#[async_trait]
impl Enumerate for Listing {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        let failed = || Error::new(ErrorKind::Unavailable, "listing", "ids", "no answer");
        iter(self.0).map(move |id| id.map(str::to_owned).ok_or_else(failed)).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.ids().map_ok(|id| Listed::new(id, SessionData::new(), None)).boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        Ok(self.0.len() as u64)
    }

    async fn clear(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A subscriber that asks for a session itself when a span is told its server.
struct Asking;

impl<S: Subscriber> Layer<S> for Asking {
    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if format!("{values:?}").contains("server.address") {
            let store = observed(MemoryStore::new());
            assert_eq!(store.get("id").now_or_never().unwrap().unwrap(), None);
        }
    }
}

#[test]
fn a_subscriber_can_ask_a_store() {
    let store = observed(Listing(&[]));
    let subscriber = Registry::default().with(Asking);
    let found = tracing::subscriber::with_default(subscriber, || store.get("id").now_or_never());
    assert_eq!(found.unwrap().unwrap(), None);
}

#[test]
fn a_listing_that_fails_has_the_kind_of_its_error() {
    let shown = watch(async || {
        // The error ends the first listing, as `?` does. The caller of the second one goes on after it, and gives up
        // later.
        let store = observed(Listing(&[Some("a"), None, Some("b")]));
        let mut ids = store.enumerate().unwrap().ids();
        ids.try_next().await.unwrap();
        ids.try_next().await.unwrap_err();
        drop(ids);
        let mut all = store.enumerate().unwrap().all();
        all.try_next().await.unwrap();
        all.try_next().await.unwrap_err();
        all.try_next().await.unwrap();
        drop(all);
        let all: Vec<_> = store.enumerate().unwrap().all().collect().await;
        assert_eq!(all.len(), 3);
    });
    assert_eq!(shown.operations(), ["ids unavailable 1", "all dropped 1", "all unavailable 1"]);
}

#[test]
fn after_a_panic_the_next_operation_is_observed_as_any_other() {
    let shown = watch(async || {
        let store = observed(Silent);
        let session = session();
        let set = std::panic::AssertUnwindSafe(store.set("id", &session)).catch_unwind();
        assert!(set.await.is_err());
        let mut get = pin!(store.get("id"));
        assert!(get.as_mut().now_or_never().is_none());
    });
    assert_eq!(shown.operations(), ["set dropped 1", "get dropped 1"]);
}

#[test]
fn what_passes_through_several_observed_stores_counts_once() {
    let shown = watch(async || {
        let handle = ExpressSession::new(observed(MemoryStore::new()));
        let site = Site::on(Arc::new(handle), SessionOptions::new());
        let cookie = site.send("", async |session: &Session| session.insert("a", 1)).await.unwrap();
        site.send(&cookie, async |session: &Session| session.destroy().await).await;
    });
    let stored = [("store", "memory"), ("operation", "create"), ("outcome", "ok")];
    // The session, and the marker of its logout.
    assert_eq!(shown.count("cloakroom_store_operations_total", &stored), 2);
    assert_eq!(shown.count("cloakroom_sessions_created_total", &[]), 1);
    assert_eq!(shown.count("cloakroom_sessions_destroyed_total", &[]), 1);
    let layers = shown.verbs().iter().filter(|verb| verb.starts_with("layer")).count();
    assert!(layers >= 3, "load, commit and destroy: {:?}", shown.verbs());
}
