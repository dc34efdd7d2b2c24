//! An encryption that fails is the same error in every store that encrypts. Nothing is sent, so no server is needed.

use std::{path::Path, sync::Arc};

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use cloakroom_encryption::Encryption;
use cloakroom_file::{FileOptions, FileStore};
use cloakroom_memcached::{MemcachedOptions, MemcachedStore};
use cloakroom_mongodb::{MongoOptions, MongoStore};

/// Nothing listens there.
const ADDR: &str = "127.0.0.1:9";

#[derive(Debug)]
enum Broken {
    Panics,
    Refuses,
}

impl Encryption for Broken {
    fn encrypt(&self, session_json: &str) -> Result<String, Error> {
        match self {
            Self::Panics => panic!("{session_json}"),
            Self::Refuses => Err(Error::new(ErrorKind::Other, "encryption", "encrypt", "refused")),
        }
    }

    fn decrypt(&self, stored: &str) -> Result<String, Error> {
        self.encrypt(stored)
    }
}

fn stores(broken: Broken, folder: &Path) -> [Box<dyn Store>; 3] {
    let encryption = Some(Arc::new(broken) as Arc<dyn Encryption>);
    let mut of_memcached = MemcachedOptions::default();
    of_memcached.encryption.clone_from(&encryption);
    let mut of_mongodb = MongoOptions::default();
    of_mongodb.encryption.clone_from(&encryption);
    let mut of_files = FileOptions::default();
    of_files.encryption = encryption;
    [
        Box::new(MemcachedStore::open_with(&format!("memcached://{ADDR}"), of_memcached).unwrap()),
        Box::new(MongoStore::open_with(&format!("mongodb://{ADDR}"), of_mongodb).unwrap()),
        Box::new(FileStore::in_folder(folder, of_files).unwrap()),
    ]
}

#[tokio::test]
async fn an_encryption_that_panics_or_refuses_is_the_same_error_in_every_store() {
    let session = SessionData::from_json(r#"{"cookie":{},"user":"hush"}"#).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (broken, message) in
        [(Broken::Panics, "the work on another thread panicked"), (Broken::Refuses, "refused")]
    {
        for store in stores(broken, folder.path()) {
            let error = store.set("a", &session).await.unwrap_err();
            let name = store.name();
            assert_eq!((error.store(), error.operation()), (name, "set"));
            assert_eq!(
                (error.kind(), error.outcome_unknown()),
                (ErrorKind::Other, false),
                "{name}"
            );
            assert_eq!(error.to_string(), format!("{name}: set: {message}"));
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
    }
}
