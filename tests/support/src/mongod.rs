//! `mongod`.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Kind, Server, ask::ask_socket, find_mongod};

/// A MongoDB server of its own.
pub type Mongod = Server<Mongo>;

/// The kind of [`Mongod`].
#[derive(Debug, Default)]
pub struct Mongo;

impl Kind for Mongo {
    const PROGRAM: &'static str = "mongod";

    fn find() -> Option<PathBuf> {
        find_mongod()
    }

    fn scheme(&self) -> &'static str {
        "mongodb"
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        command.args([
            "--bind_ip",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--wiredTigerCacheSizeGB",
            "0.25",
        ]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        command.arg("--dbpath").arg(folder.join("data"));
        command.arg("--unixSocketPrefix").arg(folder);
    }

    /// Asks over the Unix socket, which no other server can have taken. mongod listens there once the port is its own.
    fn answers(&self, folder: &Path, port: u16) -> io::Result<bool> {
        let answer = ask_socket(&folder.join(format!("mongodb-{port}.sock")), HELLO)?;
        // The answer names the request that it belongs to.
        Ok(answer.get(8..12) == Some(&[1, 0, 0, 0]))
    }
}

/// `{hello: 1, $db: "admin"}`, 31 bytes of BSON, as an `OP_MSG` of 52 bytes with the request id 1.
const HELLO: &[u8] = b"\x34\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\
    \x1f\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
