//! The listing: pages in the order of the id, one at a time, so that no statement stays open if a listing is slow.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation};
use cloakroom_core::{Enumerate, Error, ErrorKind, Listed, is_marker};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use crate::{
    connection::{Row, Want},
    record,
    statement::Statements,
    store::SqlStore,
};

/// The number of ids per page.
const IDS: i64 = 1_000;

/// The number of sessions per page, and about how many bytes they have.
const SESSIONS: i64 = 100;
const BYTES: usize = 4 << 20;

#[async_trait]
impl Enumerate for SqlStore {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.pages("ids", IDS)
            .map_ok(|page| {
                let ids = page.into_iter().filter_map(|row| row.into_iter().next().flatten());
                stream::iter(ids.filter(|sid| !is_marker(sid)).map(Ok))
            })
            .try_flatten()
            .boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.pages("all", SESSIONS)
            .map_ok(|page| {
                let listed = page.into_iter().filter_map(|row| self.listed(row).transpose());
                stream::iter(listed)
            })
            .try_flatten()
            .boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        let operation = self.operation("length", Idempotency::Read);
        let checked = self.checked(&operation).await?;
        let values = self.values(&checked, "", self.now_ms());
        let length = &checked.statements.length;
        let answer = self.run(&operation, length, &values, Want::Rows(usize::MAX)).await?;
        let count = answer.rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
        count.and_then(|count| count.parse().ok()).ok_or_else(|| {
            operation.error(ErrorKind::Other, "the database answered no number of sessions")
        })
    }

    /// Removes every row of the table.
    async fn clear(&self) -> Result<(), Error> {
        self.remove("clear", |statements| &statements.clear).await.map(drop)
    }
}

impl SqlStore {
    /// Returns the session in a row of id, text and expiry. `None` if Express treats it as no session.
    fn listed(&self, row: Row) -> Result<Option<Listed>, Error> {
        let operation = self.operation("all", Idempotency::Read);
        let mut row = row.into_iter();
        let mut next = || row.next().flatten();
        let (Some(sid), Some(text)) = (next(), next()) else { return Ok(None) };
        if is_marker(&sid) {
            return Ok(None);
        }
        let expires_ms = next().and_then(|expiry| self.table().expiry_form.read(&expiry));
        let left = |at_ms: i64| u64::try_from(at_ms.saturating_sub(self.now_ms())).unwrap_or(0);
        let time_left = expires_ms.map(|at_ms| Duration::from_millis(left(at_ms)));
        let session = record::session(&operation, text, self.options().max_record)?;
        Ok(session.map(|session| Listed::new(sid, session, time_left)))
    }

    fn pages(
        &self,
        name: &'static str,
        limit: i64,
    ) -> impl Stream<Item = Result<Vec<Row>, Error>> + Send + '_ {
        // `None` before the first page.
        stream::try_unfold(Some(None::<String>), move |place| async move {
            let Some(last) = place else { return Ok(None) };
            let operation = self.operation(name, Idempotency::Read);
            let (page, is_last) = self.page(&operation, last.as_deref(), limit).await?;
            let next = page.last().and_then(|row| row.first()).cloned().flatten();
            let next = next.filter(|_| !is_last).map(Some);
            Ok(Some((page, next)))
        })
    }

    /// Returns the page after `last`, and whether it is the final one.
    async fn page(
        &self,
        operation: &Operation,
        last: Option<&str>,
        limit: i64,
    ) -> Result<(Vec<Row>, bool), Error> {
        let checked = self.checked(operation).await?;
        let mut values = self.values(&checked, "", self.now_ms());
        (values.last, values.limit) = (last.unwrap_or_default(), limit);
        let Statements { first_ids, next_ids, first_sessions, next_sessions, .. } =
            &checked.statements;
        let statement = match (limit == IDS, last) {
            (true, None) => first_ids,
            (true, Some(_)) => next_ids,
            (false, None) => first_sessions,
            (false, Some(_)) => next_sessions,
        };
        let answer = self.run(operation, statement, &values, Want::Rows(BYTES)).await?;
        let is_full = i64::try_from(answer.rows.len()).unwrap_or(i64::MAX) >= limit;
        let is_last = answer.whole && !is_full;
        Ok((answer.rows, is_last))
    }
}
