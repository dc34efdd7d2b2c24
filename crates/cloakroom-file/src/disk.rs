//! Brings the names in a folder to the disk.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// The names in a folder. A power failure can undo what was created, replaced or removed until they are synced.
#[derive(Debug)]
pub(crate) struct Names(Option<(PathBuf, File)>);

impl Names {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Some((path.to_owned(), File::open(path)?))))
    }

    /// Returns names that need not be on the disk.
    pub(crate) fn not_synced() -> Self {
        Self(None)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        let Some((_path, folder)) = &self.0 else { return Ok(()) };
        #[cfg(test)]
        tests::check(_path)?;
        folder.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use cloakroom_core::{Atomic, Enumerate, Error, SessionData, Store, Updated};

    use super::*;
    use crate::{FileOptions, FileStore};

    /// The folders whose disk fails.
    static FAILING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

    pub(super) fn check(path: &Path) -> io::Result<()> {
        let failing = FAILING.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.iter().any(|failing| failing == path) {
            return Err(io::Error::other("the disk fails"));
        }
        Ok(())
    }

    fn fail(path: &Path) {
        FAILING.lock().unwrap().push(path.to_owned());
    }

    fn repair(path: &Path) {
        FAILING.lock().unwrap().retain(|failing| failing != path);
    }

    fn store(path: &Path, durable: bool) -> FileStore {
        let options = FileOptions::default().with_durable(durable);
        FileStore::in_folder(path, options).unwrap()
    }

    fn session() -> SessionData {
        let mut session = SessionData::new();
        session.insert("user", "ann").unwrap();
        session
    }

    fn assert_unknown<T: std::fmt::Debug>(answer: Result<T, Error>) {
        let error = answer.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        assert!(error.to_string().contains("cannot write the folder to the disk"), "{error}");
    }

    #[tokio::test]
    async fn a_removal_that_is_not_on_the_disk_is_never_told_as_done() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), true);
        store.set("a", &session()).await.unwrap();
        let mut ended = store.get("a").await.unwrap().unwrap();
        ended.cookie_mut().set_expires_ms(Some(1), 1).unwrap();
        fail(folder.path());
        assert_unknown(store.destroy("a").await);
        assert_eq!(store.get("a").await.unwrap(), None);
        // The file is gone, and a power failure would still bring it back.
        assert_unknown(store.destroy("a").await);
        assert_unknown(store.set("a", &ended).await);
        assert_unknown(store.touch("a", &ended).await);
        assert_unknown(store.update("a", &ended).await);
        assert_unknown(store.clear().await);
        // Only Node.js has used the folder.
        std::fs::remove_dir_all(folder.path().join(".cloakroom")).unwrap();
        assert_unknown(store.destroy("a").await);
        repair(folder.path());
        store.destroy("a").await.unwrap();
        assert!(matches!(store.update("a", &ended).await.unwrap(), Updated::Gone));
        store.clear().await.unwrap();
    }

    #[tokio::test]
    async fn a_new_folder_is_on_the_disk_before_a_session_is_in_it() {
        let guard = tempfile::tempdir().unwrap();
        let (above, path) = (guard.path().join("a"), guard.path().join("a/sessions"));
        let store = store(&path, true);
        for failing in [guard.path(), &above] {
            fail(failing);
            // Again, since the first call has created the folder.
            for _ in 0..2 {
                let error = store.set("a", &session()).await.unwrap_err();
                assert_eq!(
                    error.to_string(),
                    "file: set: cannot create the folder: the system refused"
                );
                assert!(!error.outcome_unknown());
                assert!(!path.join("a.json").exists());
            }
            repair(failing);
        }
        store.set("a", &session()).await.unwrap();
    }

    #[tokio::test]
    async fn without_durable_no_folder_is_synced() {
        let guard = tempfile::tempdir().unwrap();
        let path = guard.path().join("sessions");
        fail(guard.path());
        fail(&path);
        let store = store(&path, false);
        store.set("a", &session()).await.unwrap();
        store.destroy("a").await.unwrap();
        store.destroy("a").await.unwrap();
        store.clear().await.unwrap();
    }
}
