//! Stores with a second defect for a case, in one of several calls that it makes or for one of several inputs, and
//! stores that are unusual and right.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_conformance::{
    __private::{Expectation, by_name, test},
    Options, Outcome, Report, StoreUnderTest, run,
};
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, MemoryOptions, MemoryStore, SessionData,
    Store, TimeToLive, Touched, Updated,
};
use futures::executor::block_on;

/// What is unusual about a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quirk {
    TouchHasAnotherName,
    DestroyCutsIds,
    UpdateCutsIds,
    GetAndTouchRoundsDown,
    TouchRoundsDown,
    CreateRoundsDown,
    UpdateRoundsDown,
    UpdateOverlooksTheCookie,
    SetNeverShortensWhatWasRead,
    HasNoRevisions,
    /// As an item of DynamoDB.
    TakesFourHundredKilobytes,
    /// As a store that cannot use the characters of some ids in its keys.
    RefusesLongIds,
}

struct Odd {
    inner: MemoryStore,
    clock: Clock,
    quirk: Quirk,
    calls: Arc<AtomicU32>,
}

impl Odd {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Counts the call, and refuses what the store does not accept.
    fn check(&self, operation: &'static str, sid: &str) -> Result<(), Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let refuses = [Quirk::DestroyCutsIds, Quirk::UpdateCutsIds, Quirk::RefusesLongIds]
            .contains(&self.quirk);
        let cuts = [(Quirk::DestroyCutsIds, "destroy"), (Quirk::UpdateCutsIds, "update")];
        if refuses && sid.len() > 250 && !cuts.contains(&(self.quirk, operation)) {
            let message = "invalid id: must have at most 250 bytes";
            return Err(Error::new(ErrorKind::InvalidId, "memory", operation, message));
        }
        Ok(())
    }

    fn check_size(&self, operation: &'static str, session: &SessionData) -> Result<(), Error> {
        if self.quirk == Quirk::TakesFourHundredKilobytes && session.to_json().len() > 400_000 {
            let message = "more than 400 KB";
            return Err(Error::new(ErrorKind::TooLarge, "memory", operation, message));
        }
        Ok(())
    }

    /// The session with its time to live rounded down, if the store does so here.
    fn rounded(&self, here: Quirk, session: &SessionData) -> SessionData {
        let expires_ms = session.cookie().expires_ms().filter(|_| self.quirk == here);
        match expires_ms.map(|expires_ms| expires_ms - self.now_ms()) {
            Some(left_ms) if left_ms > 1_000 && session.store_expiry_ms().is_none() => {
                session.clone().with_store_expiry_ms(self.now_ms() + left_ms / 1_000 * 1_000)
            }
            _ => session.clone(),
        }
    }
}

#[async_trait]
impl Store for Odd {
    fn name(&self) -> &str {
        "memory"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.check("get", sid)?;
        let found = self.inner.get(sid).await?;
        if self.quirk == Quirk::HasNoRevisions {
            return found.map(|read| SessionData::from_json(read.loaded_json())).transpose();
        }
        Ok(found)
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.check("set", sid)?;
        self.check_size("set", session)?;
        let lives = matches!(session.time_to_live(self.now_ms()), TimeToLive::Seconds(1..3_600));
        if self.quirk == Quirk::SetNeverShortensWhatWasRead && session.revision().is_some() && lives
        {
            let until_ms = self.now_ms() + 3_600_000;
            return self.inner.set(sid, &session.clone().with_store_expiry_ms(until_ms)).await;
        }
        self.inner.set(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.check("destroy", sid)?;
        self.inner.destroy(sid).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.check("touch", sid)?;
        let session = self.rounded(Quirk::TouchRoundsDown, session);
        self.inner.touch(sid, &session).await.map_err(|error| match self.quirk {
            Quirk::TouchHasAnotherName => error.with_context("another", "touch"),
            _ => error,
        })
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        if self.quirk == Quirk::HasNoRevisions { None } else { Some(self) }
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        if self.quirk == Quirk::HasNoRevisions { None } else { self.inner.enumerate() }
    }
}

/// The members of a record, without its cookie.
fn members(session: &SessionData) -> Vec<(String, String)> {
    let read = SessionData::from_json(session.loaded_json()).unwrap();
    read.iter().map(|member| (member.name().to_owned(), member.json().to_owned())).collect()
}

#[async_trait]
impl Atomic for Odd {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.check("create", sid)?;
        self.check_size("create", session)?;
        self.inner.create(sid, &self.rounded(Quirk::CreateRoundsDown, session)).await
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.check("update", sid)?;
        self.check_size("update", session)?;
        let session = self.rounded(Quirk::UpdateRoundsDown, session);
        match self.inner.update(sid, &session).await? {
            Updated::Conflict(current)
                if self.quirk == Quirk::UpdateOverlooksTheCookie
                    && members(&current) == members(&session) =>
            {
                let revision = current.revision().unwrap().clone();
                self.inner.update(sid, &session.with_revision(revision)).await
            }
            updated => Ok(updated),
        }
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.check("get_and_touch", sid)?;
        let ttl = ttl.map(|ttl| match self.quirk {
            Quirk::GetAndTouchRoundsDown if !ttl.is_zero() => {
                Duration::from_secs(ttl.as_secs().max(1))
            }
            _ => ttl,
        });
        self.inner.get_and_touch(sid, ttl).await
    }
}

