//! Writing a session without losing what others have written, and without bringing back what they have destroyed.

use cloakroom_core::{Created, Error, ErrorKind, Session as Record, TimeToLive, Updated};

use super::{changes::Changes, extend};
use crate::{
    SessionEngine,
    state::{Rules, Shared, State},
};

/// How many new ids are tried until one is free. One is, unless `genid` is broken.
const MOST_IDS: usize = 4;

/// A session on its way into the store.
pub(super) struct Write {
    /// The id to write to; the one that was written to, when a new one was taken.
    pub(super) id: String,
    pub(super) changes: Changes,
    is_stored: bool,
    old_ids: Vec<String>,
    keeps_data: bool,
}

impl Write {
    pub(super) fn of(state: &State, record: &Record) -> Option<Self> {
        let Rules::Safe(rules) = &state.rules else { return None };
        Some(Self {
            id: state.id.clone(),
            changes: Changes { record: record.clone(), edits: rules.edits.clone() },
            is_stored: rules.is_stored,
            old_ids: rules.old_ids.clone(),
            keeps_data: rules.keeps_data,
        })
    }

    /// Writes the session and destroys its old ids. `None` when it was destroyed meanwhile, which it then stays.
    pub(super) async fn run(
        &mut self,
        shared: &Shared,
        extends: bool,
    ) -> Result<Option<Record>, Error> {
        let engine = &shared.engine;
        if self.keeps_data
            && let Some(old_id) = self.old_ids.last()
        {
            // What others have written under the old id since it was read comes along; a logout stays one.
            let Some(current) = engine.store().get(old_id).await? else { return Ok(None) };
            self.changes.record = self.changes.over(current)?;
        }
        let now_ms = engine.now_ms();
        let lay = |mut record: Record| {
            // A store that was extended by others keeps sessions whose record says that they have ended.
            if extends || record.time_to_live(now_ms) == TimeToLive::Expired {
                extend(&mut record, now_ms);
            }
            record
        };
        let written = if self.is_stored {
            update(engine, &self.id, &self.changes, lay).await?
        } else {
            Some(create(shared, &mut self.id, lay(self.changes.record.clone())).await?)
        };
        for old_id in &self.old_ids {
            engine.store().destroy(old_id).await?;
        }
        Ok(written)
    }
}

async fn create(shared: &Shared, id: &mut String, mut record: Record) -> Result<Record, Error> {
    let store = shared.engine.store();
    let Some(atomic) = store.atomic() else {
        store.set(id, &record).await?;
        return Ok(record);
    };
    for _ in 0..MOST_IDS {
        match atomic.create(id, &record).await? {
            Created::Stored(revision) => {
                record.mark_stored(revision);
                return Ok(record);
            }
            Created::Exists => *id = shared.generate()?.0,
        }
    }
    let message = "genid gives ids that are taken";
    Err(Error::new(ErrorKind::InvalidId, store.name().to_owned(), "create", message))
}

/// Writes the record over the one it was read from, or its changes over what others have made of it.
async fn update(
    engine: &SessionEngine,
    id: &str,
    changes: &Changes,
    lay: impl Fn(Record) -> Record + Send + Sync,
) -> Result<Option<Record>, Error> {
    let store = engine.store();
    let Some(atomic) = store.atomic() else {
        // Without a conditional write, the best there is: as short a time as can be between read and write.
        let Some(current) = store.get(id).await? else { return Ok(None) };
        let record = lay(changes.over(current)?);
        store.set(id, &record).await?;
        return Ok(Some(record));
    };
    let mut record = lay(changes.record.clone());
    loop {
        match atomic.update(id, &record).await? {
            Updated::Stored(revision) => {
                record.mark_stored(revision);
                return Ok(Some(record));
            }
            Updated::Gone => return Ok(None),
            Updated::Conflict(current) => record = lay(changes.over(current)?),
        }
    }
}
