use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::Error;
use cloakroom_memcached::{
    Algorithm, Compatibility, MemcachedOptions, MemcachedStore, Ring, RingServer,
};
use cloakroom_test_backends::{Harmed, MemcachedRing, RawMemcached};
use cloakroom_test_support::{Memcached, MemcachedTap, unique};

use super::{
    super::{
        Result,
        column::{Backend, Column, Several},
        outcomes::Outcomes,
        round_trips::round_trips,
    },
    PATIENCE, SUITE, run, three,
};

const CRATE: &str = "cloakroom-memcached";

pub(super) async fn column() -> Result<Column> {
    let server = Memcached::start()?;
    let version = version(&server)?;
    let tap = MemcachedTap::start(&server)?;
    let mut options = MemcachedOptions::default();
    (options.timeout, options.deadline) = (PATIENCE, PATIENCE);
    let store = MemcachedStore::open_with(&format!("memcached://{}", tap.addr()), options)?;
    let round_trips = round_trips(&store, &mut || Ok(tap.commands().len())).await?;
    Ok(Column {
        name: "Memcached",
        outcomes: Outcomes::declared(&store, CRATE, SUITE, Some("one_server")).await?,
        round_trips,
        backend: Some(Backend::new(CRATE, format!("Memcached {version}"), "memcache")?),
    })
}

/// Four servers, each with a quarter of the keys.
pub(super) async fn ring() -> Result<Several> {
    let start = Memcached::start;
    let servers = [start()?, start()?, start()?, start()?];
    let version = version(&servers[0])?;
    let mut taps = Vec::new();
    for server in &servers {
        taps.push(MemcachedTap::start(server)?);
    }
    let addrs: Vec<_> = taps.iter().map(MemcachedTap::addr).collect();
    let store = memcached_at(&addrs.join(","), "", PATIENCE)?;
    let mut asked = || Ok(taps.iter().map(|tap| tap.commands().len()).sum());
    Ok(Several {
        name: "Memcached, a ring of 4",
        package: CRATE,
        round_trips: round_trips(&store, &mut asked).await?,
        outcomes: run(servers, on_ring).await,
        servers: format!("4 × Memcached {version}"),
    })
}

fn version(server: &Memcached) -> Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(server.addr())?);
    stream.get_mut().write_all(b"version\r\n")?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let version = line.trim_end().strip_prefix("VERSION ").ok_or("Memcached tells no version")?;
    Ok(version.to_owned())
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

/// The place of the server that has a key, as npm's client finds it.
fn home_in(addrs: &[String]) -> impl Fn(&str) -> usize + Send + Sync + 'static {
    let servers: Vec<_> = addrs.iter().map(RingServer::new).collect();
    let ring = Ring::new(&servers, Algorithm::default(), Compatibility::default());
    move |key| ring.server_of(key).unwrap_or_default()
}

/// The one that is harmed is a ring of its own.
fn on_ring(servers: &[Memcached; 4]) -> StoreUnderTest {
    let addrs: Vec<_> = servers.iter().map(Memcached::addr).collect();
    let (name, hosts) = (unique("case"), addrs.join(","));
    three(|part| memcached_at(&hosts, &format!("{name}{part}:"), PATIENCE))
        .with_raw(RawMemcached::new(addrs.clone(), format!("{name}:")).with_home(home_in(&addrs)))
        .with_faults(|| {
            Harmed::<MemcachedRing>::start(|addrs, deadline| {
                Ok(Box::new(memcached_at(addrs, "s:", deadline)?))
            })
        })
}
