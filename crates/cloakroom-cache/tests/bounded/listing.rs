//! Listings come from the store, and what they return is not answered from older memory.

use async_trait::async_trait;
use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_compat::ExpressSession;
use cloakroom_core::{
    Atomic, Enumerate, Error, FindBy, Listed, MemoryStore, SessionData, Store, Touched,
};
use cloakroom_test_backends::{Calls, Instead};
use futures::{
    executor::block_on,
    stream::{BoxStream, TryStreamExt},
};

use crate::{HOUR, text};

fn session(text: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert("text", text).unwrap();
    session
}

/// A store in memory with an index, which lists all sessions for every value.
struct Indexed(MemoryStore);

#[async_trait]
impl Calls for Indexed {
    fn behind(&self) -> &dyn Store {
        &self.0
    }
    fn find_by(&self) -> Option<&dyn FindBy> {
        Some(self)
    }
}

#[async_trait]
impl FindBy for Indexed {
    async fn create_index(&self, _path: &str) -> Result<(), Error> {
        Ok(())
    }
    async fn find<'s>(
        &'s self,
        path: &str,
        _value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        Ok((path == "indexed").then(|| self.0.all()))
    }
    async fn find_known<'s>(
        &'s self,
        path: &str,
        _value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        Ok((path == "known").then(|| self.0.all()))
    }
}

async fn ids(listed: impl TryStreamExt<Ok = Listed, Error = Error>) -> Vec<String> {
    listed.map_ok(|listed| listed.id).try_collect().await.unwrap()
}

#[test]
fn what_a_listing_returns_is_not_answered_from_older_memory() {
    for way in ["ids", "all", "find", "find_known"] {
        let far = MemoryStore::new();
        let options = CacheOptions::default().with_max_stale(HOUR);
        let cached = Cached::new(Instead(Indexed(far.clone())), options);
        block_on(async {
            far.set("old", &session("old")).await.unwrap();
            assert_eq!(text(cached.get("old").await.unwrap()).unwrap(), "old");
            assert_eq!(cached.get("new").await.unwrap(), None);
            for sid in ["old", "new"] {
                far.set(sid, &session("changed")).await.unwrap();
            }
            let find_by = cached.find_by().unwrap();
            find_by.create_index("indexed").await.unwrap();
            let mut listed = match way {
                "ids" => cached.ids().try_collect().await.unwrap(),
                "all" => ids(cached.all()).await,
                "find" => ids(find_by.find("indexed", "1").await.unwrap().unwrap()).await,
                _ => ids(find_by.find_known("known", "1").await.unwrap().unwrap()).await,
            };
            listed.sort();
            assert_eq!(listed, ["new", "old"], "{way}");
            for sid in ["old", "new"] {
                assert_eq!(text(cached.get(sid).await.unwrap()).unwrap(), "changed", "{way} {sid}");
            }
        });
    }
}

/// A store without conditional writes.
pub(crate) struct Plain(pub(crate) MemoryStore);

#[async_trait]
impl Store for Plain {
    fn name(&self) -> &str {
        "plain"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
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
async fn a_user_who_has_signed_in_elsewhere_is_signed_out_through_the_cache() {
    for is_atomic in [true, false] {
        let far = MemoryStore::new();
        let options = CacheOptions::default().with_max_stale(HOUR);
        let here = ExpressSession::new(if is_atomic {
            Cached::new(far.clone(), options)
        } else {
            Cached::new(Plain(far.clone()), options)
        });
        far.set("a", &session("anonymous")).await.unwrap();
        assert!(here.get("a").await.unwrap().is_some());
        let elsewhere = ExpressSession::new(far.clone());
        let signs_in = |session: &mut SessionData| session.insert_json("passport", r#"{"user":7}"#);
        elsewhere.modify("a", signs_in).await.unwrap();
        assert_eq!(here.end_all(7, None).await.unwrap(), 1, "atomic: {is_atomic}");
        assert_eq!(far.get("a").await.unwrap(), None);
    }
}
