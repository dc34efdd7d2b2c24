//! What cases do with a subject: make sessions, let time pass, read, list.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{
    Atomic, Clock, Cookie, CookieMember, Enumerate, Error, ErrorKind, SessionData, Store, Touched,
};
use futures::{Stream, TryStreamExt, stream::BoxStream};

use crate::{
    Faults, RawAccess, StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
};

pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// How long after its expiry a session is waited for: one second for rounding up, one for a backend that counts in
/// seconds, and two for its timer.
const PATIENCE_MS: i64 = 4_000;
const POLL_MS: i64 = 100;
/// The coarsest clock that a backend may have.
const TICK_MS: i64 = 1_000;
/// The session that [`StoreUnderTest::outlast`] waits by.
const TWIN: &str = "the-twin-of-the-short-one";

/// Time and sessions.
impl StoreUnderTest {
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock().map_or_else(|| Clock::system().now_ms(), Clock::now_ms)
    }

    /// The life of a short session: whole seconds, so that rounding up adds nothing. It is longer each time that the
    /// machine was too slow for it.
    pub(crate) fn short_ms(&self) -> i64 {
        1_000 * self.patience()
    }

    pub(crate) async fn pass(&self, ms: i64) {
        match self.clock() {
            Some(clock) => {
                clock.advance(ms);
                tokio::task::yield_now().await;
            }
            None => tokio::time::sleep(Duration::from_millis(ms.unsigned_abs())).await,
        }
    }

    /// A session with one member, `who`, that lives for `ms`; a browser session for `None`.
    pub(crate) fn session(&self, who: &str, ms: Option<i64>) -> Result<SessionData, Error> {
        let mut cookie = Cookie::new();
        cookie.set_max_age_ms(ms, self.now_ms())?;
        let mut session = SessionData::with_cookie(cookie);
        session.insert("who", who)?;
        Ok(session)
    }

    /// A session that lives longer than any case.
    pub(crate) fn lasting(&self, who: &str) -> Result<SessionData, Error> {
        self.session(who, Some(HOUR_MS))
    }

    /// A session that ends within the case.
    pub(crate) fn short(&self, who: &str) -> Result<SessionData, Error> {
        self.session(who, Some(self.short_ms()))
    }

    /// A session whose expiry has passed a minute ago.
    pub(crate) fn expired(&self, who: &str) -> Result<SessionData, Error> {
        self.session(who, Some(-60_000))
    }

    /// Fails as too slow, not as broken, when this session's own expiry has come already.
    pub(crate) fn in_time(&self, session: &SessionData) -> Verdict {
        match session.cookie().expires_ms() {
            Some(expires_ms) if self.now_ms() >= expires_ms => {
                Err(Failure::TooSlow("each short session ended before it was used"))
            }
            _ => Ok(()),
        }
    }

    /// Waits until every short session that was stored before has expired, without reading it, because a store might
    /// clean up when it reads. It stores another one and waits for that, and a tick longer: of several servers behind
    /// a store, each counts its seconds from a moment of its own.
    pub(crate) async fn outlast(&self) -> Verdict {
        let twin = self.short("twin")?;
        self.store().set(TWIN, &twin).await?;
        self.ends(TWIN, twin.cookie().expires_ms().unwrap_or_default()).await?;
        self.pass(TICK_MS).await;
        Ok(())
    }

    /// Waits until there is no session under this id, which was to end at `expires_ms`.
    pub(crate) async fn ends(&self, sid: &str, expires_ms: i64) -> Verdict {
        let start_ms = self.now_ms();
        loop {
            // Before the question: how long the answer takes says nothing about the session.
            let late_ms = self.now_ms() - expires_ms;
            if self.store().get(sid).await?.is_none() {
                break;
            }
            check(
                late_ms < PATIENCE_MS,
                format_args!("{sid:?} is still there {late_ms} ms after its expiry"),
            )?;
            self.pass(POLL_MS).await;
        }
        let early_ms = expires_ms - self.now_ms();
        check(
            early_ms <= 0,
            format_args!(
                "{sid:?} ended {early_ms} ms before its expiry, after {} ms",
                self.now_ms() - start_ms
            ),
        )
    }

    /// Fails when the session ends before `until_ms`.
    pub(crate) async fn lives_until(&self, sid: &str, until_ms: i64) -> Verdict {
        loop {
            let there = self.store().get(sid).await?.is_some();
            let left_ms = until_ms - self.now_ms();
            if left_ms <= 0 {
                return Ok(());
            }
            check(there, format_args!("{sid:?} ended {left_ms} ms too early"))?;
            self.pass(POLL_MS).await;
        }
    }
}

