//! Every promise of the contract, on a real server.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use cloakroom_compat::{callbackify_store, promisify_store};
use cloakroom_conformance::{AccessError, StoreUnderTest, suite};
use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use cloakroom_redis::{RedisOptions, RedisStore, Serializer};
use cloakroom_test_backends::{Harmed, One, RawRedis};
use cloakroom_test_support::{Redis, RedisServer, Valkey, ValkeyServer, unique};

/// All cases share it. A static is never dropped; the server ends with the test process.
static SERVER: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start().unwrap());

/// A store with these options, another handle on it, and a neighbour.
fn subject<S: Store + 'static>(
    query: &str,
    options: &RedisOptions,
    wrap: fn(RedisStore) -> S,
) -> StoreUnderTest {
    subject_at(&format!("{}{query}", SERVER.url()), SERVER.addr(), options, wrap)
}

/// The same at a URL, beside a server at which other programs reach the records.
fn subject_at<S: Store + 'static>(
    url: &str,
    raw: String,
    options: &RedisOptions,
    wrap: fn(RedisStore) -> S,
) -> StoreUnderTest {
    let name = unique("case");
    let open = |prefix: String| {
        let mut options = options.clone();
        options.prefix = prefix;
        // Whether a promise is kept does not depend on how fast the machine is.
        options.deadline = Duration::from_secs(60);
        wrap(RedisStore::open_with(url, options).unwrap())
    };
    // As a pattern, the prefix would match the neighbour's keys.
    let prefix = format!("{name}?:");
    let subject = StoreUnderTest::new(open(prefix.clone()))
        .with_second_handle(open(prefix.clone()))
        .with_neighbour(open(format!("{name}!:")));
    match options.serializer {
        None => subject.with_raw(RawRedis::new(raw, prefix)),
        Some(_) => subject,
    }
}

/// A server to be harmed, and stores on it whose URLs end so.
async fn harmed(query: &'static str) -> Result<Harmed<One<Redis>>, AccessError> {
    Harmed::start(move |addr, deadline| {
        let mut options = RedisOptions::default();
        options.deadline = deadline;
        Ok(Box::new(RedisStore::open_with(&format!("redis://{addr}{query}"), options)?))
    })
    .await
}

suite!(
    || async { subject("", &RedisOptions::default(), |store| store).with_faults(|| harmed("")) },
    ignore = "needs redis-server",
    not_offered = [find_by]
);

mod through_callbacks {
    use super::*;

    suite!(
        || async {
            subject("", &RedisOptions::default(), |store| {
                promisify_store(callbackify_store(store)).with_deadline(Duration::from_secs(60))
            })
        },
        ignore = "needs redis-server",
        not_offered = [find_by, faults],
        exceptions = [all_goes_on_after_a_corrupt_record = "a callback has one answer",],
    );
}

/// In the older protocol.
mod resp2 {
    use super::*;

    suite!(
        || async {
            subject("?protocol=resp2", &RedisOptions::default(), |store| store)
                .with_faults(|| harmed("?protocol=resp2"))
        },
        ignore = "needs redis-server",
        not_offered = [find_by]
    );
}

/// With lists of each user's sessions, which are not whole, so an index is asked for in vain.
mod with_lists_by_user {
    use super::*;

    suite!(
        || async {
            let options = RedisOptions::default().with_user_path("passport.user");
            subject("", &options, |store| store).with_faults(|| harmed("?userPath=passport.user"))
        },
        ignore = "needs redis-server",
        exceptions = [
            find_lists_the_sessions_with_the_value = "`find` leaves it to a listing",
            find_tells_values_apart_as_javascript_does = "`find` leaves it to a listing",
            find_misses_no_record = "`find` leaves it to a listing",
        ]
    );
}

/// In the older protocol, and with records in an envelope.
mod resp2_with_a_serializer {
    use super::*;

    struct Envelope;

    impl Serializer for Envelope {
        fn stringify(&self, session: &SessionData) -> Result<Vec<u8>, Error> {
            Ok(format!("1:{}", session.to_json()).into_bytes())
        }

        fn parse(&self, record: &[u8]) -> Result<Option<SessionData>, Error> {
            match record.strip_prefix(b"1:") {
                Some(text) => SessionData::from_record(text.to_vec()),
                None => Err(Error::new(ErrorKind::Corrupt, "envelope", "parse", "no version")),
            }
        }
    }

    async fn enveloped() -> StoreUnderTest {
        let mut options = RedisOptions::default();
        options.serializer = Some(Arc::new(Envelope));
        subject("?protocol=resp2", &options, |store| store)
    }

    // The suite takes the bare subject: its raw records are not in the envelope.
    suite!(enveloped, ignore = "needs redis-server", not_offered = [find_by, raw, faults]);
}

/// On Valkey, which compares by `SET … IFEQ`.
mod valkey {
    use super::*;

    static SERVER: LazyLock<ValkeyServer> = LazyLock::new(|| ValkeyServer::start().unwrap());

    async fn harmed() -> Result<Harmed<One<Valkey>>, AccessError> {
        Harmed::start(|addr, deadline| {
            let options = RedisOptions::default().with_deadline(deadline);
            Ok(Box::new(RedisStore::open_with(&format!("valkey://{addr}"), options)?))
        })
        .await
    }

    suite!(
        || async {
            subject_at(&SERVER.url(), SERVER.addr(), &RedisOptions::default(), |store| store)
                .with_faults(harmed)
        },
        ignore = "needs valkey-server",
        not_offered = [find_by]
    );
}
