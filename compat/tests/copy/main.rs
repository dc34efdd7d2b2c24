//! Sessions copied from one store to another.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod apart;
mod endless;
mod rewriting;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_compat::{CopyOptions, CopyProgress, Migrating, copy, is_moving, verify_copy};
use cloakroom_core::{
    Atomic, Clock, Enumerate, Error, ErrorKind, FindBy, Listed, MemoryOptions, MemoryStore,
    SessionData, Store, Touched,
};
use futures::{
    executor::block_on,
    stream::{self, BoxStream, StreamExt, TryStreamExt},
};

const NOW: i64 = 1_700_000_000_000;

fn store(clock: &Clock) -> MemoryStore {
    let mut options = MemoryOptions::default();
    options.clock = clock.clone();
    MemoryStore::with_options(options)
}

fn options(clock: &Clock) -> CopyOptions {
    CopyOptions::default().with_clock(clock.clone())
}

fn lives(seconds: u64) -> SessionData {
    let mut session = SessionData::new();
    session.set_max_age(Duration::from_secs(seconds), NOW).unwrap();
    session
}

fn counts(done: &CopyProgress) -> [u64; 6] {
    [done.copied, done.skipped, done.kept, done.replaced, done.gone, done.failed]
}

fn copied(from: &dyn Store, to: &dyn Store, options: &CopyOptions) -> CopyProgress {
    block_on(copy(from, to, options, |_| ())).unwrap()
}

#[test]
fn every_byte_and_the_time_left_are_copied() {
    let clock = Clock::fixed(NOW);
    let (from, to) = (store(&clock), store(&clock));
    let text = r#"{ "n":1.0, "half":"\ud83d", "cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z"} }"#;
    block_on(async {
        from.set("id", &SessionData::from_json(text).unwrap()).await.unwrap();
        // The cookie in the record is stale from now on.
        from.touch("id", &lives(500)).await.unwrap();
    });
    assert_eq!(counts(&copied(&from, &to, &options(&clock))), [1, 0, 0, 0, 0, 0]);
    let listed: Vec<Listed> = block_on(to.all().try_collect()).unwrap();
    assert_eq!(listed[0].id, "id");
    assert_eq!(listed[0].session.loaded_json(), text);
    assert_eq!(listed[0].time_left, Some(Duration::from_secs(500)));
    assert_eq!(block_on(verify_copy(&from, &to, &options(&clock), |_| ())).unwrap(), 0);
    clock.advance(499_000);
    assert!(block_on(to.get("id")).unwrap().is_some());
    clock.advance(1_000);
    assert!(block_on(to.get("id")).unwrap().is_none());
}

#[test]
fn what_is_there_is_skipped_or_kept_and_replaced_only_on_demand() {
    let clock = Clock::fixed(NOW);
    let (from, to) = (store(&clock), store(&clock));
    let mut newer = lives(60);
    newer.insert("n", 2).unwrap();
    block_on(async {
        for sid in ["same", "newer", "missing"] {
            from.set(sid, &lives(60)).await.unwrap();
        }
        to.set("same", &lives(60)).await.unwrap();
        to.set("newer", &newer).await.unwrap();
    });
    let dry = options(&clock).with_dry_run(true);
    assert_eq!(counts(&copied(&from, &to, &dry)), [1, 1, 1, 0, 0, 0]);
    assert_eq!(block_on(to.length()).unwrap(), 2, "a dry run writes nothing");
    assert_eq!(block_on(verify_copy(&from, &to, &dry, |_| ())).unwrap(), 2);
    assert_eq!(counts(&copied(&from, &to, &options(&clock))), [1, 1, 1, 0, 0, 0]);
    assert_eq!(block_on(to.get("newer")).unwrap().unwrap(), newer);
    assert_eq!(counts(&copied(&from, &to, &options(&clock))), [0, 2, 1, 0, 0, 0]);
    let overwriting = options(&clock).with_overwrite(true);
    assert_eq!(counts(&copied(&from, &to, &overwriting)), [0, 2, 0, 1, 0, 0]);
    assert_eq!(block_on(verify_copy(&from, &to, &overwriting, |_| ())).unwrap(), 0);
}

