//! The search by a value: by an index on the path, and by one of the sessions that are stored as text, which MongoDB
//! cannot look into.
//!
//! Both queries name their index. Without it they fail, where MongoDB would otherwise read the whole collection. What
//! they find is more than the sessions with the value, such as a list that contains it, so each is compared once more.

use std::collections::VecDeque;

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_backend::{Idempotency, IndexValue, Operation, check_index_path, is_index_path};
use cloakroom_core::{Error, ErrorKind, FindBy, Listed, parse_date, to_iso_string};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use mongodb::{
    IndexModel,
    bson::{Bson, DateTime, Document, doc, oid::ObjectId},
    error::ErrorKind as MongoKind,
    options::IndexOptions,
};

use crate::{
    MongoStore, document,
    enumerate::SESSIONS,
    error::{self, Failure},
    expiry::and_live,
};

/// The name of the index of the sessions that are stored as text.
const TEXTS: &str = "cloakroom_texts";

/// One of the two queries, and the page with which it goes on. `None` after the final one.
struct Query {
    index: String,
    condition: Document,
    next: Option<String>,
    /// Documents that were read and not yet returned.
    read: VecDeque<Vec<u8>>,
}

impl MongoStore {
    /// Returns why the store cannot look into its sessions, or `None` if it can.
    fn blindness(&self) -> Option<&'static str> {
        #[cfg(feature = "encryption")]
        if self.options().encryption.is_some() {
            return Some("encrypted sessions cannot be found by an index");
        }
        if !self.knows_sids() {
            return Some("cannot turn an _id back into a session id; give transform_id an inverse");
        }
        self.options().stringify.then_some(
            "sessions that are stored as text cannot be found by an index; set stringify=false here and in connect-mongo",
        )
    }

    /// Reads the first page of a query. Returns `None` if its index does not exist.
    async fn begun(
        &self,
        operation: &Operation,
        index: String,
        condition: Document,
    ) -> Result<Option<Query>, Error> {
        let mut query = Query { index, condition, next: None, read: VecDeque::new() };
        match self.read_on(operation, &mut query, "").await? {
            Ok(()) => Ok(Some(query)),
            Err(failure) if is_no_index(&failure) => Ok(None),
            Err(failure) => Err(error::of(operation, self.0.connection.hosts(), &failure)),
        }
    }

    async fn read_on(
        &self,
        operation: &Operation,
        query: &mut Query,
        last: &str,
    ) -> Result<Result<(), Failure>, Error> {
        let mut filter = and_live(doc! { "_id": { "$gt": last } }, self.now_ms());
        filter.insert("$and", vec![query.condition.clone()]);
        let page = self.query(operation, &filter, None, Some(&query.index), SESSIONS).await?;
        Ok(page.map(|(documents, whole)| {
            query.next = match documents.last().filter(|_| !whole) {
                Some(document) => id(document).map(str::to_owned),
                None => None,
            };
            query.read = documents.into();
        }))
    }

    /// Returns the next session of a query, with or without the value.
    async fn next(&self, query: &mut Query) -> Result<Option<Listed>, Error> {
        loop {
            let operation = self.operation("find", Idempotency::Read);
            if let Some(document) = query.read.pop_front() {
                let Some(sid) = id(&document).and_then(|id| self.sid(id)) else { continue };
                let Some(session) = self.parse(&operation, &document, self.now_ms()).await? else {
                    continue;
                };
                return Ok(Some(Listed::new(sid, session, self.time_left(&document))));
            }
            let Some(last) = query.next.take() else { return Ok(None) };
            self.read_on(&operation, query, &last)
                .await?
                .map_err(|failure| error::of(&operation, self.0.connection.hosts(), &failure))?;
        }
    }
}

#[async_trait]
impl FindBy for MongoStore {
    /// For sessions that are stored as documents, by the option [`stringify`](crate::MongoOptions::stringify), and are
    /// not encrypted. MongoDB goes on with the index if the deadline passes, and the next call waits for it again.
    async fn create_index(&self, path: &str) -> Result<(), Error> {
        let operation = self.operation("create_index", Idempotency::Repeatable);
        check_index_path(&operation, path)?;
        if let Some(why) = self.blindness() {
            return Err(operation.error(ErrorKind::Unsupported, why));
        }
        self.run(&operation, |sessions| {
            let models = [of_path(path), of_texts()];
            async move { sessions.create_indexes(models).await }
        })
        .await
        .map(drop)
    }

