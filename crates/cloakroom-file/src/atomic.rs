//! The conditional writes, under the lock of the session. Processes with this crate wait for each other. Node.js takes
//! no lock, so its writes are noticed by comparing the text just before the rename.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::Idempotency;
use cloakroom_core::{Atomic, Created, Error, ErrorKind, Revision, SessionData, Updated};

use crate::{FileStore, store::Shared, until::Until};

/// How often `create` looks again if a file that it could not read keeps it from creating one.
const TRIES: usize = 8;

#[async_trait]
impl Atomic for FileStore {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let (operation, name) = self.start("create", Idempotency::Once, sid)?;
        let session = session.clone();
        let work = move |shared: &Shared, until: &Until| {
            let Some(expires_ms) = shared.expiry(&session) else {
                return Ok(!shared.is_taken(&name)?);
            };
            let text = shared.written(&session, expires_ms)?;
            let lock = shared.folder.lock(&name, until)?;
            for _ in 0..TRIES {
                if shared.is_taken(&name)? {
                    return Ok(false);
                }
                let prepared = shared.folder.prepare(&text)?;
                // Only Node.js can have created a file since, because it takes no lock.
                if shared.folder.read(&name)?.is_some() {
                    shared.folder.put(prepared, &name)?;
                } else if !shared.folder.put_new(prepared, &name)? {
                    continue;
                }
                drop(lock);
                return shared.folder.sync().map(|()| true);
            }
            // Something has the name that is not a file, such as a folder.
            Ok(false)
        };
        Ok(if self.writing(&operation, work).await? {
            Created::Stored(Revision::of_text())
        } else {
            Created::Exists
        })
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let (operation, name) = self.start("update", Idempotency::Once, sid)?;
        let is_of_text = session.revision().filter(|revision| revision.is_of_text());
        operation.check_origin(is_of_text)?;
        let session = session.clone();
        let work = move |shared: &Shared, until: &Until| {
            let prepared = match shared.expiry(&session) {
                Some(ms) => Some(shared.folder.prepare(&shared.written(&session, ms)?)?),
                None => None,
            };
            let lock = shared.folder.lock(&name, until)?;
            let Some((record, current)) = shared.live(&name)? else {
                if prepared.is_none() {
                    // An earlier call may have removed the file without bringing that to the disk.
                    shared.folder.sync()?;
                }
                return Ok(Updated::Gone);
            };
            if !record.is_origin_of(&session) {
                return Ok(Updated::Conflict(current));
            }
            match prepared {
                Some(prepared) => shared.folder.put(prepared, &name)?,
                None => shared.folder.remove(&name)?,
            }
            drop(lock);
            shared.folder.sync()?;
            Ok(Updated::Stored(Revision::of_text()))
        };
        self.writing(&operation, work).await
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let (operation, name) = self.start("get_and_touch", Idempotency::Repeatable, sid)?;
        operation.check_ttl(ttl)?;
        let work = move |shared: &Shared, until: &Until| {
            shared.move_expiry(&name, Some(shared.expiry_of(ttl)), until)
        };
        self.writing(&operation, work).await
    }
}

impl Shared {
    /// Returns true for a live session, and for a record that cannot be read.
    fn is_taken(&self, name: &str) -> Result<bool, Error> {
        match self.live(name) {
            Ok(live) => Ok(live.is_some()),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge) => {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }
}
