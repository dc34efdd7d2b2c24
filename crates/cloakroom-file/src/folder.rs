//! The folder: files that are read, replaced as a whole, and removed.
//!
//! Everything here blocks, so it runs on a thread for blocking work.

use std::{
    fs::{self, File, ReadDir},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use cloakroom_core::{Error, ErrorKind};
use tempfile::NamedTempFile;

use crate::{
    disk::Names,
    error::{STORE, above_limit, of_io},
    lock::{self, Lock},
    until::Until,
};

/// The subfolder for our own files: locks, and records that are not yet under their names. session-file-store lists
/// only files whose name ends with its extension, so it never sees this one.
pub(crate) const OWN: &str = ".cloakroom";

/// A folder of sessions.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    own: PathBuf,
    /// Whether a write is on the disk when it returns.
    durable: bool,
    /// The largest file that is read.
    max_record: u64,
}

/// A whole record that is on the disk, but not yet under its name. It is removed if it is dropped.
#[derive(Debug)]
pub(crate) struct Prepared(NamedTempFile);

impl Folder {
    pub(crate) fn new(path: PathBuf, durable: bool, max_record: u64) -> Self {
        let own = path.join(OWN);
        Self { path, own, durable, max_record }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text of a file, or `None` if it is missing.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, Error> {
        let read = || {
            let file = File::open(self.path.join(name))?;
            let about = file.metadata()?;
            if about.is_dir() {
                // Its length says nothing, and may be above the limit.
                return Err(io::ErrorKind::IsADirectory.into());
            }
            let length = about.len();
            let mut bytes = Vec::new();
            if length <= self.max_record {
                // Node.js writes into the file that is there, so it can grow just now.
                bytes.reserve(usize::try_from(length).unwrap_or_default());
                file.take(self.max_record.saturating_add(1)).read_to_end(&mut bytes)?;
            }
            Ok((length.max(bytes.len() as u64), bytes))
        };
        match read() {
            Ok((length, bytes)) => {
                self.check_size(length)?;
                String::from_utf8(bytes).map(Some).map_err(|_| {
                    Error::new(ErrorKind::Corrupt, STORE, "io", "the record is not valid UTF-8")
                })
            }
            // A folder is not a session, even if its name looks like one.
            Err(cause) if is_missing(&cause) || cause.kind() == io::ErrorKind::IsADirectory => {
                Ok(None)
            }
            Err(cause) => Err(of_io("read a session", &cause)),
        }
    }

    /// Rejects a file that is too large.
    pub(crate) fn check_size(&self, bytes: u64) -> Result<(), Error> {
        if bytes > self.max_record { Err(above_limit(bytes, self.max_record)) } else { Ok(()) }
    }

    /// Waits for the lock of a file. Every write and every removal comes after this.
    pub(crate) fn lock(&self, name: &str, until: &Until) -> Result<Lock, Error> {
        self.create()?;
        Lock::wait(&self.own.join(lock::file_of(name)), until)
    }

    /// Writes a text to the disk, for [`put`](Self::put) or [`put_new`](Self::put_new).
    pub(crate) fn prepare(&self, text: &str) -> Result<Prepared, Error> {
        self.create()?;
        let write = || {
            // `tempfile` creates it with mode 600: only the owner can read it.
            let mut file = NamedTempFile::new_in(&self.own)?;
            file.write_all(text.as_bytes())?;
            if self.durable {
                file.as_file().sync_data()?;
            }
            Ok(Prepared(file))
        };
        write().map_err(|cause| of_io("write a session", &cause))
    }

    /// Puts a record under its name. It replaces the record that is there, and takes its permissions.
    pub(crate) fn put(&self, prepared: Prepared, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        let put = || {
            // As session-file-store does: a Node.js process of another user that could read the session still can.
            if let Ok(there) = fs::metadata(&path) {
                prepared.0.as_file().set_permissions(there.permissions())?;
            }
            prepared.0.persist(&path).map_err(|failure| failure.error)
        };
        put().map(drop).map_err(|cause| of_io("write a session", &cause))
    }

    /// Puts a record under its name unless a file has that name. Returns false in that case.
    pub(crate) fn put_new(&self, prepared: Prepared, name: &str) -> Result<bool, Error> {
        match prepared.0.persist_noclobber(self.path.join(name)) {
            Ok(_) => Ok(true),
            Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(failure) => Err(of_io("write a session", &failure.error)),
        }
    }

    /// Removes a file. A missing one is not an error, and a folder of that name, which is not a session, stays.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(cause) if !is_missing(&cause) && !path.is_dir() => {
                Err(of_io("remove a session", &cause))
            }
            _ => Ok(()),
        }
    }

    /// Writes the folder to the disk after renames and removals. Otherwise a power failure could undo them, and a
    /// session could come back after its logout.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.names_in(&self.path).and_then(|names| names.sync()).map_err(not_on_the_disk)
    }

    /// Syncs the folder if it exists. A removal that finds no file syncs too: the call that removed the file may have
    /// failed before it synced, or may be about to.
    pub(crate) fn sync_if_there(&self) -> Result<(), Error> {
        match self.names_in(&self.path) {
            Err(cause) if is_missing(&cause) => Ok(()),
            names => names.and_then(|names| names.sync()).map_err(not_on_the_disk),
        }
    }

    /// Returns true if there is a folder for locks. Whoever holds one has created it.
    pub(crate) fn has_locks(&self) -> bool {
        self.own.is_dir()
    }

    /// Returns the files, or `None` if the folder does not exist.
    pub(crate) fn list(&self) -> Result<Option<ReadDir>, Error> {
        list(&self.path)
    }

    /// Returns the store's own files, or `None` if their folder does not exist.
    pub(crate) fn list_own(&self) -> Result<Option<ReadDir>, Error> {
        list(&self.own)
    }

    /// Creates the folder and its subfolder if they are missing, both for their owner only.
    fn create(&self) -> Result<(), Error> {
        if self.has_locks() {
            return Ok(());
        }
        self.create_from_the_top().map_err(|cause| of_io("create the folder", &cause))
    }

    /// A folder is on the disk before anything is created in it. So if several processes create folders, or one failed,
    /// only the innermost folder that exists may not be on the disk yet.
    fn create_from_the_top(&self) -> io::Result<()> {
        // The parent of a relative path is empty, and means the current folder.
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let missing: Vec<_> = self.path.ancestors().take_while(is_missing).collect();
        let innermost = missing.last().map_or(Some(&*self.path), |outermost| outermost.parent());
        if let Some(parent) = innermost.and_then(Path::parent) {
            match self.names_in(parent).and_then(|names| names.sync()) {
                // It is not ours: where we cannot sync, the loop below creates nothing.
                Err(cause) if cannot_be_synced(&cause) => {}
                synced => synced?,
            }
        }
        for folder in missing.into_iter().rev() {
            let names = self.names_in(folder.parent().unwrap_or(folder))?;
            create_one(folder)?;
            names.sync()?;
        }
        create_one(&self.own)
    }

    /// Returns the names in a folder, to be synced.
    fn names_in(&self, folder: &Path) -> io::Result<Names> {
        // Windows cannot sync a folder.
        if !self.durable || cfg!(not(unix)) {
            return Ok(Names::not_synced());
        }
        Names::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
    }
}

/// The files are as they were written, but a power failure may undo that.
fn not_on_the_disk(cause: io::Error) -> Error {
    of_io("write the folder to the disk", &cause).with_outcome_unknown()
}

/// Creates a folder for its owner only, unless another process was faster.
fn create_one(folder: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "modes are of Unix"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        created => created,
    }
}

fn list(path: &Path) -> Result<Option<ReadDir>, Error> {
    match fs::read_dir(path) {
        Ok(files) => Ok(Some(files)),
        Err(cause) if is_missing(&cause) => Ok(None),
        Err(cause) => Err(of_io("list the folder", &cause)),
    }
}

/// Returns true if a folder that an administrator created cannot be synced: we may not list it, or its file system is
/// read-only and has no such call.
fn cannot_be_synced(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput)
}

fn is_missing(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let temporary = tempfile::tempdir().unwrap();
        File::create(temporary.path().join("a.json")).unwrap().set_len(50 << 20).unwrap();
        let folder = Folder::new(temporary.path().into(), false, 16 << 20);
        let counted = allocation_counter::measure(|| {
            assert_eq!(folder.read("a.json").unwrap_err().kind(), ErrorKind::TooLarge);
        });
        assert!(counted.bytes_max < 10_000, "{counted:?}");
    }
}
