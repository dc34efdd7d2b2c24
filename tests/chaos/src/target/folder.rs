//! A folder of files: the system is the server, so only the processes can be harmed.

use fastrand::Rng;
use tempfile::TempDir;

use super::{Failure, Fault, NpmStore, Target, single::with_deadline};
use crate::history::{Loss, Lost};

/// Files of a new folder.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
}

impl Folder {
    /// A new folder.
    ///
    /// # Errors
    ///
    /// If the system gives none.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self { folder: tempfile::tempdir()? })
    }
}

impl Target for Folder {
    fn version(&self) -> String {
        "files".to_owned()
    }

    fn url(&self, _process: usize) -> String {
        with_deadline(&self.plain_url())
    }

    fn plain_url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// session-file-store takes no lock, so what it writes can be lost.
    fn npm(&self) -> Option<NpmStore> {
        None
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::KillClient, Fault::FreezeClient]
    }

    fn loses(&self, _fault: Fault) -> Lost {
        Lost::Nothing
    }

    fn told(&mut self) -> Result<Vec<Loss>, Failure> {
        Ok(Vec::new())
    }

    fn begin(&mut self, fault: Fault, _random: &mut Rng) -> Result<(), Failure> {
        Err(format!("{fault} is nothing that a folder does").into())
    }

    fn end(&mut self, _fault: Fault) -> Result<(), Failure> {
        Ok(())
    }
}
