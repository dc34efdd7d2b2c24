//! PostgreSQL and MariaDB, from the packages of Debian.

use std::{
    fs, io,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cloakroom_test_support::{Kind, find_program};

/// PostgreSQL, whose user `postgres` has no password.
#[derive(Debug, Default)]
pub(super) struct Postgres;

/// MariaDB, whose user `root` has no password, with a database `test`.
#[derive(Debug, Default)]
pub(super) struct MariaDb;

/// A user and its group, by name.
fn user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Lets a program that refuses to run as root run as its own user, who gets the folder.
fn as_user(command: &mut Command, name: &str, folder: &Path) {
    let is_root = fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .any(|line| line.strip_prefix("Uid:\t").is_some_and(|id| id.starts_with("0\t")))
    });
    if let Some((uid, gid)) = user(name).filter(|_| is_root) {
        // If it fails, the program says so in its log.
        let _ = chown(folder, Some(uid), Some(gid));
        command.uid(uid).gid(gid);
    }
}

fn run(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Debian keeps the programs of each version in a folder of its own.
fn postgres(program: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|version| Some(version.ok()?.path().join("bin").join(program)))
        .find(|path| path.exists())
}

impl Kind for Postgres {
    const PROGRAM: &'static str = "postgres";

    fn find() -> Option<PathBuf> {
        postgres("postgres").or_else(|| find_program("postgres"))
    }

    fn scheme(&self) -> &'static str {
        "postgres"
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        let data = folder.join("cluster");
        if let Some(initdb) = postgres("initdb").or_else(|| find_program("initdb"))
            && !data.exists()
        {
            let mut initdb = Command::new(initdb);
            as_user(&mut initdb, "postgres", folder);
            let options = "-U postgres -A trust -E UTF8 --locale=C --no-sync -D";
            run(initdb.current_dir(folder).args(options.split(' ')).arg(&data));
        }
        as_user(command, "postgres", folder);
        command.current_dir(folder).arg("-D").arg(data).arg("-k").arg(folder).args([
            "-p",
            &port.to_string(),
            "-h",
            "127.0.0.1",
            "-F",
        ]);
    }

    fn answers(&self, folder: &Path, port: u16) -> io::Result<bool> {
        let psql = find_program("psql").ok_or_else(|| io::Error::other("psql is missing"))?;
        Ok(run(Command::new(psql)
            .args(["-U", "postgres", "-c", "SELECT 1", "-p", &port.to_string(), "-h"])
            .arg(folder)))
    }
}

impl Kind for MariaDb {
    const PROGRAM: &'static str = "mariadbd";

    fn find() -> Option<PathBuf> {
        find_program(Self::PROGRAM)
            .or_else(|| Some(PathBuf::from("/usr/sbin/mariadbd")).filter(|path| path.exists()))
    }

    fn scheme(&self) -> &'static str {
        "mysql"
    }

    fn configure(&self, command: &mut Command, folder: &Path, port: u16) {
        let data = folder.join("cluster");
        if let Some(install) = find_program("mariadb-install-db")
            && !data.exists()
        {
            let mut install = Command::new(install);
            as_user(&mut install, "mysql", folder);
            let options = "--no-defaults --auth-root-authentication-method=normal";
            run(install
                .current_dir(folder)
                .args(options.split(' '))
                .arg(format!("--datadir={}", data.display())));
        }
        as_user(command, "mysql", folder);
        command.current_dir(folder).arg("--no-defaults").args([
            format!("--datadir={}", data.display()),
            format!("--socket={}", folder.join("socket").display()),
            format!("--pid-file={}", folder.join("pid").display()),
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--innodb-flush-log-at-trx-commit=0".to_owned(),
        ]);
    }

    fn answers(&self, folder: &Path, _port: u16) -> io::Result<bool> {
        let client =
            find_program("mariadb").ok_or_else(|| io::Error::other("mariadb is missing"))?;
        let create = "CREATE DATABASE IF NOT EXISTS test";
        Ok(run(Command::new(client)
            .args(["--no-defaults", "-uroot", "-e", create])
            .arg(format!("--socket={}", folder.join("socket").display()))))
    }
}
