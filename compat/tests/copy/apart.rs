//! Two stores in one place, of which the first has a prefix with which that of the other begins.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_compat::{CopyOptions, Migrating, copy};
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, Listed, MemoryStore, SessionData, Store, Touched,
    Updated,
};
use cloakroom_test_backends::{Calls, Instead};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};

#[derive(Clone)]
struct Prefixed {
    place: MemoryStore,
    prefix: &'static str,
}

impl Prefixed {
    fn key(&self, sid: &str) -> String {
        [self.prefix, sid].concat()
    }

    fn atomic_of(&self) -> &dyn Atomic {
        self.place.atomic().unwrap()
    }
}

#[async_trait]
impl Store for Prefixed {
    fn name(&self) -> &str {
        "prefixed"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.place.get(&self.key(sid)).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.place.set(&self.key(sid), session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.place.destroy(&self.key(sid)).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.place.touch(&self.key(sid), session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

#[async_trait]
impl Atomic for Prefixed {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.atomic_of().create(&self.key(sid), session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.atomic_of().update(&self.key(sid), session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.atomic_of().get_and_touch(&self.key(sid), ttl).await
    }
}

#[async_trait]
impl Enumerate for Prefixed {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.all().map_ok(|listed| listed.id).boxed()
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        let ours = move |mut listed: Listed| async move {
            let sid = listed.id.strip_prefix(self.prefix).map(str::to_owned);
            Ok(sid.map(|sid| {
                listed.id = sid;
                listed
            }))
        };
        self.place.all().try_filter_map(ours).boxed()
    }
    async fn length(&self) -> Result<u64, Error> {
        Err(Error::new(ErrorKind::Unsupported, "prefixed", "length", "not needed"))
    }
    async fn clear(&self) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Unsupported, "prefixed", "clear", "not needed"))
    }
}

#[tokio::test]
async fn a_store_that_lists_the_sessions_of_the_other_one_is_refused() {
    for (from, to, is_refused) in
        [("sess:", "sess:new:", true), ("", "sess:", true), ("sess:new:", "sess:", false)]
    {
        let place = MemoryStore::new();
        let [from, to] = [from, to].map(|prefix| Prefixed { place: place.clone(), prefix });
        from.set("id", &SessionData::new()).await.unwrap();
        let copied = copy(&from, &to, &CopyOptions::default(), |_| ()).await;
        let checked = Migrating::new(from.clone(), to.clone()).check_apart().await;
        if is_refused {
            for error in [copied.unwrap_err(), checked.unwrap_err()] {
                assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Config, false));
            }
            assert_eq!(place.length().await.unwrap(), 1, "nothing is left of the check");
        } else {
            assert_eq!(copied.unwrap().copied, 1);
            checked.unwrap();
            assert!(to.get("id").await.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn a_store_may_be_copied_to_itself() {
    let place = MemoryStore::new();
    place.set("id", &SessionData::new()).await.unwrap();
    let copied = copy(&place, &place, &CopyOptions::default(), |_| ()).await.unwrap();
    assert_eq!((copied.skipped, copied.total()), (1, 1));
}

/// A store whose ids have 32 characters, by a `CHECK` of its table or by a rule of its collection.
struct Ruled(MemoryStore, ErrorKind);

#[async_trait]
impl Calls for Ruled {
    fn behind(&self) -> &dyn Store {
        &self.0
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        if sid.len() != 32 {
            return Err(Error::new(self.1, "ruled", "set", "refused"));
        }
        self.0.set(sid, session).await
    }
}

#[tokio::test]
async fn a_store_that_refuses_the_record_of_the_check_takes_a_copy() {
    for kind in
        [ErrorKind::InvalidId, ErrorKind::InvalidData, ErrorKind::TooLarge, ErrorKind::Other]
    {
        let (from, to) = (MemoryStore::new(), Instead(Ruled(MemoryStore::new(), kind)));
        from.set(&"a".repeat(32), &SessionData::new()).await.unwrap();
        let copied = copy(&from, &to, &CopyOptions::default(), |_| ()).await;
        assert_eq!(copied.unwrap().copied, 1, "{kind:?}");
    }
    let (from, to) =
        (MemoryStore::new(), Instead(Ruled(MemoryStore::new(), ErrorKind::Unavailable)));
    let error = copy(&from, &to, &CopyOptions::default(), |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
