//! A store of texts with one defect, narrow enough to break one promise.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::{
    Clock, CookieMember, Error, ErrorKind, JsValue, Revision, SessionData, Store, TimeToLive,
    to_iso_string,
};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{foreign::Raw, remote::Remote, text::TextStore};

const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Get,
    Set,
    Destroy,
    Touch,
    Create,
    Update,
    GetAndTouch,
}

/// What was done under one id so far, this call included.
pub(crate) struct Past {
    pub(crate) ops: Vec<Op>,
    /// Which of the two handles did it.
    pub(crate) hands: Vec<u8>,
    /// Calls under all ids.
    pub(crate) calls: usize,
}

impl Past {
    pub(crate) fn is(&self, ops: &[Op]) -> bool {
        self.ops == ops
    }

    pub(crate) fn has(&self, op: Op) -> bool {
        self.ops.contains(&op)
    }

    pub(crate) fn count(&self, op: Op) -> usize {
        self.ops.iter().filter(|other| **other == op).count()
    }

    /// Whether the last write was by this operation.
    pub(crate) fn written_by(&self, op: Op) -> bool {
        let writes = [Op::Set, Op::Create, Op::Update];
        self.ops.iter().rev().find(|other| writes.contains(other)) == Some(&op)
    }
}

/// One of two handles on the same sessions.
pub(crate) struct Broken {
    pub(crate) shared: Arc<Shared>,
    pub(crate) hand: u8,
}

pub(crate) struct Shared {
    pub(crate) inner: TextStore,
    pub(crate) neighbour: TextStore,
    pub(crate) defect: &'static str,
    /// Which conditional writes hold, and nothing else.
    pub(crate) turn: tokio::sync::Mutex<()>,
    clock: Clock,
    notes: Mutex<Notes>,
}

#[derive(Default)]
pub(crate) struct Notes {
    calls: usize,
    pub(crate) is_indexed: bool,
    past: HashMap<String, (Vec<Op>, Vec<u8>)>,
    /// The session that was first stored under an id, and the last one.
    pub(crate) first: HashMap<String, SessionData>,
    pub(crate) last: HashMap<String, SessionData>,
    /// What the second handle was first told.
    pub(crate) told: HashMap<String, SessionData>,
    /// The session that is being stored, anywhere and under an id.
    pub(crate) buffer: Option<SessionData>,
    pub(crate) buffers: HashMap<String, SessionData>,
    /// When a session ends to the millisecond.
    pub(crate) ends_ms: HashMap<String, i64>,
    /// The number of updates that have begun, and of those that have not ended.
    pub(crate) updates: usize,
    pub(crate) under_way: usize,
    pub(crate) cleared: Vec<String>,
    pub(crate) length: Option<u64>,
    pub(crate) poisoned: bool,
    /// The runtime of the first call.
    runtime: Option<Option<(tokio::runtime::Id, bool)>>,
}

/// With all parts, and a clock that the cases move.
pub(crate) async fn subject(defect: &'static str) -> StoreUnderTest {
    let clock = Clock::fixed(1_700_000_000_000);
    let neighbour = TextStore::new(clock.clone());
    let shared = Arc::new(Shared {
        inner: TextStore::new(clock.clone()),
        neighbour: neighbour.clone(),
        defect,
        turn: tokio::sync::Mutex::default(),
        clock: clock.clone(),
        notes: Mutex::default(),
    });
    let remote = Remote::new(defect, clock.clone());
    StoreUnderTest::new(Broken { shared: Arc::clone(&shared), hand: 0 })
        .with_second_handle(Broken { shared: Arc::clone(&shared), hand: 1 })
        .with_neighbour(neighbour)
        .with_raw(Raw(shared))
        .with_faults(move || {
            let remote = remote.clone();
            async { Ok(remote) }
        })
        .with_clock(clock)
}

impl Broken {
    pub(crate) fn inner(&self) -> &TextStore {
        &self.shared.inner
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.shared.notes.lock().unwrap()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.shared.clock.now_ms()
    }

    /// Takes a note of the call.
    pub(crate) fn past(&self, op: Op, sid: &str) -> Past {
        let mut notes = self.notes();
        notes.calls += 1;
        notes.runtime.get_or_insert_with(runtime);
        let calls = notes.calls;
        let (ops, hands) = notes.past.entry(sid.to_owned()).or_default();
        ops.push(op);
        hands.push(self.hand);
        Past { ops: ops.clone(), hands: hands.clone(), calls }
    }

