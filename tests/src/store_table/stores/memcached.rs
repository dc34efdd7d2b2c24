use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::Error;
use cloakroom_memcached::{MemcachedOptions, MemcachedStore};
use cloakroom_test_backends::{Harmed, RawMemcached};
use cloakroom_test_support::{Memcache, Memcached, MemcachedTap, unique};

use super::{
    super::{
        Result,
        column::{Backend, Column},
        round_trips::round_trips,
    },
    PATIENCE, report, three,
};

const CRATE: &str = "cloakroom-memcached";

pub(super) async fn column() -> Result<Column> {
    let server = Memcached::start()?;
    let mut stream = BufReader::new(TcpStream::connect(server.addr())?);
    stream.get_mut().write_all(b"version\r\n")?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let version = line.trim_end().strip_prefix("VERSION ").ok_or("Memcached tells no version")?;
    let tap = MemcachedTap::start(&server)?;
    let mut options = MemcachedOptions::default();
    (options.timeout, options.deadline) = (PATIENCE, PATIENCE);
    let store = MemcachedStore::open_with(&format!("memcached://{}", tap.addr()), options)?;
    let round_trips = round_trips(&store, &mut || Ok(tap.commands().len())).await?;
    Ok(Column {
        name: "Memcached",
        report: report(server, on_memcached).await,
        round_trips,
        backend: Some(Backend::new(CRATE, format!("Memcached {version}"), "memcache")?),
    })
}

fn memcached_at(
    addr: &str,
    prefix: &str,
    deadline: Duration,
) -> std::result::Result<MemcachedStore, Error> {
    let mut options = MemcachedOptions::default();
    options.prefix = prefix.to_owned();
    (options.timeout, options.deadline) = (deadline, deadline);
    MemcachedStore::open_with(&format!("memcached://{addr}"), options)
}

fn on_memcached(server: &Memcached) -> StoreUnderTest {
    let (name, addr) = (unique("case"), server.addr());
    three(|part| memcached_at(&addr, &format!("{name}{part}:"), PATIENCE))
        .with_raw(RawMemcached::new([addr], format!("{name}:")))
        .with_faults(|| {
            Harmed::<Memcache>::start(|addr, deadline| {
                Ok(Box::new(memcached_at(addr, "s:", deadline)?))
            })
        })
}
