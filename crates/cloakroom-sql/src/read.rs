//! The session in what a statement returns.

use cloakroom_backend::Operation;
use cloakroom_core::{Error, SessionData};

use crate::{call::Call, check::Checked, connection::Answer, record, store::SqlStore};

impl SqlStore {
    /// Returns the live session with this id.
    pub(crate) async fn find(
        &self,
        operation: &Operation,
        checked: &Checked,
        sid: &str,
    ) -> Result<Option<SessionData>, Error> {
        let get = &checked.statements.get;
        let answer = self
            .run(operation, |now_ms| Call::rows(get, self.values(checked, sid, now_ms)))
            .await?;
        self.first(operation, answer)
    }

    /// Returns the session in the first row of an answer.
    pub(crate) fn first(
        &self,
        operation: &Operation,
        answer: Answer,
    ) -> Result<Option<SessionData>, Error> {
        match answer.rows.into_iter().next().and_then(|row| row.into_iter().next()) {
            Some(data) => record::session(operation, data, self.options().max_record),
            None => Ok(None),
        }
    }
}
