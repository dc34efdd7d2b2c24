//! `mongod`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Kind, Server, ask::ask_socket, find_mongod, folder::Folder, tls};

/// The key and the certificate in one file, as `mongod` wants them.
const KEY_AND_CERTIFICATE: &str = "server.pem";

/// A MongoDB server of its own.
pub type Mongod = Server<Mongo>;

/// The kind of [`Mongod`].
#[derive(Debug, Default)]
pub struct Mongo {
    tls: bool,
}

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
        // Three files of 100 MB by default, which are filled before they are used. A document of 16 MB still fits.
        command.args(["--wiredTigerEngineConfigString", "log=(file_max=32MB,prealloc=false)"]);
        command.arg("--dbpath").arg(folder.join("data"));
        command.arg("--unixSocketPrefix").arg(folder);
        if self.tls {
            command.args(["--tlsMode", "preferTLS", "--tlsAllowConnectionsWithoutCertificates"]);
            command.arg("--tlsCertificateKeyFile").arg(folder.join(KEY_AND_CERTIFICATE));
            command.arg("--tlsCAFile").arg(folder.join(tls::CA_CERTIFICATE));
        }
    }

    /// Asks over the Unix socket, which no other server can have taken. mongod listens there once the port is its own.
    fn answers(&self, folder: &Path, port: u16) -> io::Result<bool> {
        let answer = ask_socket(&folder.join(format!("mongodb-{port}.sock")), HELLO)?;
        // The answer names the request that it belongs to.
        Ok(answer.get(8..12) == Some(&[1, 0, 0, 0]))
    }
}

impl Mongod {
    /// A server that takes TLS on its port, with a certificate for 127.0.0.1 and `localhost` from an authority of its own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), or if `openssl` is missing.
    pub fn start_tls() -> Result<Self, Error> {
        let folder = Folder::new()?;
        tls::make_certificates(folder.path())?;
        let read = |name: &str| {
            let file = folder.path().join(name);
            fs::read(&file).map_err(|error| Error::io("read", &file, &error))
        };
        let both = [read(tls::KEY)?, read(tls::CERTIFICATE)?].concat();
        let file = folder.path().join(KEY_AND_CERTIFICATE);
        fs::write(&file, both).map_err(|error| Error::io("write", &file, &error))?;
        Self::start_in(folder, Mongo { tls: true }, &[])
    }

    /// The certificate, in PEM, of the authority that a client has to trust. `None` if the server does not take TLS.
    #[must_use]
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.kind().tls.then(|| self.folder().join(tls::CA_CERTIFICATE))
    }
}

/// `{hello: 1, $db: "admin"}`, 31 bytes of BSON, as an `OP_MSG` of 52 bytes with the request id 1.
const HELLO: &[u8] = b"\x34\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\
    \x1f\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
