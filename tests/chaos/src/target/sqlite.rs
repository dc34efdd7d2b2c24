//! A file of SQLite. It has no server, so a run harms the client processes, and holds the lock that every write needs.
//!
//! The file is never full here: SQLite's limit, `max_page_count`, belongs to a connection and not to the file. A test of
//! `cloakroom-sql` has a full one.
//!
//! The npm store is better-sqlite3-session-store. connect-sqlite3 0.9.18 loses writes that it has acknowledged: its driver,
//! sqlite3 5.1.7, has several statements open on one connection, and SQLite then ends their transactions together. If one of
//! them has waited too long for the lock, all are rolled back.

use std::time::Duration;

use fastrand::Rng;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{Failure, Fault, NpmStore, Target, single::with_deadline};
use crate::history::{Loss, Lost};

/// How long the lock may be waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file in a new folder.
pub(super) struct SqliteFile {
    runtime: Runtime,
    folder: TempDir,
    version: String,
    /// Has a transaction open while the lock is held.
    holder: Option<SqliteConnection>,
}

impl SqliteFile {
    pub(super) fn new() -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let version = runtime.block_on(async {
            let mut memory = SqliteConnection::connect("sqlite::memory:").await?;
            sqlx::query("SELECT sqlite_version()").fetch_one(&mut memory).await?.try_get(0)
        })?;
        Ok(Self { runtime, folder: tempfile::tempdir()?, version, holder: None })
    }

    fn hold(&mut self) -> Result<(), Failure> {
        let path = self.folder.path().join("sessions.db");
        self.holder = Some(self.runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE);
            let mut holder = options.connect().await?;
            sqlx::query("BEGIN IMMEDIATE").execute(&mut holder).await?;
            Ok::<_, sqlx::Error>(holder)
        })?);
        Ok(())
    }

    fn release(&mut self) -> Result<(), Failure> {
        let mut holder = self.holder.take().ok_or("nobody holds the lock")?;
        self.runtime.block_on(async {
            sqlx::query("ROLLBACK").execute(&mut holder).await?;
            holder.close().await
        })?;
        Ok(())
    }
}

impl Target for SqliteFile {
    fn version(&self) -> String {
        format!("SQLite {}", self.version)
    }

    fn url(&self, _process: usize) -> String {
        with_deadline(&self.plain_url())
    }

    fn plain_url(&self) -> String {
        let folder = self.folder.path().display();
        format!("sqlite://{folder}/sessions.db?counterpart=better-sqlite3-session-store")
    }

    fn npm(&self) -> Option<NpmStore> {
        let url = format!("sqlite:{}/sessions.db", self.folder.path().display());
        Some(NpmStore { store: "sql-bettersqlite", url, options: "{}" })
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::KillClient, Fault::FreezeClient, Fault::Lock]
    }

    fn loses(&self, _fault: Fault) -> Lost {
        Lost::Nothing
    }

    fn begin(&mut self, fault: Fault, _random: &mut Rng) -> Result<(), Failure> {
        if fault != Fault::Lock {
            return Err(format!("unsupported fault for a file: {fault}").into());
        }
        self.hold()
    }

    fn told(&mut self) -> Result<Vec<Loss>, Failure> {
        Ok(Vec::new())
    }

    fn end(&mut self, _fault: Fault) -> Result<(), Failure> {
        self.release()
    }
}