    /// Whether this call is on another runtime than the first one.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.notes().runtime != Some(runtime())
    }

    /// Whether both have several threads.
    pub(crate) fn has_threads(&self) -> bool {
        let first = self.notes().runtime.flatten();
        [first, runtime()].iter().all(|runtime| runtime.is_some_and(|(_, several)| several))
    }

    pub(crate) fn times(&self, op: Op, sid: &str) -> usize {
        let notes = self.notes();
        notes.past.get(sid).map_or(0, |(ops, _)| ops.iter().filter(|o| **o == op).count())
    }

    /// How long the session would be kept, in milliseconds; nothing or less when its expiry has passed.
    pub(crate) fn left_ms(&self, session: &SessionData) -> Option<i64> {
        session.cookie().expires_ms().map(|expires_ms| expires_ms - self.now_ms())
    }

    pub(crate) fn has_expired(&self, session: &SessionData) -> bool {
        session.time_to_live(self.now_ms()) == TimeToLive::Expired
    }

    /// Whether a store that makes a number of each `expires` would find that it has passed.
    pub(crate) fn has_no_date(&self, session: &SessionData) -> bool {
        let cookie = session.cookie();
        let is_set =
            !matches!(cookie.raw(CookieMember::Expires), JsValue::Undefined | JsValue::Null);
        is_set && cookie.expires_ms().is_none()
    }

    pub(crate) fn is_short(&self, session: &SessionData) -> bool {
        self.left_ms(session).is_some_and(|ms| (1..=1_000).contains(&ms))
    }

    /// The session with another time to live.
    pub(crate) fn living(&self, session: &SessionData, seconds: i64) -> SessionData {
        let mut session = session.clone();
        session.cookie_mut().set_max_age_ms(Some(seconds * 1_000), self.now_ms()).unwrap();
        session
    }

    /// The session with the expiry that its cookie tells, as if somebody had set it: for one that was read with a stale
    /// cookie, or with one that ends soon.
    pub(crate) fn literal(&self, session: &SessionData, stale: bool) -> SessionData {
        let mut session = session.clone();
        if let Some(left_ms) = self.left_ms(&session)
            && session.revision().is_some()
            && if stale { left_ms <= 0 } else { (1..=1_000).contains(&left_ms) }
        {
            // A millisecond less, as the cookie would count as unchanged otherwise.
            let expires = to_iso_string(self.now_ms() + left_ms - 1).unwrap();
            session.cookie_mut().set_raw(CookieMember::Expires, JsValue::String(expires.into()));
        }
        session
    }

    /// The time to live that a wrong count gives.
    pub(crate) fn miscounted(&self, session: &SessionData) -> Option<i64> {
        let left_ms = self.left_ms(session);
        let years = left_ms.unwrap_or_default() / YEAR_MS;
        match (self.shared.defect, left_ms) {
            ("a_sub_second_session_is_stored", Some(1..500)) => Some(0),
            ("a_session_lives_as_long_as_its_cookie", Some(ms)) if ms > 1_000 && ms % 1_000 > 0 => {
                Some(ms / 1_000)
            }
            ("the_backend_counts_the_sessions_time", Some(ms @ 1_400_000_000..1_500_000_001)) => {
                Some(ms / 1_000 - 10)
            }
            ("a_browser_session_is_kept", None)
                if !self.has_no_date(session) && !is_of_time_left(session) =>
            {
                Some(1)
            }
            ("a_session_of_31_days_is_kept", Some(ms)) if ms > 30 * DAY_MS && years < 100 => {
                Some(1)
            }
            ("a_session_until_the_year_10000_is_kept", _) if (1_000..20_000).contains(&years) => {
                Some(1)
            }
            ("a_session_until_the_last_date_is_kept", _) if years > 20_000 => Some(1),
            _ => None,
        }
    }

    /// Ids under which a session was stored that has gone without having been destroyed.
    pub(crate) async fn expired_ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        let known: Vec<String> = self.notes().last.keys().cloned().collect();
        for sid in known {
            let removed = self.times(Op::Destroy, &sid) > 0 || self.notes().cleared.contains(&sid);
            if !removed && matches!(self.inner().get(&sid).await, Ok(None)) {
                ids.push(sid);
            }
        }
        ids
    }

    /// The id that the backend is given.
    pub(crate) fn renamed(&self, sid: &str) -> Result<String, Error> {
        Ok(match self.shared.defect {
            "ids_with_odd_characters_are_kept_apart" => sid.trim_matches(' ').to_owned(),
            "ids_with_control_characters_are_kept_apart" => {
                sid.split('\0').next().unwrap_or_default().to_owned()
            }
            "ids_in_unicode_are_kept_apart" => sid.replace("e\u{301}", "é"),
            "ids_that_differ_in_case_are_kept_apart" => sid.to_ascii_lowercase(),
            "long_ids_are_kept_apart" => sid.chars().take(250).collect(),
            "usual_ids_work" if sid.len() > 20 && sid.contains('_') => {
                return Err(refused("an underscore"));
            }
            _ => sid.to_owned(),
        })
    }
}

/// The runtime, and whether it has several threads.
fn runtime() -> Option<(tokio::runtime::Id, bool)> {
    let runtime = Handle::try_current().ok()?;
    Some((runtime.id(), runtime.runtime_flavor() == RuntimeFlavor::MultiThread))
}

pub(crate) fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidId, "memory", "any", message)
}

/// Whether it is a browser session of the cases about the time left.
fn is_of_time_left(session: &SessionData) -> bool {
    session.get_json("who").is_some_and(|who| who.contains("browser"))
}

/// A revision that no record has.
pub(crate) fn wrong_revision() -> Revision {
    Revision::from_number(0)
}

pub(crate) fn replaced(session: &SessionData, from: &str, to: &str) -> SessionData {
    let mut other = SessionData::from_json(session.loaded_json().replace(from, to)).unwrap();
    if let Some(revision) = session.revision() {
        other = other.with_revision(revision.clone());
    }
    other
}

/// Lets every other task go on.
pub(crate) async fn wait() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

/// Does something when it is dropped before it was disarmed.
pub(crate) struct OnDrop<F: FnMut()> {
    pub(crate) act: F,
    pub(crate) armed: bool,
}

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if self.armed {
            (self.act)();
        }
    }
}
