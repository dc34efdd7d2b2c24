//! The file of a session.

use std::{fs, sync::LazyLock};

use cloakroom_core::{Atomic, ErrorKind, Store, Updated};
use cloakroom_file::{FileOptions, FileStore};
use tempfile::TempDir;

use crate::{runtime::block_on, session};

/// A folder for the whole process, and its store.
static FOLDER: LazyLock<(TempDir, FileStore)> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let url = format!("file://{}", folder.path().display());
    let options = FileOptions::default().with_durable(false);
    let store = FileStore::open_with(&url, options).expect("the URL is right");
    (folder, store)
});

/// Any file is a session, no session, or corrupt; and what is read of it can be changed and touched.
pub(crate) fn record(input: &[u8]) {
    let (folder, store) = &*FOLDER;
    fs::write(folder.path().join("anid.json"), input).expect("the folder is ours");
    block_on(async {
        let mut found = match store.get("anid").await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                return session::check_error(&error, input);
            }
        };
        session::check(&found);
        // The time is the store's, and no member of the session.
        assert!(!found.contains("__lastAccess"));
        store.touch("anid", &found).await.expect("a session that was read can be touched");
        let touched = store.get("anid").await.expect("it was read before");
        if let Some(touched) = touched {
            assert_eq!(touched.loaded_json(), found.loaded_json());
        }
        found.insert("views", 2).expect("the name and the number are harmless");
        match store.update("anid", &found).await {
            Ok(Updated::Stored(_)) => {
                let stored = store.get("anid").await.expect("it was written");
                let stored = stored.expect("its expiry is an hour from now");
                assert_eq!(stored.to_json(), found.to_json());
            }
            // Its time is over, or too far away for the store.
            Ok(Updated::Gone) => {}
            Ok(Updated::Conflict(current)) => panic!("it became {current:?}"),
            Err(error) => session::check_error(&error, input),
        }
    });
}