    async fn find<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let wanted = IndexValue::parse(value).filter(|_| is_index_path(path));
        let Some(wanted) = wanted.filter(|_| self.blindness().is_none()) else { return Ok(None) };
        let operation = self.operation("find", Idempotency::Read);
        let by_path = self.begun(&operation, index(path), condition(path, &wanted)).await?;
        let Some(by_path) = by_path else { return Ok(None) };
        let is_text = doc! { "session": { "$type": "string" } };
        let texts = self.begun(&operation, TEXTS.to_owned(), is_text).await?;
        let Some(texts) = texts else { return Ok(None) };
        let (path, value) = (path.to_owned(), value.to_owned());
        let sessions = stream::iter([by_path, texts]).flat_map(move |query| {
            // After an error, the next session.
            stream::unfold(query, move |mut query| async move {
                let next = self.next(&mut query).await.transpose()?;
                Some((next, query))
            })
        });
        let theirs = sessions
            .try_filter(move |listed| std::future::ready(listed.session.has_value(&path, &value)));
        Ok(Some(theirs.boxed()))
    }
}

fn id(document: &[u8]) -> Option<&str> {
    document::field(document, "_id").ok()??.text().ok()
}

/// Returns the name of the index on a path.
fn index(path: &str) -> String {
    format!("cloakroom_{path}")
}

fn field(path: &str) -> String {
    format!("session.{path}")
}

/// The index of the sessions that have something at a path.
fn of_path(path: &str) -> IndexModel {
    let options = IndexOptions::builder()
        .name(index(path))
        .partial_filter_expression(doc! { field(path): { "$exists": true } })
        .build();
    IndexModel::builder().keys(doc! { field(path): 1, "_id": 1 }).options(options).build()
}

fn of_texts() -> IndexModel {
    let options = IndexOptions::builder()
        .name(TEXTS.to_owned())
        .partial_filter_expression(doc! { "session": { "$type": "string" } })
        .build();
    // MongoDB refuses a partial index on `_id` alone.
    IndexModel::builder().keys(doc! { "_id": 1, "expires": 1 }).options(options).build()
}

/// Returns true if a query failed because the index that it names does not exist.
fn is_no_index(failure: &Failure) -> bool {
    matches!(
        &*failure.cause.kind,
        // BadValue.
        MongoKind::Command(refusal) if refusal.code == 2 && refusal.message.contains("hint")
    )
}

/// Returns the condition that a session has the value at the path, in any type that is read as this value.
fn condition(path: &str, value: &IndexValue) -> Document {
    let is_any = |values: Vec<Bson>| doc! { field(path): { "$in": values } };
    let text = match value {
        IndexValue::Text(text) => text,
        IndexValue::Number(number) => return is_any(vec![(*number).into()]),
        IndexValue::Boolean(boolean) => return is_any(vec![(*boolean).into()]),
        // A value that an index cannot tell is not asked for.
        _ => return doc! { field(path): { "$exists": true } },
    };
    let mut values = vec![Bson::from(text.as_str())];
    values.extend(ObjectId::parse_str(text).map(Bson::from));
    let date_ms = parse_date(text).filter(|ms| to_iso_string(*ms).as_deref() == Some(text));
    values.extend(date_ms.map(|ms| Bson::from(DateTime::from_millis(ms))));
    match BASE64_STANDARD.decode(text) {
        // Its subtype is not in the text.
        Ok(_) => doc! { "$or": [is_any(values), { field(path): { "$type": "binData" } }] },
        Err(_) => is_any(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_looked_for_in_each_type_that_is_read_as_one() {
        let values = |text: &str| {
            let condition = condition("user", &IndexValue::Text(text.to_owned()));
            let of = |condition: &Document| {
                condition.get_document("session.user").unwrap().get_array("$in").unwrap().len()
            };
            match condition.get_array("$or") {
                Ok(either) => (of(either[0].as_document().unwrap()), true),
                Err(_) => (of(&condition), false),
            }
        };
        assert_eq!(values("ann!"), (1, false));
        assert_eq!(values("507f1f77bcf86cd799439011"), (2, true), "as base64, too");
        assert_eq!(values("2100-01-01T00:00:00.000Z"), (2, false));
        assert_eq!(values("2100-01-01"), (1, false));
        assert_eq!(values("YW5u"), (1, true));
    }
}
