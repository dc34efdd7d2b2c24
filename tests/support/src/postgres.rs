//! PostgreSQL.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Error, Kind, Server,
    ask::ask_socket,
    cluster::{self, User},
    find_program,
    folder::Folder,
    tls,
};

/// A PostgreSQL server of its own, whose user `postgres` needs no password, with the database `postgres`.
pub type Postgres = Server<Pg>;

/// The kind of [`Postgres`].
#[derive(Debug, Default)]
pub struct Pg {
    tls: bool,
}

impl Postgres {
    /// A server that takes TLS on its port, with a certificate for 127.0.0.1 and `localhost` from an authority of its own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), or if `openssl` is missing.
    pub fn start_tls() -> Result<Self, Error> {
        let folder = Folder::new()?;
        tls::make_certificates(folder.path())?;
        Self::start_in(folder, Pg { tls: true }, &[])
    }

    /// The certificate, in PEM, of the authority that a client has to trust. `None` if the server does not take TLS.
    #[must_use]
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.kind().tls.then(|| self.folder().join(tls::CA_CERTIFICATE))
    }
}

/// The path of a program of PostgreSQL, of which Debian has the newest in `/usr/lib/postgresql/15/bin`.
fn find(program: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .collect();
    folders.sort_unstable();
    let newest = folders.into_iter().rev().map(|(_, folder)| folder.join("bin").join(program));
    find_program(program).or_else(|| newest.into_iter().find(|path| path.is_file()))
}

impl Kind for Pg {
    const PROGRAM: &'static str = "postgres";
    const HAS_CHILDREN: bool = true;

    fn find() -> Option<PathBuf> {
        find(Self::PROGRAM)
    }

    fn scheme(&self) -> &'static str {
        "postgres"
    }

    fn url(&self, addr: &str) -> String {
        format!("postgres://postgres@{addr}/postgres")
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        let data = folder.join("data").join("cluster");
        let user = User::instead_of_root("postgres");
        if let Some(user) = user {
            // The server refuses to start if it cannot write there, and says so.
            let _ = user.own(folder).and_then(|()| user.own(&folder.join("data")));
            if self.tls {
                let _ = user.own(&folder.join(tls::KEY));
            }
            user.run(command);
        }
        if !data.exists() {
            let name = cluster::name_of(command.get_program());
            cluster::fill(&data, &folder.join("log"), user, &name, |data| {
                let mut initdb = Command::new(find("initdb").unwrap_or_else(|| "initdb".into()));
                initdb.current_dir(folder).args(["--username=postgres", "--auth=trust"]);
                // It writes the zone of the machine into the configuration.
                initdb.env("TZ", "UTC");
                initdb.args(["--encoding=UTF8", "--locale=C", "--no-sync"]);
                initdb.arg("--pgdata").arg(data);
                initdb
            });
        }
        // What a killed server has left behind. A process that now has its id would be taken for the server.
        for left in [data.join("postmaster.pid"), folder.join(format!("{}.lock", socket(port)))] {
            let _ = fs::remove_file(left);
        }
        command.current_dir(folder).arg("-D").arg(data).arg("-k").arg(folder);
        command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        if self.tls {
            let setting =
                |name: &str, file: &str| format!("{name}={}", folder.join(file).display());
            command.args(["-c", "ssl=on", "-c", &setting("ssl_cert_file", tls::CERTIFICATE)]);
            command.args(["-c", &setting("ssl_key_file", tls::KEY)]);
        }
        // Nothing survives a crash of the machine, as nothing needs to.
        for setting in [
            "fsync=off",
            // In its folder, which is removed even if the server is killed.
            "dynamic_shared_memory_type=mmap",
            "full_page_writes=off",
            "synchronous_commit=off",
            "shared_buffers=16MB",
            "wal_level=minimal",
            "max_wal_senders=0",
            "autovacuum=off",
        ] {
            command.args(["-c", setting]);
        }
    }

    /// Asks over the Unix socket, which no other server can have taken. The answer is an error until the server is ready.
    fn answers(&self, folder: &Path, port: u16) -> io::Result<bool> {
        Ok(ask_socket(&folder.join(socket(port)), STARTUP)?.starts_with(b"R"))
    }
}

fn socket(port: u16) -> String {
    format!(".s.PGSQL.{port}")
}

/// The message that begins a connection, in version 3.0 of the protocol: 41 bytes.
const STARTUP: &[u8] = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
