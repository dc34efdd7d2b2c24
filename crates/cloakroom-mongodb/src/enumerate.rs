//! The listing: pages in the order of `_id`, one at a time.
//!
//! Each page is a query for the ids after the previous page. So no cursor stays open on the server if a listing is slow
//! or dropped.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation, in_part};
use cloakroom_core::{Enumerate, Error, ErrorKind, FindBy, Listed, MARKER_PREFIX, is_marker};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use mongodb::{
    bson::{Document, doc},
    options::Hint,
};

use crate::{
    MongoStore, document,
    error::{self, Failure},
    expiry::and_live,
};

/// The number of ids per page.
const IDS: i64 = 1_000;

/// The number of sessions per page, and their approximate size in bytes.
pub(crate) const SESSIONS: i64 = 100;
const BYTES: usize = 4 << 20;

#[async_trait]
impl Enumerate for MongoStore {
    /// Skips documents whose `_id` is not a string, which Express does not write.
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.pages("ids", Some(doc! { "_id": 1 }), IDS)
            .map_ok(|page| stream::iter(page.into_iter().map(|(sid, _)| Ok(sid))))
            .try_flatten()
            .boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.pages("all", None, SESSIONS)
            .map_ok(move |page| {
                stream::iter(page)
                    .then(move |(sid, document)| async move {
                        // Each session has its own deadline, because decrypting a page can take longer than one.
                        let operation = self.operation("all", Idempotency::Read);
                        let session = self.parse(&operation, &document, self.now_ms()).await?;
                        Ok(session
                            .map(|session| Listed::new(sid, session, self.time_left(&document))))
                    })
                    .filter_map(|session| async { session.transpose() })
            })
            .try_flatten()
            .boxed()
    }

    /// With `transform_id`, the server cannot recognise [markers](cloakroom_core::is_marker), so it counts them as
    /// well.
    async fn length(&self) -> Result<u64, Error> {
        let operation = self.operation("length", Idempotency::Read);
        let now_ms = self.now_ms();
        let ours = match self.options().transform_id {
            None => doc! { "_id": { "$not": { "$regex": format!("^{MARKER_PREFIX}") } } },
            Some(_) => doc! {},
        };
        self.run(&operation, |sessions| {
            let live = and_live(ours.clone(), now_ms);
            async move { sessions.count_documents(live).await }
        })
        .await
    }

    /// Removes every document of the collection and keeps its indexes, as connect-mongo 6 does.
    async fn clear(&self) -> Result<(), Error> {
        let operation = self.operation("clear", Idempotency::Repeatable);
        let removed = self
            .attempt(&operation, |sessions| async move { sessions.delete_many(doc! {}).await })
            .await?;
        removed.map(drop).map_err(|failure| {
            let told = in_part(error::has_begun(&failure.cause));
            told(error::of(&operation, self.0.connection.hosts(), &failure))
        })
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        Some(self)
    }
}

/// The ids and documents of a page.
type Page = Vec<(String, Vec<u8>)>;

impl MongoStore {
    /// Returns how long the session in a document lives, by the store's clock. `None` if it has no `expires`.
    pub(crate) fn time_left(&self, document: &[u8]) -> Option<Duration> {
        let expires_ms = document::field(document, "expires").ok()??.date_ms()?;
        let left_ms = u64::try_from(expires_ms.saturating_sub(self.now_ms())).unwrap_or_default();
        Some(Duration::from_millis(left_ms))
    }

    fn pages(
        &self,
        operation: &'static str,
        projection: Option<Document>,
        limit: i64,
    ) -> impl Stream<Item = Result<Page, Error>> + Send + '_ {
        stream::try_unfold(Some(String::new()), move |last| {
            let projection = projection.clone();
            async move {
                let Some(last) = last else { return Ok(None) };
                let operation = self.operation(operation, Idempotency::Read);
                let (documents, whole) = self.page(&operation, last, projection, limit).await?;
                let (mut page, mut next) = (Vec::with_capacity(documents.len()), None);
                for document in documents {
                    let id = document::field(&document, "_id").ok().flatten();
                    let Some(id) = id.and_then(|id| id.text().ok()) else { continue };
                    next = Some(id.to_owned());
                    page.extend(self.sid(id).map(|sid| (sid, document)));
                }
                Ok(Some((page, next.filter(|_| !whole))))
            }
        })
    }

    /// Returns the page after `last`, and whether it is the final one.
    async fn page(
        &self,
        operation: &Operation,
        last: String,
        projection: Option<Document>,
        limit: i64,
    ) -> Result<(Vec<Vec<u8>>, bool), Error> {
        if !self.knows_sids() {
            let message = "cannot turn an _id back into a session id; give transform_id an inverse";
            return Err(operation.error(ErrorKind::Unsupported, message));
        }
        // Only strings are greater than a string: comparisons in MongoDB match values of the same type.
        let filter = and_live(doc! { "_id": { "$gt": &last } }, self.now_ms());
        self.query(operation, &filter, projection.as_ref(), None, limit)
            .await?
            .map_err(|failure| error::of(operation, self.0.connection.hosts(), &failure))
    }

    /// Returns the documents of a page that match a filter, in the order of `_id`, and whether it is the final one.
    /// `hint` is the name of the index to use; without that index, the query fails.
    pub(crate) async fn query(
        &self,
        operation: &Operation,
        filter: &Document,
        projection: Option<&Document>,
        hint: Option<&str>,
        limit: i64,
    ) -> Result<Result<(Vec<Vec<u8>>, bool), Failure>, Error> {
        self.attempt(operation, |sessions| {
            let (filter, projection) = (filter.clone(), projection.cloned());
            let hint = hint.map(|name| Hint::Name(name.to_owned()));
            async move {
                let mut find = sessions.find(filter).sort(doc! { "_id": 1 }).limit(limit);
                find = find.batch_size(u32::try_from(limit).unwrap_or(u32::MAX));
                if let Some(projection) = projection {
                    find = find.projection(projection);
                }
                if let Some(hint) = hint {
                    find = find.hint(hint);
                }
                let mut cursor = find.await?;
                let (mut page, mut bytes) = (Vec::new(), 0);
                while bytes < BYTES && cursor.advance().await? {
                    let document = cursor.current().as_bytes().to_vec();
                    bytes += document.len();
                    page.push(document);
                }
                let whole =
                    bytes < BYTES && page.len() < usize::try_from(limit).unwrap_or(usize::MAX);
                Ok((page, whole))
            }
        })
        .await
    }

    /// Returns true if an `_id` tells the session id.
    pub(crate) fn knows_sids(&self) -> bool {
        self.options().transform_id.as_ref().is_none_or(|transform| transform.back().is_some())
    }

    /// Returns the id of the session with this `_id`, or `None` if it belongs to no session.
    pub(crate) fn sid(&self, id: &str) -> Option<String> {
        let sid = match &self.options().transform_id {
            None => id.to_owned(),
            Some(transform) => transform.back()?(id)?,
        };
        (!is_marker(&sid)).then_some(sid)
    }
}
