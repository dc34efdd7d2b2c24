//! MariaDB.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Kind, Server, ask::ask_socket, cluster, find_program};

/// A MariaDB server of its own, whose user `root` needs no password, with the database `test`.
pub type MariaDb = Server<Maria>;

/// The kind of [`MariaDb`].
#[derive(Debug, Default)]
pub struct Maria;

impl Kind for Maria {
    const PROGRAM: &'static str = "mariadbd";

    /// Debian has it where only the `PATH` of root leads.
    fn find() -> Option<PathBuf> {
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
                let mut install = Command::new("mariadb-install-db");
                install.current_dir(folder).arg("--no-defaults").args(SMALL);
                install.arg("--auth-root-authentication-method=normal");
                install.arg(format!("--datadir={}", data.display()));
                install.arg(format!("--tmpdir={}", folder.display()));
                install
            });
        }
        command.current_dir(folder).arg("--no-defaults").args(SMALL).args([
            format!("--datadir={}", data.display()),
            format!("--socket={}", socket(folder).display()),
            format!("--pid-file={}", folder.join("pid").display()),
            format!("--port={port}"),
            // A server that starts removes the temporary files that it finds, those of another one too.
            format!("--tmpdir={}", folder.display()),
        ]);
        // What Debian sets, and the npm stores were observed with.
        command.args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]);
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
