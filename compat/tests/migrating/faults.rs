//! Each call of one handle fails in turn, in each way, and another handle goes on: no acknowledged write is lost, no
//! session that was destroyed comes back, and the session can be read all the time.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use cloakroom_compat::{Migrating, is_moving};
use cloakroom_core::{
    Clock, Created, ErrorKind, MemoryOptions, MemoryStore, SessionData, Store, Touched, Updated,
};
use futures::executor::block_on;

use crate::failing::{FAULTS, Failing, Fault, Plans};

const SID: &str = "id";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Get,
    Set,
    Update,
    Destroy,
    /// An update with an expiry that has passed.
    End,
    Touch,
    GetAndTouch,
    Create,
    Move,
}

const CALLS: [Call; 9] = [
    Call::Get,
    Call::Set,
    Call::Update,
    Call::Destroy,
    Call::End,
    Call::Touch,
    Call::GetAndTouch,
    Call::Create,
    Call::Move,
];

/// What the session may be: the number in it, or `None` without a session.
type May = Vec<Option<u32>>;

/// How a call ended.
enum End {
    /// It was answered; the session may be this.
    Answered(May),
    /// It failed, or its process was killed.
    Failed { may_have_happened: bool },
}

#[derive(Clone, Copy, Debug)]
enum Begin {
    Old,
    New,
    Nowhere,
}

struct Site {
    clock: Clock,
    old: MemoryStore,
    new: MemoryStore,
}

fn session(number: u32) -> SessionData {
    let mut session = SessionData::new();
    session.insert("n", number).unwrap();
    session
}

fn number(session: &SessionData) -> u32 {
    session.get("n").unwrap().unwrap()
}

impl Site {
    fn new(begin: Begin) -> Self {
        let clock = Clock::fixed(1_700_000_000_000);
        let mut options = MemoryOptions::default();
        options.clock = clock.clone();
        let store = || MemoryStore::with_options(options.clone());
        let site = Self { old: store(), new: store(), clock };
        match begin {
            Begin::Old => block_on(site.old.set(SID, &session(0))).unwrap(),
            Begin::New => block_on(site.new.set(SID, &session(0))).unwrap(),
            Begin::Nowhere => {}
        }
        site
    }

    fn handle(&self, moves: bool, plan: &Plans) -> Migrating {
        let (old, new) = (Failing::new(&self.old, 0, plan), Failing::new(&self.new, 1, plan));
        let handle = if moves { Migrating::new(old, new) } else { Migrating::before(old, new) };
        handle.with_clock(self.clock.clone())
    }

    /// What both kinds of handles find, which must be the same.
    fn look(&self, plan: &Plans) -> Result<Option<u32>, String> {
        let [during, before] = [true, false].map(|moves| {
            block_on(self.handle(moves, plan).get(SID)).map(|found| found.as_ref().map(number))
        });
        match (during, before) {
            (Ok(during), Ok(before)) if during == before => Ok(during),
            found => Err(format!("handles find {found:?}")),
        }
    }
}

/// Makes a call that would write this number.
async fn call(
    handle: &Migrating,
    call: Call,
    written: u32,
    may: &May,
) -> Result<Result<May, String>, cloakroom_core::Error> {
    let known = |found: Option<u32>| {
        if may.contains(&found) {
            Ok(vec![found])
        } else {
            Err(format!("{call:?} finds {found:?}"))
        }
    };
    let atomic = handle.atomic().unwrap();
    let is_there = |is_there: bool| {
        let left: May = may.iter().copied().filter(|may| may.is_some() == is_there).collect();
        if left.is_empty() { Err(format!("{call:?}: there is {is_there}")) } else { Ok(left) }
    };
    Ok(match call {
        Call::Get => known(handle.get(SID).await?.as_ref().map(number)),
        Call::Set => handle.set(SID, &session(written)).await.map(|()| Ok(vec![Some(written)]))?,
        Call::Destroy => handle.destroy(SID).await.map(|()| Ok(vec![None]))?,
        Call::Update => match handle.get(SID).await.map_err(|error| error.with_outcome_known())? {
            None => known(None),
            Some(mut read) => {
                let before = number(&read);
                read.insert("n", written).unwrap();
                match atomic.update(SID, &read).await? {
                    Updated::Stored(_) => known(Some(before)).map(|_| vec![Some(written)]),
                    other => Err(format!("nobody else writes: {other:?}")),
                }
            }
        },
        Call::End => match handle.get(SID).await.map_err(|error| error.with_outcome_known())? {
            None => known(None),
            Some(read) => {
                let before = number(&read);
                match atomic.update(SID, &read.with_store_expiry_ms(0)).await? {
                    Updated::Stored(_) => known(Some(before)).map(|_| vec![None]),
                    other => Err(format!("nobody else writes: {other:?}")),
                }
            }
        },
        Call::Touch => is_there(handle.touch(SID, &session(0)).await? == Touched::Extended),
        Call::GetAndTouch => {
            let found = atomic.get_and_touch(SID, Some(Duration::from_secs(900))).await?;
            known(found.as_ref().map(number))
        }
        Call::Create => match atomic.create(SID, &session(written)).await? {
            Created::Stored(_) => is_there(false).map(|_| vec![Some(written)]),
            Created::Exists => is_there(true),
        },
        Call::Move => is_there(handle.move_session(SID, None).await?),
    })
}