#[test]
fn a_copy_that_was_interrupted_is_completed() {
    let clock = Clock::fixed(NOW);
    let (from, to) = (store(&clock), store(&clock));
    block_on(async {
        for number in 0..1_000 {
            from.set(&number.to_string(), &lives(60)).await.unwrap();
        }
        let seen = Mutex::new(0);
        let options = options(&clock).with_concurrency(1);
        let stopped = AtomicBool::new(false);
        {
            let copying = copy(&from, &to, &options, |done| {
                *seen.lock().unwrap() = done.total();
                stopped.store(done.total() >= 300, SeqCst);
            });
            let mut copying = std::pin::pin!(copying);
            // Dropped at a moment that the progress decides, as by Ctrl-C.
            futures::future::poll_fn(|context| {
                let polled = copying.as_mut().poll(context);
                if stopped.load(SeqCst) || polled.is_ready() {
                    return std::task::Poll::Ready(());
                }
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
        }
        let done = copy(&from, &to, &options, |_| ()).await.unwrap();
        assert_eq!(done.copied + done.skipped, 1_000);
        assert!(done.skipped >= 300);
        assert_eq!(verify_copy(&from, &to, &options, |_| ()).await.unwrap(), 0);
    });
}

/// A store that does something else between its listing and what is asked next.
struct Changing {
    inner: MemoryStore,
    items: Mutex<Vec<Result<Listed, Error>>>,
    is_atomic: bool,
}

#[async_trait]
impl Store for Changing {
    fn name(&self) -> &str {
        "changing"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.inner.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        if session.contains("large") {
            return Err(Error::new(ErrorKind::TooLarge, "changing", "set", "too large"));
        }
        self.inner.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.inner.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.inner.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        if self.is_atomic { self.inner.atomic() } else { None }
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

#[async_trait]
impl Enumerate for Changing {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.inner.ids()
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        stream::iter(std::mem::take(&mut *self.items.lock().unwrap())).boxed()
    }
    async fn length(&self) -> Result<u64, Error> {
        self.inner.length().await
    }
    async fn clear(&self) -> Result<(), Error> {
        self.inner.clear().await
    }
    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "changing", "all", "as told")
}

#[test]
fn what_ends_or_changes_meanwhile_is_not_copied_as_it_was() {
    let clock = Clock::fixed(NOW);
    let (from, to) = (store(&clock), store(&clock));
    let mut changed = lives(60);
    changed.insert("n", 2).unwrap();
    let mut ended = lives(60);
    ended.set_ends_at_ms(Some(NOW - 1)).unwrap();
    block_on(from.set("changed", &changed)).unwrap();
    let minute = Duration::from_secs(60);
    for is_atomic in [true, false] {
        let items = ["destroyed", "changed"].map(|sid| Ok(Listed::new(sid, lives(60), minute)));
        let mut items = Vec::from(items);
        items.push(Ok(Listed::new("ended", ended.clone(), minute)));
        let from = Changing { inner: from.clone(), items: Mutex::new(items), is_atomic: true };
        let to = Changing { inner: to.clone(), items: Mutex::default(), is_atomic };
        assert_eq!(counts(&copied(&from, &to, &options(&clock))), [1, 0, 0, 0, 2, 0]);
        assert_eq!(block_on(to.inner.get("changed")).unwrap().unwrap(), changed);
        assert_eq!(block_on(to.length()).unwrap(), 1);
        block_on(to.inner.destroy("changed")).unwrap();
    }
}

#[test]
fn what_cannot_be_copied_is_counted_and_an_outage_ends_the_copy() {
    let clock = Clock::fixed(NOW);
    let minute = Duration::from_secs(60);
    let mut large = lives(60);
    large.insert("large", true).unwrap();
    let large = SessionData::from_json(large.to_json().into_owned()).unwrap();
    let mut done = CopyProgress::default();
    let items = vec![
        Err(error(ErrorKind::Corrupt)),
        Ok(Listed::new("large", large, minute)),
        Ok(Listed::new("fine", lives(60), minute)),
        Err(error(ErrorKind::Unavailable)),
    ];
    let inner = store(&clock);
    block_on(inner.set("fine", &lives(60))).unwrap();
    let from = Changing { inner, items: Mutex::new(items), is_atomic: true };
    let to = Changing { inner: store(&clock), items: Mutex::default(), is_atomic: false };
    let options = options(&clock).with_concurrency(1);
    block_on(from.inner.set("large", &SessionData::new())).unwrap();
    let stopped = block_on(copy(&from, &to, &options, |so_far| {
        (done.copied, done.failed) = (so_far.copied, so_far.failed);
        assert_eq!(so_far.why.as_ref().unwrap().kind(), ErrorKind::Corrupt);
    }));
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!((done.copied, done.failed), (1, 2));
}

#[test]
fn a_second_copy_gives_the_time_that_is_left_and_what_has_ended_is_counted() {
    let clock = Clock::fixed(NOW);
    let (from, to) = (store(&clock), store(&clock));
    let verified = || block_on(verify_copy(&from, &to, &options(&clock), |_| ())).unwrap();
    block_on(async {
        for sid in ["visited", "logged out"] {
            from.set(sid, &lives(60)).await.unwrap();
        }
    });
    copied(&from, &to, &options(&clock));
    assert_eq!(verified(), 0);
    block_on(async {
        from.touch("visited", &lives(500)).await.unwrap();
        from.destroy("logged out").await.unwrap();
    });
    assert_eq!(verified(), 2);
    assert_eq!(counts(&copied(&from, &to, &options(&clock))), [0, 1, 0, 0, 0, 0]);
    assert_eq!(verified(), 1, "the other store still has what has ended");
    clock.advance(499_000);
    assert!(block_on(to.get("visited")).unwrap().is_some());
    clock.advance(1_000);
    assert!(block_on(to.get("visited")).unwrap().is_none());
}

/// Takes some steps of a move between stores that answer at the second poll.
fn moved_half_way(from: &MemoryStore, clock: &Clock, steps: usize) {
    let elsewhere = store(clock);
    let moving = Migrating::new(Slow(from.clone()), Slow(elsewhere)).with_clock(clock.clone());
    let mut moving = std::pin::pin!(moving.move_session("id", None));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..steps {
        assert!(moving.as_mut().poll(&mut context).is_pending());
    }
}

/// A store whose writes and reads take a moment.
struct Slow(MemoryStore);

async fn moment() {
    let mut is_over = false;
    futures::future::poll_fn(|_| match std::mem::replace(&mut is_over, true) {
        true => std::task::Poll::Ready(()),
        false => std::task::Poll::Pending,
    })
    .await;
}

#[async_trait]
impl Store for Slow {
    fn name(&self) -> &str {
        "slow"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        moment().await;
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.0.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        self.0.atomic()
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.0.enumerate()
    }
}

#[test]
fn a_session_that_is_being_moved_is_counted_as_failed_and_differs() {
    let clock = Clock::fixed(NOW);
    let (from, to) = (store(&clock), store(&clock));
    block_on(from.set("id", &lives(60))).unwrap();
    // It has been closed by then.
    moved_half_way(&from, &clock, 4);
    assert!(is_moving(&block_on(from.get("id")).unwrap().unwrap()));
    for dry_run in [true, false] {
        let done = copied(&from, &to, &options(&clock).with_dry_run(dry_run));
        assert_eq!(counts(&done), [0, 0, 0, 0, 0, 1]);
        let why = done.why.unwrap().to_string();
        assert!(why.contains("cloakroom copy --move"), "{why}");
    }
    assert_eq!(block_on(verify_copy(&from, &to, &options(&clock), |_| ())).unwrap(), 1);
    // Nor is it overwritten.
    let other = store(&clock);
    block_on(other.set("id", &lives(30))).unwrap();
    let overwriting = options(&clock).with_overwrite(true);
    assert_eq!(counts(&copied(&other, &from, &overwriting)), [0, 0, 0, 0, 0, 1]);
    assert!(is_moving(&block_on(from.get("id")).unwrap().unwrap()));
}

#[test]
fn a_record_that_was_written_after_the_listing_lives_as_long_as_it_says() {
    let clock = Clock::fixed(NOW);
    let mut changed = lives(1_000);
    changed.insert("n", 2).unwrap();
    for is_atomic in [true, false] {
        let inner = store(&clock);
        block_on(inner.set("id", &changed)).unwrap();
        let items = vec![Ok(Listed::new("id", lives(1_000), Duration::from_secs(5)))];
        let from = Changing { inner, items: Mutex::new(items), is_atomic: true };
        let to = Changing { inner: store(&clock), items: Mutex::default(), is_atomic };
        assert_eq!(counts(&copied(&from, &to, &options(&clock))), [1, 0, 0, 0, 0, 0]);
        let listed: Vec<Listed> = block_on(to.inner.all().try_collect()).unwrap();
        assert_eq!(listed[0].time_left, Some(Duration::from_secs(1_000)));
    }
}

#[test]
fn an_overwritten_session_is_not_brought_back_or_older() {
    let clock = Clock::fixed(NOW);
    let minute = Duration::from_secs(60);
    let mut newer = lives(60);
    newer.insert("n", 2).unwrap();
    for is_atomic in [true, false] {
        let (inner, there) = (store(&clock), store(&clock));
        block_on(async {
            inner.set("changed", &newer).await.unwrap();
            for sid in ["changed", "logged out", "the same"] {
                let mut other = lives(60);
                other.insert("n", 7).unwrap();
                let other = if sid == "the same" { lives(60) } else { other };
                there.set(sid, &other).await.unwrap();
            }
        });
        let items = ["changed", "logged out", "the same"];
        let items = items.map(|sid| Ok(Listed::new(sid, lives(60), minute))).into();
        let from = Changing { inner, items: Mutex::new(items), is_atomic: true };
        let to = Changing { inner: there, items: Mutex::default(), is_atomic };
        let overwriting = options(&clock).with_overwrite(true);
        assert_eq!(counts(&copied(&from, &to, &overwriting)), [0, 0, 0, 1, 2, 0]);
        assert_eq!(block_on(to.inner.get("changed")).unwrap().unwrap(), newer);
        assert_eq!(block_on(to.length()).unwrap(), 1);
    }
}
