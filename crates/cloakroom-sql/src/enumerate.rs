//! The listing: pages in the order of the id, one at a time, so that no statement stays open if a listing is slow.

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation, in_part};
use cloakroom_core::{Enumerate, Error, ErrorKind, FindBy, Listed};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use crate::{
    call::{Call, Want},
    check::Checked,
    connection::{self, Row},
    expired::BATCH,
    record,
    statement::{Statement, Values},
    store::SqlStore,
};

/// The number of ids per page.
const IDS: i64 = 1_000;

/// The number of sessions per page, and about how many bytes they have.
pub(crate) const SESSIONS: i64 = 100;
const BYTES: usize = 4 << 20;

/// Where a page begins, and how long it is.
pub(crate) struct Place {
    /// The id before the page. `None` before the first one.
    pub(crate) last: Option<String>,
    rows: i64,
}

impl Place {
    /// The first page of a listing of sessions.
    pub(crate) const fn first() -> Self {
        Self { last: None, rows: SESSIONS }
    }
}

#[async_trait]
impl Enumerate for SqlStore {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.pages("ids", IDS)
            .map_ok(|page| {
                let operation = self.operation("ids", Idempotency::Read);
                let ids = page
                    .into_iter()
                    .filter_map(|row| record::id(&operation, row.into_iter().next()?).transpose());
                stream::iter(ids.collect::<Vec<_>>())
            })
            .try_flatten()
            .boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.pages("all", SESSIONS)
            .map_ok(|page| {
                // Each when the caller asks for it, as its time left counts from then.
                stream::iter(page.into_iter().filter_map(|row| self.listed("all", row).transpose()))
            })
            .try_flatten()
            .boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        let operation = self.operation("length", Idempotency::Read);
        let checked = self.checked(&operation).await?;
        let length = &checked.statements.length;
        let answer = self
            .run(&operation, |now_ms| Call::rows(length, self.values(&checked, "", now_ms)))
            .await?;
        let count = answer.rows.first().and_then(|row| connection::text(row, 0));
        count.and_then(|count| count.parse().ok()).ok_or_else(|| {
            operation.error(ErrorKind::Other, "the database did not return a number of sessions")
        })
    }

    /// Removes every row of the table, in batches of 1,000 rows. Each batch has its own deadline.
    async fn clear(&self) -> Result<(), Error> {
        let mut has_removed = false;
        loop {
            let operation = self.operation("clear", Idempotency::Repeatable);
            let checked = self.checked(&operation).await.map_err(in_part(has_removed))?;
            let values = || Values { limit: BATCH, ..Values::default() };
            let clear = &checked.statements.clear;
            let answer = self.run(&operation, |_| Call::write(clear, values())).await;
            let removed = answer.map_err(in_part(has_removed))?.affected;
            if removed < BATCH.unsigned_abs() {
                return Ok(());
            }
            has_removed = true;
        }
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        Some(self)
    }
}

impl SqlStore {
    /// Returns the session in a row of id, text and expiry. `None` if Express treats it as no session.
    pub(crate) fn listed(&self, name: &'static str, row: Row) -> Result<Option<Listed>, Error> {
        let operation = self.operation(name, Idempotency::Read);
        record::listed(&operation, self.table(), row, self.options().max_record, self.now_ms())
    }

    fn pages(
        &self,
        name: &'static str,
        most: i64,
    ) -> impl Stream<Item = Result<Vec<Row>, Error>> + Send + '_ {
        let first = Place { last: None, rows: most };
        stream::try_unfold(Some(first), move |place| async move {
            let Some(place) = place else { return Ok(None) };
            let operation = self.operation(name, Idempotency::Read);
            self.page(&operation, place, most).await.map(Some)
        })
    }

    /// Returns a page, and the place of the next one. `None` after the final one.
    async fn page(
        &self,
        operation: &Operation,
        place: Place,
        most: i64,
    ) -> Result<(Vec<Row>, Option<Place>), Error> {
        let checked = self.checked(operation).await?;
        let statements = &checked.statements;
        let statement = match (most == IDS, &place.last) {
            (true, None) => &statements.first_ids,
            (true, Some(_)) => &statements.next_ids,
            (false, None) => &statements.first_sessions,
            (false, Some(_)) => &statements.next_sessions,
        };
        self.rows(operation, &checked, statement, "", place, most).await
    }

    /// Returns the rows of a page of a statement, with a key if it needs one, and the place of the next page.
    pub(crate) async fn rows(
        &self,
        operation: &Operation,
        checked: &Checked,
        statement: &Statement,
        key: &str,
        place: Place,
        most: i64,
    ) -> Result<(Vec<Row>, Option<Place>), Error> {
        let last = place.last.as_deref().unwrap_or_default();
        let answer = self
            .run(operation, |now_ms| {
                let values = self.values(checked, "", now_ms);
                let values = Values { data: key, last, limit: place.rows, ..values };
                Call { statement, values, want: Want::Rows(BYTES) }
            })
            .await?;
        let read = i64::try_from(answer.rows.len()).unwrap_or(i64::MAX);
        if answer.whole && read < place.rows {
            return Ok((answer.rows, None));
        }
        // An answer that is not read to its end costs a connection, so the next one is shorter.
        let rows = if answer.whole { most.min(read.saturating_mul(2)) } else { read };
        let last = answer.rows.iter().rev().find_map(|row| connection::text(row, 0));
        let Some(last) = last.map(str::to_owned) else {
            let message = "the listing ends early: no id of a whole page is text";
            return Err(operation.error(ErrorKind::Corrupt, message));
        };
        Ok((answer.rows, Some(Place { last: Some(last), rows })))
    }
}
