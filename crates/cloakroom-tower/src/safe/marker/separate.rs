//! Marks in a store without conditional writes.
//!
//! There, a mark that is read, changed and written can overwrite what another request wrote in between. A logout must
//! not get lost that way: a session that its user ended would stay alive. So a logout has a record of its own, which
//! only another logout writes.

use std::time::Duration;

use cloakroom_backend::in_part;
use cloakroom_core::{Error, SessionData, marker_name};

use super::{Mark, end_of_life, read};
use crate::safe::preset::Safe;

/// The marks of one engine. Its moves take turns to change a mark; those of another process can still overwrite each
/// other's.
pub(super) struct SeparateMarks<'a>(pub(super) &'a Safe);

impl SeparateMarks<'_> {
    /// Writes the record of the logout first and reads the mark after it: a move that the mark does not name yet sees
    /// the logout.
    pub(super) async fn log_out(&self, id: &str) -> Result<Mark, Error> {
        let is_logged_out = self.is_logged_out(id).await?;
        if !is_logged_out {
            let until_ms = end_of_life(self.0.setup.now_ms());
            self.set(
                &logged_out_name(id),
                &Mark { is_logged_out: true, until_ms, ..Mark::default() },
            )
            .await?;
        }
        let read = read(self.0, &marker_name(id)).await;
        let (mark, _) = read.map_err(in_part(!is_logged_out))?;
        Ok(Mark { is_logged_out, ..mark })
    }

    /// Changes the mark and returns it with the record of the logout, which is read last.
    pub(super) async fn extend(
        &self,
        id: &str,
        extend: impl Fn(&mut Mark) + Send + Sync,
    ) -> Result<Mark, Error> {
        let name = marker_name(id);
        let mut mark = {
            // The turn is all that protects the mark here, so nobody takes it over from a call that may still write: the
            // call's own limit ends the wait.
            let patience = Duration::MAX;
            let _turn = self.0.turn_to_write(&name, patience).await;
            let (mut mark, _) = read(self.0, &name).await?;
            extend(&mut mark);
            self.set(&name, &mark).await?;
            mark
        };
        // After the write: a logout that did not see this mark wrote its own before, so it is seen here.
        mark.is_logged_out = self.is_logged_out(id).await.map_err(in_part(true))?;
        Ok(mark)
    }

    pub(super) async fn look(&self, id: &str) -> Result<Mark, Error> {
        let (mark, _) = read(self.0, &marker_name(id)).await?;
        Ok(Mark { is_logged_out: self.is_logged_out(id).await?, ..mark })
    }

    async fn is_logged_out(&self, id: &str) -> Result<bool, Error> {
        read(self.0, &logged_out_name(id)).await.map(|(mark, _)| mark.is_logged_out)
    }

    async fn set(&self, name: &str, mark: &Mark) -> Result<(), Error> {
        let mut record = SessionData::new();
        mark.write(&mut record, self.0.setup.now_ms())?;
        self.0.setup.store().set(name, &record).await
    }
}

/// The name of the record of a logout: the marker's name of the marker's name, so that a store needs to know nothing
/// more.
fn logged_out_name(id: &str) -> String {
    marker_name(&marker_name(id))
}
