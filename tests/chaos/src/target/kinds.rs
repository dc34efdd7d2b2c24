//! The servers that `tests/support` starts, each with what it keeps when it is killed.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

use cloakroom_test_support::{
    Kind, Maria, MariaDb, Memcached, Mongod, Pg, Postgres, RedisServer, find_mongod,
};

use super::{Failure, Single};
use crate::history::Lost;

/// Redis that has a write on its disk before it acknowledges it.
pub(super) fn redis() -> Result<Single, Failure> {
    let durable = ["--appendonly", "yes", "--appendfsync", "always"];
    let server = RedisServer::start_with(&durable)?;
    let version = version("redis-server", "--version", "v=");
    let single = Single::of(server, "redis://ADDR", format!("Redis {version}"), Lost::Nothing)?;
    Ok(single.with_npm("redis-10", "{}").with_fill(fill_redis))
}

/// Memcached keeps nothing. With `-M`, it refuses a write for which it has no room, and evicts nothing.
pub(super) fn memcached() -> Result<Single, Failure> {
    single_memcached(Memcached::start_with(&["-M"])?)
}

/// This server, with connect-memcached beside us.
pub(super) fn single_memcached(server: Memcached) -> Result<Single, Failure> {
    let version = version("memcached", "--version", "memcached ");
    let single = Single::of(server, "memcached://ADDR", format!("Memcached {version}"), Lost::All)?;
    Ok(single.with_npm("memcached-3", NPM_MEMCACHED))
}

/// Options of npm's client, which otherwise gives a server up for good after five errors.
pub(super) const NPM_MEMCACHED: &str =
    r#"{"timeout":1500,"retries":0,"failures":1000000,"retry":300,"reconnect":300}"#;

/// MongoDB that has a write in its journal before it acknowledges it. A reader can see it earlier.
pub(super) fn mongodb() -> Result<Single, Failure> {
    let server = Mongod::start()?;
    let program = find_mongod().ok_or("mongod is missing")?;
    let version = version(&program.to_string_lossy(), "--version", "db version v");
    let pattern = "mongodb://ADDR/test?journal=true";
    let single = Single::of(server, pattern, format!("MongoDB {version}"), Lost::Unacknowledged)?;
    Ok(single.with_npm("mongo-6", "{}"))
}

/// PostgreSQL with its own defaults for what a crash costs. A commit is in the log on the disk before anybody can see it.
pub(super) fn postgres() -> Result<Single, Failure> {
    let durable = ["-c", "fsync=on", "-c", "full_page_writes=on", "-c", "synchronous_commit=on"];
    let server = Postgres::start_with(&durable)?;
    let program = Pg::find().ok_or("postgres is missing")?;
    let version = version(&program.to_string_lossy(), "--version", "(PostgreSQL) ");
    let pattern = "postgres://postgres@ADDR/postgres?createTable=true&timeZone=UTC";
    let single = Single::of(server, pattern, format!("PostgreSQL {version}"), Lost::Nothing)?;
    // Without these limits, npm's client never gives up a silent connection.
    let npm = r#"{"pool":{"query_timeout":1500,"connectionTimeoutMillis":1500}}"#;
    Ok(single.with_npm("sql-pgsimple", npm))
}

/// MariaDB with its own defaults for what a crash costs. InnoDB shows a commit before it is in the log on the disk.
pub(super) fn mariadb() -> Result<Single, Failure> {
    let durable = ["--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=fsync"];
    let server = MariaDb::start_with(&durable)?;
    let program = Maria::find().ok_or("mariadbd is missing")?;
    let version = version(&program.to_string_lossy(), "--version", "Ver ");
    let version = version.split('-').next().unwrap_or_default();
    let pattern = "mysql://root@ADDR/test?createTable=true";
    let single = Single::of(server, pattern, format!("MariaDB {version}"), Lost::Unacknowledged)?;
    // npm's client never gives up a silent connection, so it needs many.
    Ok(single.with_npm("sql-mysql", r#"{"connectionLimit":100}"#))
}

/// The word after `before` in what the program says of itself.
pub(super) fn version(program: &str, option: &str, before: &str) -> String {
    let output = Command::new(program).arg(option).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let rest = text.split_once(before).map_or("?", |(_, rest)| rest);
    rest.split_whitespace().next().unwrap_or("?").to_owned()
}

/// With no memory to use, every command that may need some is refused.
fn fill_redis(addr: &str, is_full: bool) -> Result<(), Failure> {
    let limit = if is_full { "1" } else { "0" };
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(format!("CONFIG SET maxmemory {limit}\r\n").as_bytes())?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    if answer != *b"+OK\r\n" {
        return Err("Redis does not take maxmemory".into());
    }
    Ok(())
}
