//! A Redis Sentinel.

use std::{fs, io, path::Path, process::Command};

use crate::{Kind, Server, ask::ask_port};

/// A Redis Sentinel of its own, which watches nothing.
pub type SentinelServer = Server<Sentinel>;

/// The kind of [`SentinelServer`].
#[derive(Debug, Default)]
pub struct Sentinel;

impl Kind for Sentinel {
    const PROGRAM: &'static str = "redis-server";

    fn scheme(&self) -> &'static str {
        "redis"
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        // A Sentinel writes to its file. Without one it does not start, and says so in its log.
        let file = folder.join("sentinel.conf");
        let _ = fs::write(&file, format!("bind 127.0.0.1\nport {port}\n"));
        command.arg(file).arg("--sentinel");
    }

    /// Sentinel has no Unix socket: that it is this one, the port that it was given has to tell.
    fn answers(&self, _folder: &Path, port: u16) -> io::Result<bool> {
        Ok(ask_port(port, b"PING\r\n")?.starts_with(b"+PONG"))
    }
}
