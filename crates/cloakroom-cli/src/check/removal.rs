//! The removal of everything that the suite has stored.

use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use cloakroom::{
    ErrorKind, ExpressSession, file::FileStore, mongodb::mongodb::Client, sql::SqlStore,
};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::time::sleep;

use super::{
    gate::LONGEST,
    place::{Kind, Place},
};
use crate::{
    failure::Failure,
    probe,
    stores::store,
    url::{sqlite_file, with_parameter},
};

/// How many tables or sessions are removed at the same time.
const AT_ONCE: usize = 8;

/// How long to wait before the collections are dropped again.
const PAUSE: Duration = Duration::from_millis(20);

impl Place {
    /// Lets no case go on, and removes everything that the suite has stored.
    pub(super) async fn remove(&self) -> Result<(), Failure> {
        let noted = self.gate.shut().await;
        match &self.kind {
            Kind::Memory => Ok(()),
            Kind::Prefix => self.clear().await,
            Kind::PrefixUnlessLong => {
                for (url, sid) in noted {
                    store(&url)?.destroy(&sid.unwrap_or_default()).await?;
                }
                self.clear().await
            }
            Kind::Collection => self.drop_collections().await,
            Kind::Folder => self.remove_folders(),
            Kind::Table => {
                let mut urls: BTreeSet<String> = noted.into_iter().map(|(url, _)| url).collect();
                urls.insert(self.part(0).url);
                let dropped = stream::iter(urls).map(|url| async move {
                    Ok::<_, Failure>(SqlStore::open(&url)?.drop_table().await?)
                });
                dropped.buffer_unordered(AT_ONCE).try_collect().await
            }
            Kind::FileBeside => self.remove_files(),
            Kind::Ids(sessions) => {
                let ids = noted.into_iter().filter_map(|(_, sid)| sid);
                let destroyed = stream::iter(ids).map(|sid| destroy(sessions, sid));
                destroyed.buffer_unordered(AT_ONCE).try_collect().await
            }
        }
    }

    /// The prefixes of all parts begin with the name, so one pass over the keys is enough.
    async fn clear(&self) -> Result<(), Failure> {
        Ok(store(&with_parameter(&self.url, "prefix", self.name()))?.clear().await?)
    }

    /// Drops the collections until no store of the suite is connected. mongod carries out a command although its client
    /// has gone: one that creates an index creates the dropped collection again.
    async fn drop_collections(&self) -> Result<(), Failure> {
        let failed = |_| Failure::usage("mongodb: cannot drop the suite's collections");
        let client = Client::with_uri_str(probe::mongodb::driver_url(&self.url)).await;
        let client = client.map_err(failed)?;
        let database = client.database(&probe::mongodb::database(&self.url));
        let since = Instant::now();
        loop {
            let is_last = since.elapsed() > LONGEST
                || !probe::mongodb::is_connected(&client, self.name()).await;
            for name in database.list_collection_names().await.map_err(failed)? {
                if name.starts_with(self.name()) {
                    let collection = database.collection::<probe::mongodb::Document>(&name);
                    collection.drop().await.map_err(failed)?;
                }
            }
            if is_last {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    fn remove_folders(&self) -> Result<(), Failure> {
        for number in 0..=self.count() {
            let store = FileStore::open(&self.part(number).url)?;
            unless_gone(fs::remove_dir_all(store.path()), "folder")?;
        }
        Ok(())
    }

    /// Removes the files of SQLite, with the log and the index of each.
    fn remove_files(&self) -> Result<(), Failure> {
        let file = sqlite_file(&self.url);
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let entries = fs::read_dir(folder);
        let cannot_list = |cause: io::Error| {
            Failure::usage(format!("cannot list the folder of the file: {}", cause.kind()))
        };
        for entry in entries.map_err(cannot_list)? {
            let entry = entry.map_err(cannot_list)?;
            if entry.file_name().to_string_lossy().starts_with(self.name()) {
                unless_gone(fs::remove_file(entry.path()), "file")?;
            }
        }
        Ok(())
    }
}

/// Destroys a session that the suite may have stored.
async fn destroy(sessions: &ExpressSession, sid: String) -> Result<(), Failure> {
    let Err(error) = sessions.destroy(&sid).await else { return Ok(()) };
    match sessions.get(&sid).await {
        Ok(None) => Ok(()),
        // An id that the store does not accept. Whoever can be reached would have the session.
        Err(refused) if ![ErrorKind::Unavailable, ErrorKind::Timeout].contains(&refused.kind()) => {
            Ok(())
        }
        _ => Err(error.into()),
    }
}

fn unless_gone(removed: io::Result<()>, what: &str) -> Result<(), Failure> {
    match removed {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(Failure::usage(format!("cannot remove the suite's {what}: {}", cause.kind())))
        }
        _ => Ok(()),
    }
}
