//! Temporary folders.

use std::{
    env, fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::{Error, unique};

/// A new folder that only this user can read. It is removed on drop, with all that is in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Result<Self, Error> {
        let path = env::temp_dir().join(unique("cloakroom"));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Error::io("create", &path, &error))?;
        let folder = Self { path };
        folder.empty_data()?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the output of the program goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    pub(crate) fn read_log(&self) -> String {
        fs::read(self.log())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last lines of the log, as the end of an error's text.
    pub(crate) fn end_of_log(&self) -> String {
        let text = self.read_log();
        let lines: Vec<&str> = text.lines().collect();
        match lines.as_slice() {
            [] => "its log is empty".to_owned(),
            lines => {
                format!("its log ends:\n  {}", lines[lines.len().saturating_sub(20)..].join("\n  "))
            }
        }
    }

    /// Creates the folder again that holds what outlives a restart.
    pub(crate) fn empty_data(&self) -> Result<(), Error> {
        let data = self.path.join("data");
        match fs::remove_dir_all(&data) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir(&data),
        }
        .map_err(|error| Error::io("empty", &data, &error))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that passed does not fail because a temporary folder is left behind.
        let _ = fs::remove_dir_all(&self.path);
    }
}