/// Reading.
impl StoreUnderTest {
    /// The session, which must be there.
    pub(crate) async fn read(&self, sid: &str) -> Result<SessionData, Failure> {
        self.store()
            .get(sid)
            .await?
            .ok_or_else(|| broken(format_args!("there is no session under {}", shown(sid))))
    }

    pub(crate) async fn is_there(&self, sid: &str) -> Verdict {
        self.read(sid).await.map(drop)
    }

    pub(crate) async fn is_gone(&self, sid: &str) -> Verdict {
        let there = self.store().get(sid).await?.is_some();
        check(!there, format_args!("there is a session under {}", shown(sid)))
    }

    /// The session, which must be there, holds this record byte for byte.
    pub(crate) async fn holds(&self, sid: &str, wanted: &SessionData) -> Verdict {
        same(&self.read(sid).await?, wanted)
    }
}

/// The parts that a store or a subject can lack.
impl StoreUnderTest {
    pub(crate) fn atomic(&self) -> Result<&dyn Atomic, Failure> {
        self.store().atomic().ok_or(Failure::NotOffered("atomic"))
    }

    pub(crate) fn enumerate(&self) -> Result<&dyn Enumerate, Failure> {
        self.store().enumerate().ok_or(Failure::NotOffered("enumerate"))
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

    /// Starts the server that can be harmed.
    pub(crate) async fn faults(&self) -> Result<Arc<dyn Faults>, Failure> {
        let start = self.start_faults().ok_or(Failure::NotOffered("faults"))?;
        Ok(start().await?)
    }

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
    ) -> Result<impl Stream<Item = Result<(String, SessionData), Failure>> + Send + Unpin, Failure>
    {
        Ok(self.enumerate()?.all().map_err(|error| part("all", error)))
    }

    pub(crate) async fn all(&self) -> Result<Vec<(String, SessionData)>, Failure> {
        self.all_stream()?.try_collect().await
    }

    pub(crate) async fn length(&self) -> Result<u64, Failure> {
        self.enumerate()?.length().await.map_err(|error| part("length", error))
    }

    pub(crate) async fn clear(&self) -> Verdict {
        self.enumerate()?.clear().await.map_err(|error| part("clear", error))
    }
}

fn part(name: &'static str, error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Unsupported => Failure::NotOffered(name),
        _ => error.into(),
    }
}

/// What was read is what was written, byte for byte. Only the `expires` of a session that was read before may have been
/// moved, as express-session moves it before it saves.
pub(crate) fn same(read: &SessionData, written: &SessionData) -> Verdict {
    let mut moved = written.clone();
    if written.revision().is_some() && read.cookie().expires_ms() > written.cookie().expires_ms() {
        let expires = read.cookie().raw(CookieMember::Expires).clone();
        moved.cookie_mut().set_raw(CookieMember::Expires, expires);
    }
    let (read, written) = (read.loaded_json(), moved.to_json());
    check(read == written, format_args!("wrote {} and read {}", shown(&written), shown(read)))
}

/// The value of the member `who`.
pub(crate) fn who(session: &SessionData) -> Result<String, Failure> {
    Ok(session.get("who")?.unwrap_or_default())
}

/// A text in a message, quoted and cut. The suite's records are its own, so they can be shown.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(300).collect();
    if cut.len() < text.len() {
        format!("{cut:?} and {} bytes more", text.len() - cut.len())
    } else {
        format!("{cut:?}")
    }
}
