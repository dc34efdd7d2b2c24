//! Helpers for all cases: they make sessions, let time pass, read and list.

use std::{fmt, sync::Arc, time::Duration};

use cloakroom_core::{
    Atomic, Clock, Cookie, CookieMember, Enumerate, Error, ErrorKind, FindBy, Listed, SessionData,
    Store, Touched,
};
use futures::{Stream, TryStreamExt, stream::BoxStream};

use crate::{
    Faults, RawAccess, StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
};

pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// How long a session may outlive its expiry: one second for rounding up, one for a backend that counts in seconds, and
/// two for its timer.
const PATIENCE_MS: i64 = 4_000;
const POLL_MS: i64 = 100;
/// The coarsest clock that a backend may have.
const TICK_MS: i64 = 1_000;
/// How late a tick may come before it is the store's fault.
const LATE_TICK_MS: i64 = TICK_MS / 2;
/// The session whose end [`StoreUnderTest::outlast`] waits for.
pub(crate) const TWIN: &str = "the-twin-of-the-short-one";

/// Helpers for time and sessions.
impl StoreUnderTest {
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock().map_or_else(|| Clock::system().now_ms(), Clock::now_ms)
    }

    /// Returns the time to live of a short session. It is a number of whole seconds, so that rounding up adds nothing,
    /// and gets longer each time that the machine was too slow for it.
    pub(crate) fn short_ms(&self) -> i64 {
        1_000 * self.patience()
    }

    /// Lets time pass: moves the subject's clock, or waits.
    pub(crate) async fn pass(&self, ms: i64) {
        match self.clock() {
            Some(clock) => {
                clock.advance(ms);
                // A background task of the store may act on the new time.
                tokio::task::yield_now().await;
            }
            None => tokio::time::sleep(Duration::from_millis(ms.unsigned_abs())).await,
        }
    }

    /// Returns a session with one member, `who`, that lives for `ms`. With `None`, it is a browser session.
    pub(crate) fn session(&self, who: &str, ms: Option<i64>) -> Result<SessionData, Error> {
        let mut cookie = Cookie::new();
        cookie.set_max_age_ms(ms, self.now_ms())?;
        let mut session = SessionData::with_cookie(cookie);
        session.insert("who", who)?;
        Ok(session)
    }

    /// Returns a session that lives longer than any case.
    pub(crate) fn lasting(&self, who: &str) -> Result<SessionData, Error> {
        self.session(who, Some(HOUR_MS))
    }

    /// Returns a session that expires within the case.
    pub(crate) fn short(&self, who: &str) -> Result<SessionData, Error> {
        self.session(who, Some(self.short_ms()))
    }

    /// Returns a session that expired a minute ago.
    pub(crate) fn expired(&self, who: &str) -> Result<SessionData, Error> {
        self.session(who, Some(-60_000))
    }

    /// Fails as too slow, not as broken, if this session has already expired.
    pub(crate) fn in_time(&self, session: &SessionData) -> Verdict {
        match session.cookie().expires_ms() {
            Some(expires_ms) if self.now_ms() >= expires_ms => {
                Err(Failure::TooSlow("each short session ended before it was used".into()))
            }
            _ => Ok(()),
        }
    }

    /// Waits until every short session that was stored before has expired. It does not read them, because a store might
    /// clean up when it reads. Instead it stores another session and waits for that to expire, and one tick longer,
    /// because each of several servers behind a store has its own ticks.
    pub(crate) async fn outlast(&self) -> Verdict {
        let twin = self.short("twin")?;
        self.store().set(TWIN, &twin).await?;
        self.ends(TWIN, twin.cookie().expires_ms().unwrap_or_default()).await?;
        self.pass(TICK_MS).await;
        Ok(())
    }

    /// Waits until the session, which must expire at `expires_ms`, is gone.
    pub(crate) async fn ends(&self, sid: &str, expires_ms: i64) -> Verdict {
        let start_ms = self.now_ms();
        self.is_gone_after(sid, expires_ms).await?;
        // A session that ends too early logs its user out, so early is an error as well as late.
        let now_ms = self.now_ms();
        self.not_early(sid, expires_ms - now_ms, format_args!(", after {} ms", now_ms - start_ms))
    }

    /// Waits until no session has this id, which one may have until `expires_ms`.
    pub(crate) async fn is_gone_after(&self, sid: &str, expires_ms: i64) -> Verdict {
        loop {
            // Measured before the call, because the duration of the call says nothing about the session.
            let late_ms = self.now_ms() - expires_ms;
            if self.store().get(sid).await?.is_none() {
                return Ok(());
            }
            check(
                late_ms < PATIENCE_MS,
                format_args!("{sid:?} still exists {late_ms} ms after its expiry"),
            )?;
            self.pass(POLL_MS).await;
        }
    }

    /// Fails if the session ends before `until_ms`.
    pub(crate) async fn lives_until(&self, sid: &str, until_ms: i64) -> Verdict {
        loop {
            let there = self.store().get(sid).await?.is_some();
            // Measured after the call: a session that ended while a slow call ran has not ended too early.
            let left_ms = until_ms - self.now_ms();
            if left_ms <= 0 {
                return Ok(());
            }
            if !there {
                return self.not_early(sid, left_ms, format_args!(""));
            }
            self.pass(POLL_MS).await;
        }
    }
}

