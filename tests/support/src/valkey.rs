//! `valkey-server`.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Kind, Redis, Server, find_valkey};

/// A Valkey server of its own. It keeps nothing on disk.
pub type ValkeyServer = Server<Valkey>;

/// The kind of [`ValkeyServer`]. It is started and asked as Redis is.
#[derive(Debug, Default)]
pub struct Valkey(Redis);

impl Kind for Valkey {
    const PROGRAM: &'static str = "valkey-server";

    fn find() -> Option<PathBuf> {
        find_valkey()
    }

    fn scheme(&self) -> &'static str {
        "valkey"
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        self.0.configure(command, folder, port);
    }

    fn answers(&self, folder: &Path, port: u16) -> io::Result<bool> {
        self.0.answers(folder, port)
    }
}
