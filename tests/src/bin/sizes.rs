//! `cargo xtask sizes [COUNT]`: what a session takes on each server, for the table in `docs/operations.md`.
//!
//! The real npm stores write the sessions, and the servers say what they use.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::ExitCode,
};

use cloakroom_mongodb::mongodb::{Client, bson::doc};
use cloakroom_test_support::{Memcached, Mongod, NodeProgram, RedisServer};

type Failure = Box<dyn Error + Send + Sync>;

/// The sessions that are written.
const COUNT: u64 = 200_000;
/// The sessions between two answers of the Node.js program.
const STEP: u64 = 10_000;

/// Several figures of a server, each with its name.
type Figures = Vec<(&'static str, u64)>;

fn main() -> ExitCode {
    let count = env::args().nth(1).map_or(Ok(COUNT), |text| text.parse());
    let Ok(count) = count else {
        eprintln!("sizes: the number of sessions must be a number");
        return ExitCode::from(2);
    };
    match print(count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sizes: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn print(count: u64) -> Result<(), Failure> {
    println!("| server | bytes per session |\n| --- | --- |");
    let redis = RedisServer::start()?;
    table(count, "redis-10", &redis.url(), || {
        let used = info(&redis.addr(), "INFO memory", "used_memory:")?;
        Ok(vec![("Redis, `used_memory`", used), ("Redis, resident memory", resident(redis.id())?)])
    })?;
    drop(redis);
    let memcached = Memcached::start_with(&["-m", "4096"])?;
    table(count, "memcached-3", &memcached.url(), || {
        let bytes = info(&memcached.addr(), "stats", "STAT bytes ")?;
        let resident = resident(memcached.id())?;
        Ok(vec![("Memcached, `bytes`", bytes), ("Memcached, resident memory", resident)])
    })?;
    drop(memcached);
    let mongod = Mongod::start()?;
    let url = format!("{}/sizes", mongod.url());
    table(count, "mongo-6", &url, || collection(&url))
}

/// Stores the sessions and prints the difference of each figure.
fn table(
    count: u64,
    store: &str,
    url: &str,
    figures: impl Fn() -> Result<Figures, Failure>,
) -> Result<(), Failure> {
    let orders = format!(r#"{{"store":"{store}","url":"{url}"}}"#);
    let mut node = NodeProgram::start("sizes.mjs", &[&orders], &[])?;
    let before = figures()?;
    let mut left = count;
    while left > 0 {
        let step = left.min(STEP);
        let bytes: u64 = node.call(step)?;
        if bytes != 500 {
            return Err(format!("a session has {bytes} bytes").into());
        }
        left -= step;
    }
    for ((name, after), (_, before)) in figures()?.into_iter().zip(before) {
        println!("| {name} | {} |", after.saturating_sub(before) / count.max(1));
    }
    Ok(())
}

/// The number after `name` in a server's answer to a command.
fn info(addr: &str, command: &str, name: &str) -> Result<u64, Failure> {
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    for line in BufReader::new(stream).lines() {
        if let Some(number) = line?.strip_prefix(name) {
            return Ok(number.trim().parse()?);
        }
    }
    Err(format!("{command}: no {name:?} in the answer").into())
}

/// The resident memory of a process in bytes.
fn resident(id: Option<u32>) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{}/status", id.ok_or("it does not run")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmRSS")?;
    Ok(kilobytes.trim().parse::<u64>()? * 1_024)
}

/// What MongoDB has of the collection, once it is on the disk.
#[tokio::main(flavor = "current_thread")]
async fn collection(url: &str) -> Result<Figures, Failure> {
    let client = Client::with_uri_str(url).await?;
    client.database("admin").run_command(doc! { "fsync": 1 }).await?;
    let about = client.database("sizes").run_command(doc! { "collStats": "sessions" }).await?;
    let number = |name: &str| {
        let value = about.get(name);
        let number = value.and_then(|value| value.as_i64().or(value.as_i32().map(i64::from)));
        number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
    };
    Ok(vec![
        ("MongoDB, documents before compression", number("size")),
        ("MongoDB, on disk, with both indexes", number("storageSize") + number("totalIndexSize")),
    ])
}