impl StoreUnderTest {
    /// Fails if a session ended `early_ms` before its expiry.
    ///
    /// The clock of a backend that counts in ticks is late on a busy machine: Memcached's is a timer of its main
    /// thread, and what another thread stores before the late tick ends that much earlier. A small difference is
    /// therefore a failure only if it comes in every run, and a larger one from the third run on.
    fn not_early(&self, sid: &str, early_ms: i64, when: fmt::Arguments<'_>) -> Verdict {
        let reason = || format!("{sid:?} ended {early_ms} ms before its expiry{when}");
        match early_ms {
            ..=0 => Ok(()),
            1..=LATE_TICK_MS if self.clock().is_none() => Err(Failure::TooSlow(reason().into())),
            _ => Err(self.gone_early(reason())),
        }
    }

    /// Returns the failure of a session that is gone before its expiry. Where the case moves the clock, nothing is late,
    /// and the store is to blame at once.
    pub(crate) fn gone_early(&self, reason: String) -> Failure {
        if self.clock().is_some() { broken(reason) } else { self.too_slow(reason) }
    }

    /// Returns the session, which was short before it was extended.
    pub(crate) async fn outlives(&self, sid: &str) -> Result<SessionData, Failure> {
        let read = self.store().get(sid).await?;
        read.ok_or_else(|| self.gone_early(format!("no session exists under {}", shown(sid))))
    }

    /// Returns a failure that is blamed on the machine in the first two runs, and on the store after that.
    pub(crate) fn too_slow(&self, reason: String) -> Failure {
        if self.patience() < 4 { Failure::TooSlow(reason.into()) } else { broken(reason) }
    }
}

impl StoreUnderTest {
    /// Returns the session, which must exist.
    pub(crate) async fn read(&self, sid: &str) -> Result<SessionData, Failure> {
        self.store()
            .get(sid)
            .await?
            .ok_or_else(|| broken(format_args!("no session exists under {}", shown(sid))))
    }

    pub(crate) async fn is_there(&self, sid: &str) -> Verdict {
        self.read(sid).await.map(drop)
    }

    /// Checks that no live session has this id.
    pub(crate) async fn is_gone(&self, sid: &str) -> Verdict {
        let there = self.store().get(sid).await?.is_some();
        check(!there, format_args!("a session exists under {}", shown(sid)))
    }

    /// Checks that the session exists and has this record, byte for byte.
    pub(crate) async fn holds(&self, sid: &str, wanted: &SessionData) -> Verdict {
        same(&self.read(sid).await?, wanted)
    }
}

/// The parts that a store or a subject may lack.
impl StoreUnderTest {
    pub(crate) fn atomic(&self) -> Result<&dyn Atomic, Failure> {
        self.store().atomic().ok_or(Failure::NotOffered("atomic"))
    }

    pub(crate) fn enumerate(&self) -> Result<&dyn Enumerate, Failure> {
        self.store().enumerate().ok_or(Failure::NotOffered("enumerate"))
    }

    pub(crate) fn find_by(&self) -> Result<&dyn FindBy, Failure> {
        self.store().enumerate().and_then(Enumerate::find_by).ok_or(Failure::NotOffered("find_by"))
    }

    /// Creates the index, which a store can lack for all of its records.
    pub(crate) async fn index(&self, path: &str) -> Verdict {
        self.find_by()?.create_index(path).await.map_err(|error| part("find_by", error))
    }

    /// Returns what is found, or `None` if no index tells it.
    pub(crate) async fn find(
        &self,
        path: &str,
        value: &str,
    ) -> Result<Option<Vec<Listed>>, Failure> {
        match self.find_by()?.find(path, value).await? {
            Some(found) => Ok(Some(found.try_collect().await?)),
            None => Ok(None),
        }
    }

    /// Returns what is found of what the store itself wrote, or `None` if it has neither an index nor a list.
    pub(crate) async fn find_known(
        &self,
        path: &str,
        value: &str,
    ) -> Result<Option<Vec<Listed>>, Failure> {
        match self.find_by()?.find_known(path, value).await? {
            Some(found) => Ok(Some(found.try_collect().await?)),
            None => Ok(None),
        }
    }

    pub(crate) fn second_handle(&self) -> Result<&dyn Store, Failure> {
        self.second().ok_or(Failure::NotOffered("second_handle"))
    }

    pub(crate) fn neighbour(&self) -> Result<&dyn Store, Failure> {
        self.beside().ok_or(Failure::NotOffered("neighbour"))
    }

    pub(crate) fn raw(&self) -> Result<&dyn RawAccess, Failure> {
        self.raw_access().ok_or(Failure::NotOffered("raw"))
    }

