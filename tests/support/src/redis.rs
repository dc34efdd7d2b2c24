//! `redis-server`.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Kind, Server, ask::ask_socket, folder::Folder, tls};

/// A Redis server of its own. It keeps nothing on disk unless it is started with `--appendonly yes`.
pub type RedisServer = Server<Redis>;

/// The kind of [`RedisServer`].
#[derive(Debug, Default)]
pub struct Redis {
    tls: bool,
}

impl Kind for Redis {
    const PROGRAM: &'static str = "redis-server";

    fn scheme(&self) -> &'static str {
        if self.tls { "rediss" } else { "redis" }
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        let port = port.to_string();
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(folder.join("data"));
        command.arg("--unixsocket").arg(unix_socket(folder));
        if self.tls {
            command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
            command.arg("--tls-cert-file").arg(folder.join(tls::CERTIFICATE));
            command.arg("--tls-key-file").arg(folder.join(tls::KEY));
            command.arg("--tls-ca-cert-file").arg(folder.join(tls::CA_CERTIFICATE));
        } else {
            command.args(["--port", &port]);
        }
    }

    /// Asks over the Unix socket, which no other server can have taken. Redis opens it after its port.
    fn answers(&self, folder: &Path, _port: u16) -> io::Result<bool> {
        let answer = ask_socket(&unix_socket(folder), b"PING\r\n")?;
        // `-NOAUTH` comes from a server that asks for a password, `-LOADING` from one that is not ready.
        Ok(answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH"))
    }
}

impl RedisServer {
    /// A server that speaks TLS only, with a certificate for 127.0.0.1 and `localhost` from an authority of its own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), or if `openssl` is missing.
    pub fn start_tls() -> Result<Self, Error> {
        Self::start_tls_with(&[])
    }

    /// The same with more options.
    ///
    /// # Errors
    ///
    /// As [`start_tls`](Self::start_tls).
    pub fn start_tls_with(options: &[&str]) -> Result<Self, Error> {
        let folder = Folder::new()?;
        tls::make_certificates(folder.path())?;
        Self::start_in(folder, Redis { tls: true }, options)
    }

    /// The Unix socket that the server listens on too.
    #[must_use]
    pub fn unix_socket(&self) -> PathBuf {
        unix_socket(self.folder())
    }

    /// The certificate, in PEM, of the authority that a client has to trust. `None` if the server does not speak TLS.
    #[must_use]
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.kind().tls.then(|| self.folder().join(tls::CA_CERTIFICATE))
    }
}

fn unix_socket(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}
