//! Removes expired sessions.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use cloakroom_backend::Idempotency;
use cloakroom_core::Error;
use futures::TryStreamExt;

use crate::{FileStore, enumerate::Time, error::of_io, store::Shared, until::Until};

/// The age from which an unfinished record counts as left behind by a killed process. A write takes no longer than its
/// deadline, so this never removes one in progress.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);

impl FileStore {
    /// Removes expired sessions and the unfinished records of killed processes. Returns the number of removed sessions.
    ///
    /// It reads every file. The store calls it once per [`reap_interval`](crate::FileOptions::reap_interval), and
    /// session-file-store has the same. A record that cannot be read stays.
    ///
    /// # Errors
    ///
    /// As for any operation. Each page of the folder has its own deadline.
    pub async fn remove_expired(&self) -> Result<u64, Error> {
        let mut removed = 0;
        let mut pages = std::pin::pin!(self.pages("remove_expired"));
        while let Some(mut names) = pages.try_next().await? {
            while !names.is_empty() {
                let operation = self.operation("remove_expired", Idempotency::Repeatable);
                let until = Until::new(operation.deadline().into_std());
                let time = Time::of(&operation);
                let work = move |shared: &Shared| shared.remove_if_expired(names, &until, &time);
                let (count, rest) = self.reading(&operation, work).await?;
                removed += count;
                names = rest;
            }
        }
        let operation = self.operation("remove_expired", Idempotency::Repeatable);
        self.reading(&operation, Shared::remove_what_was_left_behind).await?;
        Ok(removed)
    }
}

impl Shared {
    /// Returns the number of removed files, and the names of those for which there was no time.
    fn remove_if_expired(
        &self,
        names: Vec<String>,
        until: &Until,
        time: &Time,
    ) -> Result<(u64, Vec<String>), Error> {
        let (mut removed, mut names) = (0, names.into_iter());
        for name in names.by_ref() {
            if self.has_expired(&name) {
                let _lock = self.folder.lock(&name, until)?;
                // Checked again under the lock: it can have been touched or replaced since.
                if self.has_expired(&name) {
                    self.folder.remove(&name)?;
                    removed += 1;
                }
            }
            if time.is_over() {
                break;
            }
        }
        Ok((removed, names.collect()))
    }

    fn has_expired(&self, name: &str) -> bool {
        matches!(self.record(name), Ok(Some(record)) if self.is_expired(&record))
    }

    fn remove_what_was_left_behind(&self) -> Result<(), Error> {
        let refused = |cause| of_io("remove a file that was left behind", &cause);
        for file in self.folder.list_own()?.into_iter().flatten() {
            let file = file.map_err(refused)?;
            if file.file_name().to_string_lossy().starts_with("lock-") {
                continue;
            }
            let written = file.metadata().and_then(|metadata| metadata.modified());
            let age = written.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age > LEFT_BEHIND) {
                // Another process may have removed it first.
                drop(fs::remove_file(file.path()));
            }
        }
        Ok(())
    }
}
