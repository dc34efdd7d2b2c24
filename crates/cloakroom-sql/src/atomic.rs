//! The conditional writes: each is one statement, and the database changes a row atomically.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, later, whole_seconds};
use cloakroom_core::{Atomic, Created, Error, Revision, SessionData, Updated};

use crate::{connection::Want, dialect::Dialect, record, store::SqlStore};

#[async_trait]
impl Atomic for SqlStore {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let operation = self.operation("create", Idempotency::Once);
        let text = record::text(&operation, session, self.options().max_record)?;
        let checked = self.start(&operation, sid).await?;
        checked.check_text(&operation, &text)?;
        let now_ms = self.now_ms();
        let mut values = self.values(&checked, sid, now_ms);
        values.expiry = self.expiry(&checked, session, now_ms);
        let is_stored = if values.expiry.is_some() {
            let row = self.row(&operation)?;
            (values.data, values.row) = (&text, &row);
            let create = &checked.statements.create;
            self.run(&operation, create, &values, Want::Affected).await?.affected > 0
        } else {
            // The contract: a session whose expiry has passed is not stored, but the answer is the same.
            self.find(&operation.reading(), &checked, &values).await?.is_none()
        };
        Ok(if is_stored { Created::Stored(Revision::of_text()) } else { Created::Exists })
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let operation = self.operation("update", Idempotency::Once);
        let old = record::read_from(&operation, session)?;
        let text = record::text(&operation, session, self.options().max_record)?;
        let checked = self.start(&operation, sid).await?;
        checked.check_text(&operation, &text)?;
        let (statements, now_ms) = (&checked.statements, self.now_ms());
        let mut values = self.values(&checked, sid, now_ms);
        values.expiry = self.expiry(&checked, session, now_ms);
        (values.data, values.old) = (&text, old);
        let statement = match values.expiry {
            Some(_) => &statements.update,
            None => &statements.destroy_same,
        };
        if self.run(&operation, statement, &values, Want::Affected).await?.affected > 0 {
            return Ok(Updated::Stored(Revision::of_text()));
        }
        // The session has changed or is gone, and the database does not say which.
        let found = self.find(&operation.reading(), &checked, &values).await?;
        Ok(found.map_or(Updated::Gone, Updated::Conflict))
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let now_ms = self.now_ms();
        let operation = self.operation("get_and_touch", Idempotency::Repeatable);
        operation.check_id(sid).and_then(|()| operation.check_ttl(ttl))?;
        let checked = self.start(&operation, sid).await?;
        let seconds = whole_seconds(ttl.unwrap_or(self.options().ttl));
        let expires_ms = later(now_ms, Duration::from_secs(seconds));
        let mut values = self.values(&checked, sid, now_ms);
        values.expiry = self.rounded(expires_ms, checked.last_expiry_ms);
        let statement = &checked.statements.get_and_touch;
        if self.table().dialect == Dialect::MySql {
            // It has no `RETURNING` for an update.
            let touched = self.run(&operation, statement, &values, Want::Affected).await?;
            return match touched.affected {
                0 => Ok(None),
                _ => self.find(&operation, &checked, &values).await,
            };
        }
        let answer = self.run(&operation, statement, &values, Want::Rows(usize::MAX)).await?;
        self.first(&operation, answer)
    }
}