    /// Starts the server that the case may stop, freeze and cut off.
    pub(crate) async fn faults(&self) -> Result<Arc<dyn Faults>, Failure> {
        let start = self.start_faults().ok_or(Failure::NotOffered("faults"))?;
        Ok(start().await?)
    }

    /// Calls `touch`, whose answer says if the store supports it: there is no method to ask for that.
    pub(crate) async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Failure> {
        match self.store().touch(sid, session).await? {
            Touched::NotOffered | Touched::NotDue => Err(Failure::NotOffered("touch")),
            touched => Ok(touched),
        }
    }

    pub(crate) fn id_stream(&self) -> Result<BoxStream<'_, Result<String, Failure>>, Failure> {
        Ok(Box::pin(self.enumerate()?.ids().map_err(|error| part("ids", error))))
    }

    pub(crate) async fn ids(&self) -> Result<Vec<String>, Failure> {
        self.id_stream()?.try_collect().await
    }

    pub(crate) fn all_stream(
        &self,
    ) -> Result<impl Stream<Item = Result<Listed, Failure>> + Send + Unpin, Failure> {
        Ok(self.enumerate()?.all().map_err(|error| part("all", error)))
    }

    pub(crate) async fn all(&self) -> Result<Vec<Listed>, Failure> {
        self.all_stream()?.try_collect().await
    }

    pub(crate) async fn length(&self) -> Result<u64, Failure> {
        self.enumerate()?.length().await.map_err(|error| part("length", error))
    }

    pub(crate) async fn clear(&self) -> Verdict {
        self.enumerate()?.clear().await.map_err(|error| part("clear", error))
    }
}

/// A store whose protocol can list only some things offers `Enumerate` and answers the rest with `Unsupported`.
fn part(name: &'static str, error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Unsupported => Failure::NotOffered(name),
        _ => error.into(),
    }
}

/// Checks that the record that was read is the one that was written, byte for byte. Only the `expires` of a session
/// that was read before may differ, because express-session moves it before it saves.
pub(crate) fn same(read: &SessionData, written: &SessionData) -> Verdict {
    let mut moved = written.clone();
    if written.revision().is_some() && read.cookie().expires_ms() > written.cookie().expires_ms() {
        let expires = read.cookie().raw(CookieMember::Expires).clone();
        moved.cookie_mut().set_raw(CookieMember::Expires, expires);
    }
    let (read, written) = (read.loaded_json(), moved.to_json());
    check(read == written, format_args!("wrote {}, but read {}", shown(&written), shown(read)))
}

/// Returns the value of the member `who`.
pub(crate) fn who(session: &SessionData) -> Result<String, Failure> {
    Ok(session.get("who")?.unwrap_or_default())
}

/// Quotes and shortens a text for a message. The records are the suite's own, so they may be shown.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(300).collect();
    if cut.len() < text.len() {
        format!("{cut:?} and {} bytes more", text.len() - cut.len())
    } else {
        format!("{cut:?}")
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::{MemoryOptions, MemoryStore};
    use futures::executor::block_on;

    use super::*;

    const NOW_MS: i64 = 1_750_000_000_000;

    fn is_looked_at_again(verdict: &Verdict) -> bool {
        match verdict {
            Err(Failure::TooSlow(_)) => true,
            Err(Failure::Broken(_)) => false,
            other => panic!("{other:?}"),
        }
    }

    /// Memcached's clock was 1.7 s late on a starved machine, and a session of one second, which it was to keep for
    /// two, ended after 0.3 s.
    #[test]
    fn a_session_that_ends_early_is_looked_at_again_and_counts_in_the_end() {
        const FAR_MS: i64 = 60_000;
        for (early_ms, patience, again) in [
            (LATE_TICK_MS, 1, true),
            (LATE_TICK_MS, 4, true),
            (FAR_MS, 1, true),
            (FAR_MS, 2, true),
            (FAR_MS, 4, false),
        ] {
            let subject = StoreUnderTest::new(MemoryStore::new()).with_patience(patience);
            let verdict = subject.not_early("id", early_ms, format_args!(""));
            assert_eq!(is_looked_at_again(&verdict), again, "{early_ms} ms, {patience}");
            let until_ms = subject.now_ms() + FAR_MS;
            for verdict in [
                block_on(subject.ends("id", until_ms)),
                block_on(subject.lives_until("id", until_ms)),
                block_on(subject.outlives("id")).map(drop),
            ] {
                assert_eq!(is_looked_at_again(&verdict), patience < 4, "{patience}");
            }
        }
    }

    #[test]
    fn it_counts_at_once_where_the_case_moves_the_clock() {
        let clock = Clock::fixed(NOW_MS);
        let store = MemoryStore::with_options(MemoryOptions::default().with_clock(clock.clone()));
        let subject = StoreUnderTest::new(store).with_clock(clock);
        for early_ms in [1, LATE_TICK_MS, 60_000] {
            assert!(!is_looked_at_again(&block_on(subject.ends("id", NOW_MS + early_ms))));
        }
        assert!(!is_looked_at_again(&block_on(subject.outlives("id")).map(drop)));
    }
}
