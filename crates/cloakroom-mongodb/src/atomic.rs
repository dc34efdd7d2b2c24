//! The conditional writes.
//!
//! connect-mongo's documents have no version, so an update's filter compares the stored session itself. MongoDB changes
//! one document atomically, so a filter that matches is still true when the change is made.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, whole_seconds};
use cloakroom_core::{Atomic, Created, Error, ErrorKind, SessionData, Updated};
use mongodb::{
    bson::{Bson, DateTime, Document, RawDocumentBuf, doc},
    options::UpdateModifications,
};

use crate::{
    MongoOptions, MongoStore, error,
    expiry::{Expiry, and_live, and_past, half_way, later},
    record::Record,
};

#[async_trait]
impl Atomic for MongoStore {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let operation = self.operation("create", Idempotency::Once);
        let id = self.id(&operation, sid)?;
        let now_ms = self.now_ms();
        let record = self.record(&operation, session).await?;
        let revision = record.revision.clone();
        let Expiry::At(expires_ms) = self.options().expiry(session, now_ms) else {
            // The contract: a session whose expiry has passed is not stored, but the answer is the same.
            let operation = operation.reading();
            let there = self.find(&operation, &id).await?.is_some();
            return Ok(if there { Created::Exists } else { Created::Stored(revision) });
        };
        // An expired document is replaced as a whole. A live one makes the insert fail, because its `_id` is taken.
        let document = self.options().new_document(&id, &record, expires_ms, now_ms);
        let document = RawDocumentBuf::try_from(&document).map_err(|_| {
            operation.error(ErrorKind::InvalidData, "the session cannot be stored as a document")
        })?;
        let answer = self
            .attempt(&operation, |sessions| {
                let (filter, document) = (and_past(doc! { "_id": &id }, now_ms), document.clone());
                async move { sessions.replace_one(filter, document).upsert(true).await }
            })
            .await?;
        match answer {
            Ok(_) => Ok(Created::Stored(revision)),
            Err(failure) if error::is_same_id(&failure.cause) => Ok(Created::Exists),
            Err(failure) => Err(error::of(&operation, self.0.connection.hosts(), &failure)),
        }
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let operation = self.operation("update", Idempotency::Once);
        let id = self.id(&operation, sid)?;
        let read_from = self.options().read_from(&operation, session)?;
        let record = self.record(&operation, session).await?;
        let now_ms = self.now_ms();
        // With `$eq`, the session is always a value. Otherwise a member whose name begins with `$` would be an
        // operator.
        let filter = || and_live(doc! { "_id": &id, "session": { "$eq": &read_from } }, now_ms);
        let done = match self.options().expiry(session, now_ms) {
            Expiry::At(expires_ms) => {
                let update = || self.options().update(&record, expires_ms, now_ms);
                self.change(&operation, filter, update).await?
            }
            Expiry::Passed => self.delete(&operation, filter).await?,
        };
        if done {
            return Ok(Updated::Stored(record.revision));
        }
        // The filter did not match: the session has changed or is gone. MongoDB does not say which.
        let operation = operation.reading();
        Ok(self.find(&operation, &id).await?.map_or(Updated::Gone, Updated::Conflict))
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let operation = self.operation("get_and_touch", Idempotency::Repeatable);
        let id = self.id(&operation, sid)?;
        operation.check_ttl(ttl)?;
        let now_ms = self.now_ms();
        let seconds = whole_seconds(ttl.unwrap_or(self.options().ttl));
        let expires_ms = later(now_ms, Duration::from_secs(seconds));
        let update = self.options().touch(expires_ms, now_ms);
        let found = self
            .run(&operation, |sessions| {
                let (filter, update) = (and_live(doc! { "_id": &id }, now_ms), update.clone());
                async move { sessions.find_one_and_update(filter, update).await }
            })
            .await?;
        match found {
            // The document is as it was before. The session was live when it was extended, even if its old expiry has
            // passed since.
            Some(document) => self.parse(&operation, document.as_bytes(), now_ms).await,
            None => Ok(None),
        }
    }
}

impl MongoOptions {
    /// Returns the changes that `set` and `update` make to a document.
    pub(crate) fn update(&self, record: &Record, expires_ms: i64, now_ms: i64) -> Document {
        let unset = record.unset();
        let mut update = doc! { "$set": record.fields(self, expires_ms, now_ms) };
        if let Some(unset) = unset {
            update.insert("$unset", unset);
        }
        if self.timestamps {
            update.insert("$setOnInsert", doc! { "createdAt": DateTime::from_millis(now_ms) });
            update.insert("$currentDate", doc! { "updatedAt": true });
        }
        update
    }

    /// Returns the document that the first `set` creates, in the order in which MongoDB stores its fields.
    fn new_document(&self, id: &str, record: &Record, expires_ms: i64, now_ms: i64) -> Document {
        let now = DateTime::from_millis(now_ms);
        let mut document = doc! { "_id": id };
        if self.timestamps {
            document.insert("createdAt", now);
        }
        document.extend(record.fields(self, expires_ms, now_ms));
        if self.timestamps {
            document.insert("updatedAt", now);
        }
        document
    }

    /// Returns the changes that `get_and_touch` makes to a document. With `touchAfter`, it leaves a document alone that
    /// was written or touched recently.
    fn touch(&self, expires_ms: i64, now_ms: i64) -> UpdateModifications {
        let expires = DateTime::from_millis(expires_ms);
        if self.touch_after.is_zero() {
            return doc! { "$set": { "expires": expires } }.into();
        }
        let old = DateTime::from_millis(self.old_ms(now_ms));
        let half_way = DateTime::from_millis(half_way(expires_ms, now_ms));
        let dated = doc! { "$eq": [{ "$type": "$lastModified" }, "date"] };
        // The same rule as `leaves_alone`. A session without `expires` is always touched.
        let is_due = doc! { "$or": [
            { "$lte": ["$lastModified", old] },
            { "$lt": ["$expires", half_way] },
            { "$gt": ["$expires", expires] },
        ] };
        let due = doc! { "$or": [{ "$not": [&dated] }, &is_due] };
        let touched = doc! { "$and": [&dated, &is_due] };
        let if_so = |condition: Document, value: DateTime, field: &str| {
            Bson::from(doc! { "$cond": [condition, value, field] })
        };
        vec![doc! { "$set": {
            "expires": if_so(due, expires, "$expires"),
            "lastModified": if_so(touched, DateTime::from_millis(now_ms), "$lastModified"),
        } }]
        .into()
    }
}
