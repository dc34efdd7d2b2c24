//! Every promise of the contract, through memory in front of Redis.
//!
//! The suite writes through one handle and reads through another at once, which no cache can answer without a delay. So a
//! write through a handle of another process, or past all of them, returns here when it may be seen.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_conformance::{AccessError, Faults, StoreUnderTest, suite};
use cloakroom_core::Store;
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_backends::{Harmed, Instead, One, RawRedis};
use cloakroom_test_support::{Redis, RedisServer, unique};

use crate::{
    redis,
    settled::{Caches, Settled, SettledRaw},
};

static SERVER: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start().unwrap());

type Cache = fn(RedisStore, CacheOptions) -> Cached;

// The suite extends sessions that it has just written. Redis says that they have all their time left, so that is not due.
const COHERENT: Cache =
    |store, options| Cached::coherent(store, options.with_touch_interval(Duration::ZERO)).unwrap();
const BOUNDED: Cache = Cached::new;

/// Short times, so that a write need not wait for long until all may see it.
fn options() -> CacheOptions {
    CacheOptions::default()
        .with_max_stale(Duration::from_millis(2))
        .with_max_silence(Duration::from_millis(40))
}

/// Handles that share a memory, as in one process. Only writes past it have to settle.
fn one_process(cache: Cache) -> StoreUnderTest {
    let name = unique("case");
    let prefix = format!("{name}:");
    let store = cache(redis(&SERVER.addr(), &prefix), options());
    let caches = Caches(Arc::new(vec![store.clone()]));
    let neighbour = cache(redis(&SERVER.addr(), &format!("{name}!:")), options());
    StoreUnderTest::new(store.clone())
        .with_second_handle(store)
        .with_neighbour(neighbour)
        .with_raw(SettledRaw { raw: RawRedis::new(SERVER.addr(), prefix), caches })
}

/// Two handles with memories of their own.
fn two_processes(cache: Cache) -> StoreUnderTest {
    let name = unique("case");
    let prefix = format!("{name}:");
    let open = || cache(redis(&SERVER.addr(), &prefix), options());
    let caches = Caches(Arc::new(vec![open(), open()]));
    let handle =
        |at: usize| Instead(Settled { store: caches.0[at].clone(), caches: caches.clone() });
    let neighbour = cache(redis(&SERVER.addr(), &format!("{name}!:")), options());
    let raw = SettledRaw { raw: RawRedis::new(SERVER.addr(), &*prefix), caches: caches.clone() };
    StoreUnderTest::new(handle(0))
        .with_second_handle(handle(1))
        .with_neighbour(neighbour)
        .with_raw(raw)
}

/// A server to be harmed, and caches in front of it. What is done to the server shows when no entry from before is used any
/// more.
struct Behind(Harmed<One<Redis>>);

impl Behind {
    async fn start(cache: Cache) -> Result<Self, AccessError> {
        let harmed = Harmed::start(move |addr, deadline| {
            let redis = RedisOptions::default().with_deadline(deadline);
            let store = RedisStore::open_with(&format!("redis://{addr}"), redis)?;
            Ok(Box::new(cache(store, options())))
        });
        Ok(Self(harmed.await?))
    }

    async fn aged(&self, done: Result<(), AccessError>) -> Result<(), AccessError> {
        tokio::time::sleep(options().max_silence).await;
        done
    }
}

#[async_trait]
impl Faults for Behind {
    async fn open(&self, deadline: Duration) -> Result<Box<dyn Store>, AccessError> {
        self.0.open(deadline).await
    }
    async fn stop(&self) -> Result<(), AccessError> {
        self.aged(self.0.stop().await).await
    }
    async fn restart(&self) -> Result<(), AccessError> {
        self.aged(self.0.restart().await).await
    }
    async fn freeze(&self) -> Result<(), AccessError> {
        self.aged(self.0.freeze().await).await
    }
    async fn thaw(&self) -> Result<(), AccessError> {
        self.aged(self.0.thaw().await).await
    }
    async fn silence(&self) -> Result<(), AccessError> {
        self.aged(self.0.silence().await).await
    }
    async fn cut(&self) -> Result<(), AccessError> {
        self.aged(self.0.cut().await).await
    }
    async fn lose_answers(&self) -> Result<(), AccessError> {
        self.aged(self.0.lose_answers().await).await
    }
}

mod coherent {
    use super::*;

    suite!(
        || async { one_process(COHERENT).with_faults(|| Behind::start(COHERENT)) },
        ignore = "needs redis-server",
        not_offered = [find_by]
    );
}

mod coherent_in_two_processes {
    use super::*;

    suite!(
        || async { two_processes(COHERENT) },
        ignore = "needs redis-server",
        not_offered = [find_by, faults]
    );
}

mod bounded {
    use super::*;

    suite!(
        || async { one_process(BOUNDED).with_faults(|| Behind::start(BOUNDED)) },
        ignore = "needs redis-server",
        not_offered = [find_by]
    );
}

mod bounded_in_two_processes {
    use super::*;

    suite!(
        || async { two_processes(BOUNDED) },
        ignore = "needs redis-server",
        not_offered = [find_by, faults]
    );
}