fn make(handle: &Migrating, which: Call, written: u32, may: &May) -> Result<End, String> {
    let mut call = pin!(call(handle, which, written, may));
    let mut context = Context::from_waker(Waker::noop());
    match call.as_mut().poll(&mut context) {
        Poll::Ready(Ok(answer)) => answer.map(End::Answered),
        Poll::Ready(Err(error)) if error.kind() != ErrorKind::Full => Err(format!("{error:?}")),
        Poll::Ready(Err(error)) => Ok(End::Failed { may_have_happened: error.outcome_unknown() }),
        // Nothing else keeps a memory store waiting.
        Poll::Pending => Ok(End::Failed { may_have_happened: true }),
    }
}

/// What the session may be after a call.
fn after(end: End, call: Call, written: u32, may: May, is_late: bool) -> May {
    let happened = match end {
        // A write that is late can still take effect after others than writes.
        // An end that found no session has ended nothing.
        End::Answered(now) if is_late && call == Call::End => return [may, now].concat(),
        End::Answered(now) if is_late && call != Call::Destroy && now != [Some(written)] => {
            return may;
        }
        End::Answered(now) => return now,
        End::Failed { may_have_happened: false } => return may,
        End::Failed { may_have_happened: true } => match call {
            Call::Set => Some(written),
            Call::Destroy | Call::End => None,
            Call::Update if may.iter().any(Option::is_some) => Some(written),
            Call::Create if may.contains(&None) => Some(written),
            _ => return may,
        },
    };
    [may, vec![happened]].concat()
}

/// Whether the handle moves sessions, its call, and which of the calls to the stores fails.
type Step = (bool, Call, Option<(Fault, usize)>);

/// Runs calls of which some fail, and returns whether each did.
fn run(begin: Begin, script: &[Step]) -> Result<Vec<bool>, String> {
    let site = Site::new(begin);
    let mut may: May = vec![if matches!(begin, Begin::Nowhere) { None } else { Some(0) }];
    let mut plans = Vec::new();
    let mut is_late = false;
    for (at, (moves, which, fault)) in script.iter().enumerate() {
        let plan = fault.map_or_else(Plans::default, |(fault, calls)| Plans::fail(fault, calls));
        let written = at as u32 + 1;
        let end = make(&site.handle(*moves, &plan), *which, written, &may)?;
        plan.disarm();
        if plan.has_failed() || matches!(end, End::Answered(_)) {
            may = after(end, *which, written, may, is_late);
        } else {
            return Err(format!("{which:?} fails without a fault"));
        }
        // The stores refuse what they refused before, and the session can be read.
        let found = site.look(&plan).map_err(|found| format!("after {which:?}: {found}"))?;
        if !may.contains(&found) {
            return Err(format!("after {which:?} it is {found:?}, not one of {may:?}"));
        }
        is_late |= matches!(fault, Some((Fault::Late, _)));
        if !is_late {
            may = vec![found];
        }
        plans.push(plan);
    }
    ends(&site, &may, &plans)?;
    Ok(plans.iter().map(Plans::has_failed).collect())
}

/// The session ends in the new store alone, or in both, and whatever is late comes now.
fn ends(site: &Site, may: &May, plans: &[Plans]) -> Result<(), String> {
    let healthy = Plans::default();
    let in_new = block_on(site.new.get(SID)).unwrap();
    let is_in_new = in_new.is_some_and(|found| !is_moving(&found));
    if is_in_new {
        block_on(site.new.destroy(SID)).unwrap();
        if let Some(number) = site.look(&healthy)? {
            return Err(format!("{number} came back from the old store"));
        }
    }
    for plan in plans {
        plan.lands();
        if let Some(number) = site.look(&healthy)?.filter(|n| is_in_new || !may.contains(&Some(*n)))
        {
            return Err(format!("{number} came late"));
        }
    }
    block_on(site.handle(true, &healthy).destroy(SID)).unwrap();
    site.clock.advance(61_000);
    match site.look(&healthy)? {
        None => Ok(()),
        found => Err(format!("{found:?} after a logout")),
    }
}

#[test]
fn each_call_fails_and_another_handle_goes_on() {
    let mut runs = 0;
    for begin in [Begin::Old, Begin::New, Begin::Nowhere] {
        for (first, then) in CALLS.iter().flat_map(|first| CALLS.map(|then| (*first, then))) {
            for (moves, then_moves) in [(true, true), (true, false), (false, true), (false, false)]
            {
                for fault in FAULTS {
                    for calls in 0.. {
                        let script =
                            [(moves, first, Some((fault, calls))), (then_moves, then, None)];
                        let failed = run(begin, &script)
                            .unwrap_or_else(|error| panic!("{begin:?}, then {script:?}: {error}"));
                        runs += 1;
                        if !failed[0] {
                            break;
                        }
                    }
                }
            }
        }
    }
    assert!(runs > 20_000, "{runs}");
}

/// Two handles fail one after the other, and a third goes on.
#[test]
fn two_calls_fail_and_another_handle_goes_on() {
    let mut numbers = crate::scheduler::Numbers::new(
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1),
    );
    for _ in 0..10_000 {
        let begin = [Begin::Old, Begin::New, Begin::Nowhere][numbers.below(3)];
        let mut next = |fails: bool| {
            let fault = (FAULTS[numbers.below(FAULTS.len())], numbers.below(16));
            (numbers.below(2) > 0, CALLS[numbers.below(CALLS.len())], fails.then_some(fault))
        };
        let script = [next(true), next(true), next(false)];
        if let Err(error) = run(begin, &script) {
            panic!("{begin:?}, then {script:?}: {error}");
        }
    }
}
