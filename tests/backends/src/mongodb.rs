//! MongoDB, by its driver.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, RawAccess};
use cloakroom_core::Clock;
use mongodb::{
    Client, Collection,
    bson::{DateTime, Document, doc},
};
use tokio::sync::OnceCell;

const HOUR_MS: i64 = 3_600_000;

/// The records of connect-mongo in one collection, each a text.
///
/// It belongs to the runtime that uses it first.
#[derive(Clone)]
pub struct RawMongo {
    url: String,
    database: String,
    collection: String,
    clock: Clock,
    sessions: Arc<OnceCell<Collection<Document>>>,
    encrypt: Transform,
    decrypt: Transform,
}

type Transform = Arc<dyn Fn(&str) -> Result<String, AccessError> + Send + Sync>;

impl fmt::Debug for RawMongo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMongo").field("collection", &self.collection).finish_non_exhaustive()
    }
}

impl RawMongo {
    /// The records of a collection, on the server at this URL, for a store that goes by this clock.
    pub fn new(
        url: impl Into<String>,
        database: impl Into<String>,
        collection: impl Into<String>,
        clock: Clock,
    ) -> Self {
        let as_it_is: Transform = Arc::new(|text| Ok(text.to_owned()));
        Self {
            url: url.into(),
            database: database.into(),
            collection: collection.into(),
            clock,
            sessions: Arc::default(),
            encrypt: Arc::clone(&as_it_is),
            decrypt: as_it_is,
        }
    }

    /// The same access to records that are encrypted.
    #[must_use]
    pub fn with_encryption(
        mut self,
        encrypt: impl Fn(&str) -> Result<String, AccessError> + Send + Sync + 'static,
        decrypt: impl Fn(&str) -> Result<String, AccessError> + Send + Sync + 'static,
    ) -> Self {
        (self.encrypt, self.decrypt) = (Arc::new(encrypt), Arc::new(decrypt));
        self
    }

    /// The collection, by a client of the runtime that calls first.
    async fn sessions(&self) -> Result<&Collection<Document>, AccessError> {
        let connected = self.sessions.get_or_try_init(|| async {
            let client = Client::with_uri_str(&self.url).await?;
            Ok(client.database(&self.database).collection(&self.collection))
        });
        connected.await
    }

    async fn replace(&self, sid: &str, document: Document) -> Result<(), AccessError> {
        let sessions = self.sessions().await?;
        sessions.replace_one(doc! { "_id": sid }, document).upsert(true).await?;
        Ok(())
    }

    async fn document(&self, sid: &str) -> Result<Option<Document>, AccessError> {
        Ok(self.sessions().await?.find_one(doc! { "_id": sid }).await?)
    }
}

#[async_trait]
impl RawAccess for RawMongo {
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
        let expires = DateTime::from_millis(self.clock.now_ms() + HOUR_MS);
        let document = doc! { "expires": expires, "session": (self.encrypt)(record)? };
        self.replace(sid, document).await
    }

    async fn put_endless(&self, sid: &str, record: &str) -> Result<bool, AccessError> {
        self.replace(sid, doc! { "session": (self.encrypt)(record)? }).await.map(|()| true)
    }

    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
        let Some(document) = self.document(sid).await? else { return Ok(None) };
        (self.decrypt)(document.get_str("session")?).map(Some)
    }

    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError> {
        let Some(document) = self.document(sid).await? else { return Ok(None) };
        let left_ms = document.get_datetime("expires")?.timestamp_millis() - self.clock.now_ms();
        Ok(u64::try_from(left_ms).ok().map(Duration::from_millis))
    }
}
