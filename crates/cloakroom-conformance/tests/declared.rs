//! Stores that do not offer everything, and what the macro makes of what is declared about them.

use async_trait::async_trait;
use cloakroom_conformance::{
    __private::{Expectation, by_name, test},
    Outcome, StoreUnderTest, run,
};
use cloakroom_core::{
    Atomic, Clock, Enumerate, Error, ErrorKind, FindBy, Listed, MemoryOptions, MemoryStore,
    SessionData, Store, Touched,
};
use futures::{
    StreamExt,
    executor::block_on,
    stream::{self, BoxStream},
};

/// Supports the plain operations except touch, and as much of the listing as it is told.
struct Lacking {
    inner: MemoryStore,
    listing: bool,
}

fn unsupported(operation: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "memory", operation, "not offered")
}

#[async_trait]
impl Store for Lacking {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.inner.get(sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        // As a store does that has JavaScript parse the record.
        let record = session.to_json().replace("\"a\":1.0", "\"a\":1");
        let mut stored = SessionData::from_json(record)?;
        if let Some(revision) = session.revision() {
            stored = stored.with_revision(revision.clone());
        }
        if let Some(expiry_ms) = session.store_expiry_ms() {
            stored = stored.with_store_expiry_ms(expiry_ms);
        }
        self.inner.set(sid, &stored).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.inner.destroy(sid).await
    }

    async fn touch(&self, _sid: &str, _session: &SessionData) -> Result<Touched, Error> {
        Ok(Touched::NotOffered)
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.listing.then_some(self)
    }
}

#[async_trait]
impl Enumerate for Lacking {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        stream::once(async { Err(unsupported("ids")) }).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.inner.all()
    }

    async fn length(&self) -> Result<u64, Error> {
        self.inner.length().await
    }

    async fn clear(&self) -> Result<(), Error> {
        Err(unsupported("clear"))
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

fn lacking(listing: bool) -> StoreUnderTest {
    let mut options = MemoryOptions::default();
    options.clock = Clock::fixed(1_700_000_000_000);
    let clock = options.clock.clone();
    let inner = MemoryStore::with_options(options);
    StoreUnderTest::new(Lacking { inner, listing }).with_clock(clock)
}

mod plain {
    cloakroom_conformance::suite!(
        || async { super::lacking(false) },
        not_offered = [find_by, touch, atomic, enumerate, second_handle, neighbour, raw, faults],
        exceptions = [numbers_come_back_as_written = "JavaScript knows no 1.0"],
    );
}

mod partly_listed {
    cloakroom_conformance::suite!(
        || async { super::lacking(true) },
        not_offered = [find_by, touch, atomic, ids, clear, second_handle, neighbour, raw, faults],
        exceptions = [numbers_come_back_as_written = "JavaScript knows no 1.0"]
    );
}

/// Left out of a plain `cargo test`, like a suite that needs a server.
mod ignored {
    use super::*;

    cloakroom_conformance::suite!(
        || async {
            let mut options = MemoryOptions::default();
            options.clock = Clock::fixed(1_700_000_000_000);
            let clock = options.clock.clone();
            StoreUnderTest::new(MemoryStore::with_options(options)).with_clock(clock)
        },
        ignore = "shows that the reason is shown",
        not_offered = [find_by, second_handle, neighbour, raw, faults],
    );
}

#[test]
#[should_panic(expected = "`atomic` is not offered: declare it with not_offered = [atomic]")]
fn what_is_lacking_must_be_declared() {
    test(by_name::create_stores, Expectation::Passed, || async { lacking(false) });
}

#[test]
#[should_panic(expected = "`all` is offered after all: remove it from not_offered")]
fn what_is_declared_must_be_lacking() {
    test(by_name::all_gives_ids_and_records, Expectation::NotOffered(&["all"]), || async {
        lacking(true)
    });
}

#[test]
#[should_panic(expected = "`set_replaces` is kept after all: remove it from exceptions")]
fn an_exception_must_be_one() {
    test(by_name::set_replaces, Expectation::Failed, || async { lacking(true) });
}

#[test]
#[should_panic(expected = "the promise: The record comes back byte for byte")]
fn a_failure_quotes_the_promise() {
    test(by_name::numbers_come_back_as_written, Expectation::Passed, || async { lacking(true) });
}

#[test]
fn a_report_tells_what_is_not_offered_from_what_passed() {
    let report = block_on(run(|| async { lacking(true) }));
    for case in &report.cases {
        let needs = cloakroom_conformance::CASES.iter().find(|other| other.name() == case.name);
        let needs = needs.map(|case| case.needs()).unwrap_or_default();
        let lacks = [
            "find_by",
            "touch",
            "atomic",
            "ids",
            "clear",
            "second_handle",
            "neighbour",
            "raw",
            "faults",
        ];
        let lacking: Vec<_> = needs.iter().filter(|part| lacks.contains(part)).collect();
        let wanted = match case.name {
            _ if !lacking.is_empty() => Outcome::NotOffered,
            "numbers_come_back_as_written" => Outcome::Failed,
            _ => Outcome::Passed,
        };
        assert_eq!(case.outcome, wanted, "{}: {:?}", case.name, case.reason);
        if wanted == Outcome::NotOffered {
            let reason = case.reason.as_deref().unwrap_or_default();
            assert!(lacking.contains(&&reason), "{}: {reason}", case.name);
        }
    }
}
