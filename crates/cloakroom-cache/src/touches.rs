//! Which sessions were extended recently, so that they need not be extended again.

use std::{
    collections::HashMap,
    hash::RandomState,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::moment::Moment;

const A_SECOND: Duration = Duration::from_secs(1);

/// The longest interval if only the store knows how long the session lives.
const UNKNOWN: Duration = A_SECOND;

/// What an entry takes besides the id.
const OVERHEAD: u64 = 2 * (size_of::<(String, Recent)>() as u64 + 48) + 16;

#[derive(Clone, Copy)]
struct Touch {
    /// When it was sent, or a moment before.
    at: Moment,
    /// The time to live that it gave the session. `None` is the store's own for a browser session.
    ttl: Option<Duration>,
}

/// The last extension of a session, and the one before it if that had another time to live.
///
/// The safe layer extends some sessions twice per request: by its own time to live when it reads them, and then by that of
/// their cookie. Neither is due again, as long as the second was the last one.
#[derive(Clone, Copy)]
struct Recent {
    last: Touch,
    before: Option<Touch>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Recent> for ByBytes {
    fn weight(&self, sid: &String, _: &Recent) -> u64 {
        sid.len() as u64 + OVERHEAD
    }
}

/// The sessions that were extended recently.
pub(crate) struct Touches {
    interval: Duration,
    recent: Cache<String, Recent, ByBytes, RandomState>,
    /// The sessions that a task extends at this moment, each with the number of its claim.
    pending: Mutex<HashMap<String, u64>>,
    claims: AtomicU64,
    saved: AtomicU64,
}

/// The right to extend a session. Unless it is [kept](Self::keep), the session counts as not extended.
pub(crate) struct Claim<'a> {
    touches: &'a Touches,
    sid: &'a str,
    /// `None` if another task extends the session as well, whose claim counts.
    number: Option<u64>,
    touch: Touch,
    before: Option<Touch>,
}

impl Touches {
    pub(crate) fn new(interval: Duration, max_bytes: u64) -> Self {
        let items = usize::try_from(max_bytes / 512).unwrap_or(usize::MAX);
        let recent =
            Cache::with(items, max_bytes, ByBytes, RandomState::new(), DefaultLifecycle::default());
        Self {
            interval,
            recent,
            pending: Mutex::default(),
            claims: AtomicU64::new(0),
            saved: AtomicU64::new(0),
        }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how much earlier a session may end than it was asked to.
    fn slack(&self, ttl: Option<Duration>) -> Duration {
        self.interval.min(ttl.map_or(UNKNOWN, |ttl| ttl / 10))
    }

    /// Returns true if a session must be extended so that it lives for `ttl` from now, or nearly so. `left` is how long it
    /// lives otherwise, if the store has said so.
    fn is_due(
        &self,
        sid: &str,
        now: Moment,
        ttl: Option<Duration>,
        left: Option<Duration>,
    ) -> bool {
        self.is_due_after(1, sid, now, ttl, left)
    }

    /// The same, if that many intervals may pass.
    fn is_due_after(
        &self,
        intervals: u32,
        sid: &str,
        now: Moment,
        ttl: Option<Duration>,
        left: Option<Duration>,
    ) -> bool {
        let slack = self.slack(ttl).saturating_mul(intervals);
        let interval = self.interval.saturating_mul(intervals);
        if slack.is_zero() {
            return true;
        }
        if left.zip(ttl).is_some_and(|(left, ttl)| is_near(left, ttl, slack)) {
            return false;
        }
        let is_recent = |touch: Touch| touch.is_repeated_by(now, ttl, slack, interval);
        // If the store says that little time is left, another program has changed the expiry since.
        let is_short = left.is_some_and(|left| left < slack);
        is_short || !self.recent.get(sid).is_some_and(|recent| recent.touches().any(is_recent))
    }

    /// Returns the right to extend the session so that it lives for `ttl` from now, or `None` if that is not due.
    ///
    /// Of several tasks only one gets it, as long as the session lives nearly as long without: that one may fail.
    pub(crate) fn claim<'a>(
        &'a self,
        sid: &'a str,
        now: Moment,
        ttl: Option<Duration>,
        left: Option<Duration>,
    ) -> Option<Claim<'a>> {
        let touch = Touch { at: now, ttl };
        let slack = self.slack(ttl);
        if slack.is_zero() {
            return Some(Claim { touches: self, sid, number: None, touch, before: None });
        }
        if !self.is_due(sid, now, ttl, left) {
            return None;
        }
        let mut pending = self.pending();
        let is_pending = pending.contains_key(sid);
        if !self.is_due_after(if is_pending { 2 } else { 1 }, sid, now, ttl, left) {
            return None;
        }
        let before = self.begin(sid, touch, slack);
        let number = (!is_pending).then(|| self.claims.fetch_add(1, Ordering::Relaxed));
        if let Some(number) = number {
            pending.insert(sid.to_owned(), number);
        }
        Some(Claim { touches: self, sid, number, touch, before })
    }

    /// Returns the extension that this one follows, with another time to live. Unless this one repeats the last one, that
    /// does not count any more, whether or not this one succeeds.
    fn begin(&self, sid: &str, touch: Touch, slack: Duration) -> Option<Touch> {
        let recent = self.recent.get(sid)?;
        let is_same = |other: Touch| {
            other.ttl == touch.ttl
                || other.is_repeated_by(touch.at, touch.ttl, slack, Duration::MAX)
        };
        if is_same(recent.last) {
            return recent.before;
        }
        self.recent.remove(sid);
        Some(recent.last).filter(|_| !recent.before.is_some_and(is_same))
    }

    /// Notes that a write has given the session another expiry.
    pub(crate) fn forget(&self, sid: &str) {
        // In this order, because a claim that ends in between must not count.
        self.pending().remove(sid);
        self.recent.remove(sid);
    }

    pub(crate) fn forget_all(&self) {
        self.pending().clear();
        self.recent.clear();
    }

    pub(crate) fn note_saved(&self) {
        self.saved.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn saved(&self) -> u64 {
        self.saved.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.recent.weight()
    }
}

impl Recent {
    fn touches(self) -> impl Iterator<Item = Touch> {
        [Some(self.last), self.before].into_iter().flatten()
    }
}

impl Touch {
    /// Returns true if the session lives for `ttl` from `now` by this extension, or nearly so.
    ///
    /// After `interval` it says nothing any more: the store may have given the session a time to live of its own, whatever
    /// it was asked for.
    fn is_repeated_by(
        self,
        now: Moment,
        ttl: Option<Duration>,
        slack: Duration,
        interval: Duration,
    ) -> bool {
        let age = self.at.age(now);
        match (self.ttl, ttl) {
            (Some(given), Some(ttl)) => {
                age < interval && is_near(given.saturating_sub(age), ttl, slack)
            }
            (None, None) => age < slack,
            _ => false,
        }
    }
}

/// Returns true if a session that lives for `left` lives for `ttl`, or ends earlier by less than `slack`. Stores count in
/// whole seconds, so it may live for a second longer.
fn is_near(left: Duration, ttl: Duration, slack: Duration) -> bool {
    left <= ttl.saturating_add(A_SECOND) && ttl.saturating_sub(left) < slack
}

impl Claim<'_> {
    /// Notes that the session was extended, unless it was written since the claim.
    pub(crate) fn keep(self) {
        let recent = Recent { last: self.touch, before: self.before };
        let mut pending = self.touches.pending();
        if self.end(&mut pending) {
            // Under the lock, so that a write either ends the claim or removes this.
            self.touches.recent.insert(self.sid.to_owned(), recent);
        }
    }

    /// Ends the claim. Returns false if it did not count any more.
    fn end(&self, pending: &mut HashMap<String, u64>) -> bool {
        let counts = self.number.is_some() && pending.get(self.sid) == self.number.as_ref();
        counts && pending.remove(self.sid).is_some()
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.end(&mut self.touches.pending());
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::Clock;

    use super::*;

    const HOUR: Option<Duration> = Some(Duration::from_secs(3_600));

    fn touches(seconds: u64) -> (Touches, Clock) {
        (Touches::new(Duration::from_secs(seconds), 1 << 20), Clock::fixed(1_700_000_000_000))
    }

    #[test]
    fn a_session_is_extended_once_per_interval() {
        let (touches, clock) = touches(60);
        let now = || Moment::now(&clock);
        assert!(touches.is_due("a", now(), HOUR, None));
        touches.claim("a", now(), HOUR, None).unwrap().keep();
        assert!(!touches.is_due("a", now(), HOUR, None));
        assert!(touches.is_due("b", now(), HOUR, None), "another session");
        clock.advance(59_000);
        assert!(!touches.is_due("a", now(), HOUR, None));
        clock.advance(1_000);
        assert!(touches.is_due("a", now(), HOUR, None));
    }

    #[test]
    fn a_touch_that_failed_or_was_dropped_does_not_count() {
        let (touches, clock) = touches(60);
        let now = Moment::now(&clock);
        drop(touches.claim("a", now, HOUR, None));
        assert!(touches.is_due("a", now, HOUR, None));
    }

    #[test]
    fn an_extension_under_way_counts_only_for_sessions_that_live_without_it() {
        let (touches, clock) = touches(60);
        let now = || Moment::now(&clock);
        let first = touches.claim("a", now(), HOUR, None).unwrap();
        let second = touches.claim("a", now(), HOUR, None);
        assert!(second.is_some(), "the first one may fail, and the session would end");
        second.unwrap().keep();
        assert!(touches.is_due("a", now(), HOUR, None), "the first one is under way");
        first.keep();
        clock.advance(60_000);
        let next = touches.claim("a", now(), HOUR, None).unwrap();
        assert!(touches.claim("a", now(), HOUR, None).is_none(), "it lives for 59 minutes");
        clock.advance(60_000);
        assert!(touches.claim("a", now(), HOUR, None).is_some(), "it has lost two intervals");
        touches.forget("a");
        next.keep();
        assert!(touches.is_due("a", now(), HOUR, None), "it was written in between");
    }

    #[test]
    fn an_extension_that_ends_during_a_write_does_not_count_after_it() {
        let (touches, clock) = touches(60);
        let now = Moment::now(&clock);
        let sids: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        for _ in 0..500 {
            let claim = |sid| touches.claim(sid, now, HOUR, None).unwrap();
            let claims: Vec<_> = sids.iter().map(|sid| claim(sid)).collect();
            std::thread::scope(|scope| {
                scope.spawn(|| sids.iter().for_each(|sid| touches.forget(sid)));
                claims.into_iter().for_each(Claim::keep);
            });
            assert!(sids.iter().all(|sid| touches.is_due(sid, now, HOUR, None)));
        }
    }

    #[test]
    fn another_time_to_live_is_always_due() {
        let (touches, clock) = touches(60);
        let now = Moment::now(&clock);
        touches.claim("a", now, HOUR, None).unwrap().keep();
        for ttl in [None, Some(Duration::from_secs(60)), Some(Duration::from_secs(7_200))] {
            assert!(touches.is_due("a", now, ttl, None), "{ttl:?}");
        }
    }

    #[test]
    fn the_time_to_live_limits_the_interval() {
        let (touches, clock) = touches(600);
        let now = || Moment::now(&clock);
        let minute = Some(Duration::from_secs(60));
        for (sid, ttl, interval_ms) in
            [("hour", HOUR, 360_000), ("minute", minute, 6_000), ("unknown", None, 1_000)]
        {
            touches.claim(sid, now(), ttl, None).unwrap().keep();
            clock.advance(interval_ms - 500);
            // The other clock goes on as well.
            assert!(!touches.is_due(sid, now(), ttl, None) || now().at.elapsed().as_millis() > 100);
            clock.advance(500);
            assert!(touches.is_due(sid, now(), ttl, None), "{sid}");
        }
    }

    #[test]
    fn what_the_store_says_about_the_expiry_comes_first() {
        let (touches, clock) = touches(60);
        let now = Moment::now(&clock);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (left, is_due) in
            [(3_600, false), (3_541, false), (3_540, true), (10, true), (4_000, true)]
        {
            assert_eq!(touches.is_due("a", now, HOUR, seconds(left)), is_due, "{left}");
        }
        touches.claim("a", now, HOUR, seconds(10)).unwrap().keep();
        // The entry in memory is older than the extension.
        assert!(!touches.is_due("a", now, HOUR, seconds(60)));
        assert!(
            touches.is_due("a", now, HOUR, seconds(59)),
            "the session would end within the interval"
        );
    }

    #[test]
    fn the_same_end_is_not_due_whichever_time_to_live_says_it() {
        let (touches, clock) = touches(60);
        let end = |seconds| Some(Duration::from_secs(seconds));
        touches.claim("a", Moment::now(&clock), end(3_600), None).unwrap().keep();
        clock.advance(30_000);
        let now = Moment::now(&clock);
        for (ttl, is_due) in
            [(3_570, false), (3_569, false), (3_629, false), (3_631, true), (3_500, true)]
        {
            assert_eq!(touches.is_due("a", now, end(ttl), None), is_due, "{ttl}");
        }
    }

    #[test]
    fn without_an_interval_every_touch_is_sent() {
        let (touches, clock) = touches(0);
        let now = Moment::now(&clock);
        touches.claim("a", now, HOUR, None).unwrap().keep();
        assert!(touches.is_due("a", now, HOUR, HOUR));
    }
}
