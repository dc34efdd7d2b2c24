//! Defects that show when another call comes in between, or when a call does not end.

use cloakroom_core::{Created, Error, SessionData, Store, Updated};

use crate::broken::{Broken, OnDrop, wait, wrong_revision};

impl Broken {
    /// The visit of a store that reads the record and writes it back. It is careful enough to notice that nothing
    /// happened in between.
    pub(crate) async fn racing_visit(&self, sid: &str, call: &str) -> Result<(), Error> {
        let Some(what) = self.shared.defect.strip_prefix(call) else { return Ok(()) };
        let Some(before) = self.inner().get(sid).await? else { return Ok(()) };
        wait().await;
        let is_undone = match (what, self.inner().get(sid).await?) {
            ("_that_meets_a_set_undoes_nothing", Some(after)) => {
                after.revision() != before.revision()
            }
            ("_that_meets_a_destroy_revives_nothing", after) => after.is_none(),
            _ => false,
        };
        if is_undone { self.inner().set(sid, &before).await } else { Ok(()) }
    }

    /// The update of a store that asks first and writes later, and whose updates wait for each other.
    pub(crate) async fn update_in_turn(
        &self,
        sid: &str,
        session: &SessionData,
    ) -> Result<Option<Updated>, Error> {
        let Some(what) = self.shared.defect.strip_prefix("an_update_that_meets_a_") else {
            return Ok(None);
        };
        let _turn = self.shared.turn.lock().await;
        let before = self.inner().get(sid).await?;
        if before.is_none_or(|before| before.revision() != session.revision()) {
            return Ok(None);
        }
        wait().await;
        let is_undone = match (what, self.inner().get(sid).await?) {
            ("set_undoes_nothing", Some(after)) => after.revision() != session.revision(),
            ("destroy_revives_nothing", after) => after.is_none(),
            _ => false,
        };
        Ok(if is_undone { Some(self.write(sid, session).await?) } else { None })
    }

    /// The create of a store that asks first and writes later, and whose creates wait for each other.
    pub(crate) async fn create_in_turn(
        &self,
        sid: &str,
        session: &SessionData,
    ) -> Result<Option<Created>, Error> {
        if self.shared.defect != "a_create_that_meets_a_set_overwrites_nothing" {
            return Ok(None);
        }
        let _turn = self.shared.turn.lock().await;
        if self.inner().get(sid).await?.is_some() {
            return Ok(None);
        }
        wait().await;
        if self.inner().get(sid).await?.is_none() {
            return Ok(None);
        }
        self.inner().set(sid, session).await?;
        Ok(Some(Created::Stored(wrong_revision())))
    }

    /// Leaves a record without an end when it is dropped on the way.
    pub(crate) async fn endless_when_dropped(&self, sid: &str, session: &SessionData) {
        let act = || self.inner().plant_endless(sid, &session.to_json());
        let mut guard = OnDrop { act, armed: true };
        wait().await;
        guard.armed = false;
    }
}