fn subject(quirk: Quirk, calls: Arc<AtomicU32>) -> StoreUnderTest {
    let clock = Clock::fixed(1_700_000_000_000);
    let inner = MemoryStore::with_options(MemoryOptions::default().with_clock(clock.clone()));
    StoreUnderTest::new(Odd { inner, clock: clock.clone(), quirk, calls }).with_clock(clock)
}

fn report(quirk: Quirk) -> Report {
    block_on(run(move || async move { subject(quirk, Arc::default()) }))
}

#[test]
fn a_case_looks_at_each_call_and_at_more_than_one_input() {
    for (quirk, case) in [
        (Quirk::TouchHasAnotherName, "errors_carry_the_stores_name"),
        (Quirk::DestroyCutsIds, "long_ids_are_kept_apart"),
        (Quirk::UpdateCutsIds, "conditional_writes_take_every_id_that_set_takes"),
        (Quirk::GetAndTouchRoundsDown, "get_and_touch_counts_up_to_the_next_second"),
        (Quirk::TouchRoundsDown, "a_session_lives_as_long_as_its_cookie"),
        (Quirk::CreateRoundsDown, "a_session_lives_as_long_as_its_cookie"),
        (Quirk::UpdateRoundsDown, "a_session_lives_as_long_as_its_cookie"),
        (Quirk::UpdateOverlooksTheCookie, "update_notices_a_set"),
        (Quirk::SetNeverShortensWhatWasRead, "set_replaces_the_expiry"),
    ] {
        let report = report(quirk);
        let failed: BTreeSet<_> =
            report.with_outcome(Outcome::Failed).map(|case| case.name).collect();
        assert_eq!(failed, BTreeSet::from([case]), "{quirk:?}: {report}");
    }
}

/// A case has two minutes. The one with the most calls took longer on a store whose calls take 150 ms.
#[test]
fn a_case_about_every_id_has_time_enough_on_a_store_that_is_far_away() {
    const CALL: Duration = Duration::from_millis(150);
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    test(
        by_name::conditional_writes_take_every_id_that_set_takes,
        Expectation::Passed,
        move || {
            let calls = Arc::clone(&counter);
            async { subject(Quirk::TakesFourHundredKilobytes, calls) }
        },
    );
    let takes = CALL * calls.load(Ordering::Relaxed);
    assert!(takes < Options::default().time_limit, "{takes:?}");
}

/// Its author has read that conditional writes need a revision, and offers none.
#[test]
fn a_store_without_revisions_is_told_what_they_are_for() {
    let report = report(Quirk::HasNoRevisions);
    let failed: Vec<_> = report.with_outcome(Outcome::Failed).collect();
    assert!(!failed.is_empty());
    for case in failed {
        let reason = case.reason.as_deref().unwrap();
        assert_eq!(case.group, "stale_cookies", "{report}");
        assert!(reason.contains("Revision::of_text()"), "{reason}");
    }
}

#[test]
fn a_store_with_limits_of_its_own_passes() {
    for quirk in [Quirk::TakesFourHundredKilobytes, Quirk::RefusesLongIds] {
        let report = report(quirk);
        assert!(report.is_conformant(), "{quirk:?}: {report}");
    }
}
