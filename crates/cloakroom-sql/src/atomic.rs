//! The conditional writes: each is one statement, and the database changes a row atomically.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, later, whole_seconds};
use cloakroom_core::{Atomic, Created, Error, Revision, SessionData, Updated};

use crate::{call::Call, dialect::Dialect, record, store::SqlStore};

#[async_trait]
impl Atomic for SqlStore {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let operation = self.operation("create", Idempotency::Once);
        let text = record::text(&operation, session, self.options().max_record)?;
        let checked = self.start(&operation, sid).await?;
        self.fits(&checked, checked.check_text(&operation, &text))?;
        let (statements, row) = (&checked.statements, record::new_row(&operation)?);
        let mut has_ended = false;
        let answer = self
            .run(&operation, |now_ms| {
                let mut values = self.written(&checked, sid, session, now_ms);
                (values.data, values.row) = (&text, &row);
                has_ended = values.expiry.is_none();
                // The contract: a session whose expiry has passed is not stored, but the answer is the same.
                if has_ended {
                    Call::rows(&statements.get, values)
                } else {
                    Call::write(&statements.create, values)
                }
            })
            .await?;
        let is_stored = match has_ended {
            true => self.first(&operation.reading(), answer)?.is_none(),
            false => answer.affected > 0,
        };
        Ok(if is_stored { Created::Stored(Revision::of_text()) } else { Created::Exists })
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let operation = self.operation("update", Idempotency::Once);
        let old = record::read_from(&operation, session)?;
        let text = record::text(&operation, session, self.options().max_record)?;
        let checked = self.start(&operation, sid).await?;
        self.fits(&checked, checked.check_text(&operation, &text))?;
        self.fits(&checked, checked.check_update(&operation, old, &text))?;
        let (statements, old) = (&checked.statements, checked.compared(old));
        let answer = self
            .run(&operation, |now_ms| {
                let mut values = self.written(&checked, sid, session, now_ms);
                (values.data, values.old) = (&text, &old);
                let has_ended = values.expiry.is_none();
                let statement =
                    if has_ended { &statements.destroy_same } else { &statements.update };
                Call::write(statement, values)
            })
            .await?;
        if answer.affected > 0 {
            return Ok(Updated::Stored(Revision::of_text()));
        }
        // The session has changed or is gone, and the database does not say which.
        let found = self.find(&operation.reading(), &checked, sid).await?;
        Ok(found.map_or(Updated::Gone, Updated::Conflict))
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let seconds = whole_seconds(ttl.unwrap_or(self.options().ttl));
        let operation = self.operation("get_and_touch", Idempotency::Repeatable);
        operation.check_id(sid).and_then(|()| operation.check_ttl(ttl))?;
        let checked = self.start(&operation, sid).await?;
        let statement = &checked.statements.get_and_touch;
        let is_read = self.table().dialect != Dialect::MySql;
        let answer = self
            .run(&operation, |now_ms| {
                let expires_ms = later(now_ms, Duration::from_secs(seconds));
                let mut values = self.values(&checked, sid, now_ms);
                values.expiry = self.rounded(expires_ms, checked.last_expiry_ms);
                let make = if is_read { Call::rows } else { Call::write };
                make(statement, values)
            })
            .await?;
        if !is_read {
            // It has no `RETURNING` for an update.
            return match answer.affected {
                0 => Ok(None),
                _ => self.find(&operation, &checked, sid).await,
            };
        }
        self.first(&operation, answer)
    }
}
