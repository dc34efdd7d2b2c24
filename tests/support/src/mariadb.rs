//! MariaDB, or MySQL in its place.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Kind, Server, ask::ask_socket, cluster, find_program, folder::Folder, tls};

/// The variable that names `mysqld`, the program of MySQL, which then runs instead of MariaDB.
const MYSQLD: &str = "CLOAKROOM_MYSQLD";

/// A MariaDB server of its own, whose user `root` needs no password, with the database `test`.
pub type MariaDb = Server<Maria>;

/// The kind of [`MariaDb`].
#[derive(Debug, Default)]
pub struct Maria {
    tls: bool,
}

impl MariaDb {
    /// A server that takes TLS on its port, with a certificate for 127.0.0.1 and `localhost` from an authority of its own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), or if `openssl` is missing.
    pub fn start_tls() -> Result<Self, Error> {
        let folder = Folder::new()?;
        tls::make_certificates(folder.path())?;
        Self::start_in(folder, Maria { tls: true }, &[])
    }

    /// The certificate, in PEM, of the authority that a client has to trust. `None` if the server does not take TLS.
    #[must_use]
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.kind().tls.then(|| self.folder().join(tls::CA_CERTIFICATE))
    }
}

impl Kind for Maria {
    const PROGRAM: &'static str = "mariadbd";

    /// Debian has it where only the `PATH` of root leads.
    fn find() -> Option<PathBuf> {
        if let Some(mysqld) = env::var_os(MYSQLD) {
            return Some(mysqld.into());
        }
        let debian = || Some(PathBuf::from("/usr/sbin").join(Self::PROGRAM));
        find_program(Self::PROGRAM).or_else(|| debian().filter(|path| path.is_file()))
    }

    fn scheme(&self) -> &'static str {
        "mysql"
    }

    fn url(&self, addr: &str) -> String {
        format!("mysql://root@{addr}/test")
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        let data = folder.join("data").join("cluster");
        if !data.exists() {
            let name = cluster::name_of(command.get_program());
            cluster::fill(&data, &folder.join("log"), None, &name, |data| {
                let mut install = if is_mysql() {
                    let mut install = Command::new(command.get_program());
                    install.arg("--no-defaults").args(MYSQL).arg("--initialize-insecure");
                    install
                } else {
                    let mut install = Command::new("mariadb-install-db");
                    install.arg("--no-defaults").args(SMALL);
                    install.arg("--auth-root-authentication-method=normal");
                    install
                };
                install.current_dir(folder);
                install.arg(format!("--datadir={}", data.display()));
                install.arg(format!("--tmpdir={}", folder.display()));
                install
            });
        }
        command.current_dir(folder).arg("--no-defaults");
        if is_mysql() {
            // Without the file, the tests say what is missing.
            let _ = fs::write(folder.join(INIT), INIT_MYSQL);
            command.args(MYSQL).arg(format!("--init-file={}", folder.join(INIT).display()));
        } else {
            command.args(SMALL);
        }
        command.args([
            format!("--datadir={}", data.display()),
            format!("--socket={}", socket(folder).display()),
            format!("--pid-file={}", folder.join("pid").display()),
            format!("--port={port}"),
            // A server that starts removes the temporary files that it finds, those of another one too.
            format!("--tmpdir={}", folder.display()),
        ]);
        // What Debian sets, and the npm stores were observed with.
        command.args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]);
        if self.tls {
            let option = |name: &str, file: &str| format!("{name}={}", folder.join(file).display());
            command.arg(option("--ssl-cert", tls::CERTIFICATE));
            command.arg(option("--ssl-key", tls::KEY));
        }
        command.args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--innodb-buffer-pool-size=16M",
        ]);
    }

    /// Waits for the greeting on the Unix socket, which no other server can have taken. It names version 10 of the protocol.
    fn answers(&self, folder: &Path, _port: u16) -> io::Result<bool> {
        Ok(ask_socket(&socket(folder), b"")?.get(4) == Some(&10))
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("mariadb.sock")
}

/// The user counts, and has to be given, only where root runs the tests. The log of the database is 96 MB long otherwise.
const SMALL: [&str; 2] = ["--user=root", "--innodb-log-file-size=8M"];

const MYSQL: [&str; 4] =
    ["--user=root", "--innodb-redo-log-capacity=64M", "--mysqlx=OFF", "--secure-file-priv="];

/// What a new server of MySQL lacks beside a new one of MariaDB. A user of `localhost` is not one of 127.0.0.1 where the
/// names of hosts are not looked up.
const INIT_MYSQL: &str = "\
SET @test = CONCAT('CREATE DATABASE IF NOT EXISTS test COLLATE ', @@GLOBAL.collation_server);
PREPARE test FROM @test;
EXECUTE test;
CREATE USER IF NOT EXISTS root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
";
const INIT: &str = "init.sql";

fn is_mysql() -> bool {
    env::var_os(MYSQLD).is_some()
}
