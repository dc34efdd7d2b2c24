//! The folder: files that are read, replaced as a whole, and removed.
//!
//! Everything here blocks, and runs on a thread for blocking work.

use std::{
    fs::{self, File, ReadDir},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use cloakroom_core::{Error, ErrorKind};
use tempfile::NamedTempFile;

use crate::{
    error::{STORE, of_io},
    lock::{self, Lock},
};

/// The folder in the folder for files of our own: locks, and records that are not yet in their place.
/// session-file-store lists the files whose name ends with its extension, so it never sees this one.
pub(crate) const OWN: &str = ".cloakroom";

/// A folder of sessions.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    own: PathBuf,
    /// Whether a write is on the disk when it returns.
    durable: bool,
}

/// A whole record that is on the disk, but not yet under its name. It is removed if it is dropped.
#[derive(Debug)]
pub(crate) struct Prepared(NamedTempFile);

impl Folder {
    pub(crate) fn new(path: PathBuf, durable: bool) -> Self {
        let own = path.join(OWN);
        Self { path, own, durable }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text of a file, or `None` if it is missing.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, Error> {
        match fs::read(self.path.join(name)) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
                Error::new(ErrorKind::Corrupt, STORE, "io", "the record is not valid UTF-8")
            }),
            // A folder is not a session, even if its name looks like one.
            Err(cause) if is_missing(&cause) || cause.kind() == io::ErrorKind::IsADirectory => {
                Ok(None)
            }
            Err(cause) => Err(of_io("read a session", &cause)),
        }
    }

    /// Waits for the lock of a file.
    pub(crate) fn lock(&self, name: &str, until: Instant) -> Result<Lock, Error> {
        self.create()?;
        Lock::wait(&self.own.join(lock::file_of(name)), until)
    }

    /// Writes a text to the disk, for [`put`](Self::put) or [`put_new`](Self::put_new).
    pub(crate) fn prepare(&self, text: &str) -> Result<Prepared, Error> {
        self.create()?;
        let write = || {
            // The owner alone can read it.
            let mut file = NamedTempFile::new_in(&self.own)?;
            file.write_all(text.as_bytes())?;
            if self.durable {
                file.as_file().sync_data()?;
            }
            Ok(Prepared(file))
        };
        write().map_err(|cause| of_io("write a session", &cause))
    }

    /// Puts a record under its name, in place of the one that is there, and with its permissions.
    pub(crate) fn put(&self, prepared: Prepared, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        let put = || {
            // As session-file-store does: who could read the session still can.
            if let Ok(there) = fs::metadata(&path) {
                prepared.0.as_file().set_permissions(there.permissions())?;
            }
            prepared.0.persist(&path).map_err(|failure| failure.error)
        };
        put().map(drop).map_err(|cause| of_io("write a session", &cause))
    }

    /// Puts a record under its name if there is no such file. Returns whether it did.
    pub(crate) fn put_new(&self, prepared: Prepared, name: &str) -> Result<bool, Error> {
        match prepared.0.persist_noclobber(self.path.join(name)) {
            Ok(_) => Ok(true),
            Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(failure) => Err(of_io("write a session", &failure.error)),
        }
    }

    /// Removes a file. A missing one is not an error.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        match fs::remove_file(self.path.join(name)) {
            Err(cause) if !is_missing(&cause) => Err(of_io("remove a session", &cause)),
            _ => Ok(()),
        }
    }

    /// Makes the names of all files last, after writes and removals.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        // Windows has no such call.
        if self.durable && cfg!(unix) {
            let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
            return synced.map_err(|cause| of_io("write the folder to the disk", &cause));
        }
        Ok(())
    }

    /// Returns the files, or `None` without a folder.
    pub(crate) fn list(&self) -> Result<Option<ReadDir>, Error> {
        list(&self.path)
    }

    /// Returns the store's own files, or `None` without them.
    pub(crate) fn list_own(&self) -> Result<Option<ReadDir>, Error> {
        list(&self.own)
    }

    fn create(&self) -> Result<(), Error> {
        if self.own.is_dir() {
            return Ok(());
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.own).map_err(|cause| of_io("create the folder", &cause))
    }
}

fn list(path: &Path) -> Result<Option<ReadDir>, Error> {
    match fs::read_dir(path) {
        Ok(files) => Ok(Some(files)),
        Err(cause) if is_missing(&cause) => Ok(None),
        Err(cause) => Err(of_io("list the folder", &cause)),
    }
}

fn is_missing(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound
}
