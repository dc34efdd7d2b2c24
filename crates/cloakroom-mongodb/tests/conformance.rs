//! Every promise of the contract, on a real server: in both forms of a record, and through callbacks and back.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{sync::LazyLock, time::Duration};

use cloakroom_compat::{callbackify_store, promisify_store};
use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::{Clock, Store};
use cloakroom_mongodb::{MongoOptions, MongoStore};
use cloakroom_test_backends::{Harmed, One, RawMongo};
use cloakroom_test_support::{Mongo, Mongod, unique};

/// All cases share it. A static is never dropped; the server ends with the test process.
static SERVER: LazyLock<Mongod> = LazyLock::new(|| Mongod::start().unwrap());

/// Three stores, two of them on one collection. With a clock of its own when cases are to move the time: in the year
/// 2100, where MongoDB's TTL monitor, which goes by the server's clock, finds nothing expired.
fn subject<S: Store + 'static>(
    query: &str,
    moved: bool,
    wrap: fn(MongoStore) -> S,
) -> StoreUnderTest {
    let mut options = MongoOptions::default();
    // Whether a promise is kept does not depend on how fast the machine is.
    options.deadline = Duration::from_secs(60);
    if moved {
        options.clock = Clock::fixed(4_102_444_800_000);
    }
    let clock = options.clock.clone();
    let open = |collection: &str| {
        let mut options = options.clone();
        options.collection_name = collection.to_owned();
        wrap(MongoStore::open_with(&format!("{}/suite{query}", SERVER.url()), options).unwrap())
    };
    let name = unique("case");
    let subject = StoreUnderTest::new(open(&name))
        .with_second_handle(open(&name))
        .with_neighbour(open(&format!("{name}.neighbour")));
    // For those that store texts.
    let subject = if query.contains('=') && !query.contains("timestamps") {
        subject
    } else {
        subject.with_raw(RawMongo::new(SERVER.url(), "suite", name, clock.clone()))
    };
    if moved { subject.with_clock(clock) } else { subject }
}

mod text {
    use super::*;

    /// With a server to be harmed.
    async fn subject() -> StoreUnderTest {
        super::subject("", false, |store| store).with_faults(|| {
            Harmed::<One<Mongo>>::start(|addr, deadline| {
                let mut options = MongoOptions::default();
                options.deadline = deadline;
                Ok(Box::new(MongoStore::open_with(&format!("mongodb://{addr}/suite"), options)?))
            })
        })
    }

    suite!(subject, ignore = "needs mongod", not_offered = [find_by]);
}

mod document {
    use super::*;

    suite!(
        || async { subject("?stringify=false", true, |store| store) },
        ignore = "needs mongod",
        not_offered = [raw, faults],
    );
}

mod text_through_callbacks {
    use super::*;

    suite!(
        || async {
            subject("?timestamps=true", true, |store| {
                promisify_store(callbackify_store(store)).with_deadline(Duration::from_secs(60))
            })
        },
        ignore = "needs mongod",
        not_offered = [find_by, faults],
        exceptions = [all_goes_on_after_a_corrupt_record = "a callback has one answer",],
    );
}

mod document_through_callbacks {
    use super::*;

    suite!(
        || async {
            subject("?stringify=false", false, |store| {
                promisify_store(callbackify_store(store)).with_deadline(Duration::from_secs(60))
            })
        },
        ignore = "needs mongod",
        not_offered = [find_by, raw, faults],
    );
}

#[cfg(feature = "encryption")]
mod encrypted {
    use super::*;

    suite!(
        || async { subject("?secret=S3cre%2B_Squ1rr3l&touchAfter=1", true, |store| store) },
        ignore = "needs mongod",
        not_offered = [find_by, raw, faults],
    );
}
