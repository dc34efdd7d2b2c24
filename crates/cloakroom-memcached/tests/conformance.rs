//! Every promise of the contract, on real servers.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{sync::LazyLock, time::Duration};

use cloakroom_compat::{callbackify_store, promisify_store};
use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::Store;
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_backends::{Harmed, One, RawMemcached};
use cloakroom_test_support::{Memcache, Memcached, unique};

/// All cases share them. A static is never dropped; the servers end with the test process.
static SERVERS: LazyLock<[Memcached; 3]> =
    LazyLock::new(|| std::array::from_fn(|_| Memcached::start().unwrap()));

/// On the first `servers` of them.
fn subject<S: Store + 'static>(
    servers: usize,
    query: &str,
    wrap: fn(MemcachedStore) -> S,
) -> StoreUnderTest {
    let hosts: Vec<_> = SERVERS[..servers].iter().map(Memcached::addr).collect();
    let name = unique("case");
    let open = |prefix: &str| {
        // Whether a promise is kept does not depend on how fast the machine is.
        wrap(
            MemcachedStore::open(&format!(
                "memcached://{}?timeout=60000&deadline=60000&prefix={prefix}{query}",
                hosts.join(",")
            ))
            .unwrap(),
        )
    };
    let prefix = format!("{name}:");
    StoreUnderTest::new(open(&prefix))
        .with_second_handle(open(&prefix))
        // Its keys begin alike.
        .with_neighbour(open(&format!("{name}.")))
}

mod one_server {
    use super::*;

    /// With the records behind the store's back, and a server to be harmed.
    async fn subject() -> StoreUnderTest {
        let prefix = unique("case:");
        let url =
            |addr: &str, ms: u128| format!("memcached://{addr}?timeout={ms}&deadline={ms}&prefix=");
        let open = |prefix: &str| {
            let url = url(&SERVERS[0].addr(), 60_000);
            MemcachedStore::open(&format!("{url}{prefix}")).unwrap()
        };
        StoreUnderTest::new(open(&prefix))
            .with_second_handle(open(&prefix))
            .with_neighbour(open(&prefix.replace(':', ".")))
            .with_raw(RawMemcached::new([SERVERS[0].addr()], prefix))
            .with_faults(move || {
                Harmed::<One<Memcache>>::start(move |addr, deadline| {
                    let url = url(addr, deadline.as_millis());
                    Ok(Box::new(MemcachedStore::open(&format!("{url}s:"))?))
                })
            })
    }

    suite!(
        subject,
        ignore = "needs memcached",
        not_offered = [find_by],
        exceptions = [crlf_between_tokens_comes_back = "npm's client dies of it"],
    );
}

mod a_ring_of_three {
    use super::*;

    suite!(
        || async { subject(3, "", |store| store) },
        ignore = "needs memcached",
        not_offered = [find_by, raw, faults],
        exceptions = [crlf_between_tokens_comes_back = "npm's client dies of it"],
    );
}

mod through_callbacks {
    use super::*;

    suite!(
        || async {
            subject(3, "", |store| {
                promisify_store(callbackify_store(store)).with_deadline(Duration::from_secs(60))
            })
        },
        ignore = "needs memcached",
        not_offered = [find_by, raw, faults],
        exceptions = [crlf_between_tokens_comes_back = "npm's client dies of it",],
    );
}

mod on_the_applications_client {
    use cloakroom_memcached::{MemcachedOptions, memcache::exp::AsyncMetaClient};

    use super::*;

    async fn subject() -> StoreUnderTest {
        let client = AsyncMetaClient::connect(SERVERS[0].addr()).await.unwrap();
        let name = unique("case");
        let open = |prefix: String| {
            let mut options = MemcachedOptions::default();
            options.prefix = prefix;
            MemcachedStore::with_client(client.clone(), options).unwrap()
        };
        StoreUnderTest::new(open(format!("{name}:")))
            .with_second_handle(open(format!("{name}:")))
            .with_neighbour(open(format!("{name}.")))
    }

    suite!(
        subject,
        ignore = "needs memcached",
        not_offered = [find_by, enumerate, raw, faults],
        exceptions = [
            crlf_between_tokens_comes_back = "npm's client dies of it",
            calls_work_on_any_runtime =
                "the client's connections stay on the runtime that made them",
        ],
    );
}

#[cfg(feature = "encryption")]
mod encrypted {
    use super::*;

    async fn subject() -> StoreUnderTest {
        let secret = "&secret=S3cre%2B_Squ1rr3l";
        super::subject(1, secret, |store| store)
    }

    suite!(subject, ignore = "needs memcached", not_offered = [find_by, raw, faults]);
}
