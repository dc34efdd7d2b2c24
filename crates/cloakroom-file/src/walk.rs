//! The walk through the folder: the names of the sessions' files, each once.

use std::{
    collections::HashSet,
    fs::ReadDir,
    hash::{BuildHasher, RandomState},
};

use cloakroom_core::Error;

use crate::{error::of_io, name, store::Shared};

/// The number of names in a page, whose files are read together on one blocking thread, and their approximate size in
/// bytes.
const PAGE: usize = 128;
const BYTES: u64 = 4 << 20;

/// How many names of the folder are looked at for a page, most of which can be known already.
const LOOKS: usize = 8_192;

/// How often the folder is read at most. On a site that is used, each pass finds new sessions.
const PASSES: u32 = 8;

/// How far the folder is read.
///
/// A rename over a file gives its name another place in the order of tmpfs and btrfs. The reader can be past that place,
/// so a session that is written during the walk could be left out. Therefore the folder is read again until a pass finds
/// no new name. A pass does not read the files of known names again.
#[derive(Default)]
pub(crate) struct Walk {
    /// The rest of a pass.
    files: Option<ReadDir>,
    /// The hashes of the names that were found.
    known: HashSet<u64>,
    hasher: RandomState,
    passes: u32,
    /// Whether the last pass has found a name.
    has_found: bool,
}

impl Walk {
    /// Begins another pass. Returns false if there is nothing left to find.
    fn begin(&mut self) -> bool {
        let begins = self.passes == 0 || (self.has_found && self.passes < PASSES);
        self.passes += 1;
        self.has_found = false;
        begins
    }

    fn is_new(&mut self, name: &str) -> bool {
        let is_new = self.known.insert(self.hasher.hash_one(name));
        self.has_found |= is_new;
        is_new
    }
}

impl Shared {
    /// Returns the next new names, perhaps an empty list, and the rest of the walk. `None` at the end.
    pub(crate) fn page(&self, mut walk: Walk) -> Result<Option<(Vec<String>, Walk)>, Error> {
        let mut files = match walk.files.take() {
            Some(files) => files,
            None if !walk.begin() => return Ok(None),
            None => match self.folder.list()? {
                Some(files) => files,
                None => return Ok(None),
            },
        };
        let (mut names, mut bytes) = (Vec::with_capacity(PAGE), 0);
        let extension = &*self.options.file_extension;
        for _ in 0..LOOKS {
            let Some(file) = files.next() else { return Ok(Some((names, walk))) };
            let file = file.map_err(|cause| of_io("list the folder", &cause))?;
            // An id is UTF-8, so a name that is not belongs to another program.
            let Ok(name) = file.file_name().into_string() else { continue };
            if name::to_id(&name, extension).is_some() && walk.is_new(&name) {
                // A file that is gone has no size, and one that is too large is not read.
                let size = file.metadata().map_or(0, |about| about.len());
                bytes += if size > self.options.max_record { 0 } else { size };
                names.push(name);
            }
            if names.len() == PAGE || bytes >= BYTES {
                break;
            }
        }
        walk.files = Some(files);
        Ok(Some((names, walk)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use futures::TryStreamExt;

    use crate::{FileOptions, FileStore};

    #[tokio::test]
    async fn a_page_of_large_files_has_fewer_names() {
        let folder = tempfile::tempdir().unwrap();
        for (number, megabytes) in [1, 1, 1, 1, 1, 1, 1, 100].into_iter().enumerate() {
            let file = File::create(folder.path().join(format!("{number}.json"))).unwrap();
            file.set_len(megabytes << 20).unwrap();
        }
        let store = FileStore::in_folder(folder.path(), FileOptions::default()).unwrap();
        let pages: Vec<_> = store.pages("all").try_collect().await.unwrap();
        let count: usize = pages.iter().map(Vec::len).sum();
        // The largest one is not read, so that it takes no room.
        assert_eq!((pages.len(), count), (2, 8), "{pages:?}");
    }
}
