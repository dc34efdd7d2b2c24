//! Memcached, by `stats`.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{Facts, rest};

const PATIENCE: Duration = Duration::from_secs(5);

/// Of several servers it asks each, and adds up what they have done.
pub(super) async fn ask(url: &str) -> Option<Facts> {
    let rest = rest(url);
    let mut told = None::<Facts>;
    for host in rest.trim_end_matches('/').split(',') {
        let host = host.split(';').next()?;
        let address = if host.contains(':') { host.to_owned() } else { format!("{host}:11211") };
        let one = timeout(PATIENCE, stats(&address)).await.ok()??;
        match &mut told {
            None => told = Some(one),
            Some(all) => {
                all.operations = all.operations.zip(one.operations).map(|(a, b)| a + b);
                all.mode = Some("a ring of servers".to_owned());
                all.notes.extend(one.notes.into_iter().filter(|(_, _, is_problem)| *is_problem));
            }
        }
    }
    told
}

async fn stats(address: &str) -> Option<Facts> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.ok()?);
    stream.get_mut().write_all(b"stats\r\n").await.ok()?;
    let (mut facts, mut operations) = (Facts::default(), 0_u64);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match &*words {
            ["END"] => break,
            ["STAT", "version", version] => facts.server = format!("Memcached {version}"),
            ["STAT", "time", time] => {
                facts.clock_ms = time.parse().ok().map(|seconds: i64| seconds * 1_000);
            }
            ["STAT", "evictions", count] => {
                facts.notes.push(("evictions", (*count).to_owned(), *count != "0"));
            }
            [
                "STAT",
                "cmd_get" | "cmd_set" | "cmd_touch" | "cmd_meta" | "delete_hits" | "delete_misses",
                count,
            ] => {
                operations += count.parse().unwrap_or(0);
            }
            _ => {}
        }
    }
    facts.operations = Some(operations);
    Some(facts)
}
