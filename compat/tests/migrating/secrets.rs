//! Two handles on one place, with different secrets: neither can read what the other has written.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_compat::Migrating;
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, MemoryStore, SessionData, Store, Touched, Updated,
};

/// A store with a secret, which every record contains instead of being encrypted.
#[derive(Clone)]
struct Sealed {
    place: MemoryStore,
    secret: &'static str,
}

impl Sealed {
    fn seal(&self, session: &SessionData) -> SessionData {
        let mut sealed = session.clone();
        sealed.insert("secret", self.secret).unwrap();
        sealed
    }

    fn unseal(&self, mut sealed: SessionData) -> Result<SessionData, Error> {
        if sealed.get::<String>("secret")?.as_deref() != Some(self.secret) {
            let message = "encrypted with another secret";
            return Err(Error::new(ErrorKind::Corrupt, "sealed", "get", message));
        }
        sealed.remove("secret");
        let session = SessionData::from_json(sealed.to_json())?;
        Ok(session.with_revision(sealed.revision().unwrap().clone()))
    }

    fn atomic_of(&self) -> &dyn Atomic {
        self.place.atomic().unwrap()
    }
}

#[async_trait]
impl Store for Sealed {
    fn name(&self) -> &str {
        "sealed"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        // So that a call that never ends meets its limit.
        tokio::task::yield_now().await;
        self.place.get(sid).await?.map(|sealed| self.unseal(sealed)).transpose()
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.place.set(sid, &self.seal(session)).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.place.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.place.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[async_trait]
impl Atomic for Sealed {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.atomic_of().create(sid, &self.seal(session)).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        Ok(match self.atomic_of().update(sid, &self.seal(session)).await? {
            Updated::Conflict(current) => Updated::Conflict(self.unseal(current)?),
            other => other,
        })
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let found = self.atomic_of().get_and_touch(sid, ttl).await?;
        found.map(|sealed| self.unseal(sealed)).transpose()
    }
}

#[tokio::test]
async fn one_place_with_two_secrets_is_a_config_error_and_harms_no_session() {
    for is_by_new in [true, false] {
        let place = MemoryStore::new();
        let [old, new] = ["old", "new"].map(|secret| Sealed { place: place.clone(), secret });
        let session = SessionData::new();
        (if is_by_new { &new } else { &old }).set("id", &session).await.unwrap();
        for handle in
            [Migrating::new(old.clone(), new.clone()), Migrating::before(old.clone(), new.clone())]
        {
            let calls = async {
                [
                    handle.check_distinct().await.unwrap_err(),
                    handle.set("id", &session).await.unwrap_err(),
                    handle.set("other", &session).await.unwrap_err(),
                    handle.atomic().unwrap().create("other", &session).await.unwrap_err(),
                ]
            };
            let errors = tokio::time::timeout(Duration::from_secs(10), calls).await.unwrap();
            for error in errors {
                assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Config, false));
            }
        }
        assert!(place.get("id").await.unwrap().is_some());
        assert_eq!(place.length().await.unwrap(), 1);
    }
}
