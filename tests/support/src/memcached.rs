//! `memcached`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Kind, Server, ask::ask_port};

/// A memcached of its own.
pub type Memcached = Server<Memcache>;

/// The kind of [`Memcached`].
#[derive(Debug, Default)]
pub struct Memcache;

impl Kind for Memcache {
    const PROGRAM: &'static str = "memcached";

    fn scheme(&self) -> &'static str {
        "memcached"
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        // The file is there after a restart.
        let _ = fs::remove_file(port_file(folder));
        command.env("MEMCACHED_PORT_FILENAME", port_file(folder));
        // The user counts, and has to be given, only where root runs the tests.
        command.args([
            "-l",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-U",
            "0",
            "-t",
            "2",
            "-u",
            "root",
        ]);
    }

    /// memcached writes the file once the port is its own: whoever answers on the port is then this server.
    fn answers(&self, folder: &Path, port: u16) -> io::Result<bool> {
        fs::metadata(port_file(folder))?;
        Ok(!ask_port(port, b"version\r\n")?.is_empty())
    }
}

fn port_file(folder: &Path) -> PathBuf {
    folder.join("port")
}
