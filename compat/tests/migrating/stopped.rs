//! Movers that stop between any two of their steps, as by Ctrl-C, and what becomes of the session then.

use std::{
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use cloakroom_compat::{Migrating, is_moving};
use cloakroom_core::{
    Clock, Created, Enumerate, MemoryOptions, MemoryStore, SessionData, Store, Touched, Updated,
};
use futures::{executor::block_on, stream::TryStreamExt};

use crate::scheduler::{Far, Numbers, Task, run};

const NOW: i64 = 1_700_000_000_000;
const SID: &str = "id";
/// The time that is left when the mover starts.
const LEFT: Duration = Duration::from_secs(100);

struct Site {
    clock: Clock,
    old: Far,
    new: Far,
}

/// A session that lives for ten times as long as it has left.
fn session() -> SessionData {
    let mut session = SessionData::new();
    session.insert("n", 1).unwrap();
    session.set_max_age(LEFT * 10, NOW).unwrap();
    session
}

impl Site {
    fn new() -> Self {
        let clock = Clock::fixed(NOW);
        let mut options = MemoryOptions::default();
        options.clock = clock.clone();
        let store = || Far(MemoryStore::with_options(options.clone()));
        let site = Self { old: store(), new: store(), clock };
        block_on(site.old.0.set(SID, &session())).unwrap();
        site
    }

    fn before(&self) -> Migrating {
        Migrating::before(self.old.clone(), self.new.clone()).with_clock(self.clock.clone())
    }

    fn during(&self) -> Migrating {
        Migrating::new(self.old.clone(), self.new.clone()).with_clock(self.clock.clone())
    }

    /// Takes so many steps of a move, and returns true if it has ended.
    fn moves(&self, steps: usize) -> bool {
        let mover = self.during();
        let mut moving = pin!(mover.move_session(SID, Some(LEFT)));
        let mut context = Context::from_waker(Waker::noop());
        (0..steps).any(|_| moving.as_mut().poll(&mut context).is_ready())
    }

    fn in_old(&self) -> Option<SessionData> {
        block_on(self.old.0.get(SID)).unwrap()
    }

    fn in_new(&self) -> Option<SessionData> {
        block_on(self.new.0.get(SID)).unwrap()
    }
}

/// Each site on which a mover has stopped, with the number of its steps.
fn stopped() -> impl Iterator<Item = (usize, Site)> {
    let mut is_over = false;
    (0..).map_while(move |steps| {
        let site = Site::new();
        (!std::mem::replace(&mut is_over, site.moves(steps))).then_some((steps, site))
    })
}

/// Fails if it does not end.
fn ends<T>(work: impl Future<Output = T>) -> T {
    let mut done = None;
    let work = Box::pin(async { done = Some(work.await) });
    run(&mut Numbers::new(1), vec![Task { work, is_mortal: false }]);
    done.unwrap()
}

fn assert_ended(site: &Site, after: &str) {
    for handle in [site.during(), site.before()] {
        let listed: Vec<_> = ends(handle.all().try_collect()).unwrap();
        assert!(listed.is_empty(), "{after}");
        assert!(ends(handle.get(SID)).unwrap().is_none(), "{after}");
    }
    // Whoever visits it removes what is left.
    assert_eq!(ends(site.during().touch(SID, &session())).unwrap(), Touched::Missing, "{after}");
    assert_eq!((site.in_old(), site.in_new()), (None, None), "{after}");
}

#[test]
fn there_are_many_steps() {
    assert!(stopped().count() > 15);
}

#[test]
fn a_write_that_moves_takes_twelve_round_trips_more() {
    let site = Site::new();
    let handle = site.during();
    let read = ends(handle.get(SID)).unwrap().unwrap();
    let mut updating = pin!(handle.atomic().unwrap().update(SID, &read));
    let mut context = Context::from_waker(Waker::noop());
    let waits = (0..).take_while(|_| updating.as_mut().poll(&mut context).is_pending()).count();
    // The way there and the way back.
    assert_eq!(waits / 2, 1 + 12);
}

#[test]
fn whoever_sees_the_session_has_every_byte() {
    for (steps, site) in stopped() {
        for handle in [site.before(), site.during()] {
            let listed: Vec<_> = ends(handle.all().try_collect()).unwrap();
            assert!(!listed.is_empty(), "after {steps} steps");
            for listed in listed {
                assert_eq!(listed.session.to_json(), session().to_json(), "after {steps} steps");
            }
            let found = ends(handle.get(SID)).unwrap().expect("nobody logged out");
            assert_eq!(found.loaded_json(), session().to_json(), "after {steps} steps");
        }
        let records = (site.in_old(), site.in_new());
        ends(site.during().get(SID)).unwrap();
        assert_eq!((site.in_old(), site.in_new()), records, "reading writes nothing");
    }
}

#[test]
fn another_run_moves_it_and_leaves_nothing() {
    for (steps, site) in stopped() {
        assert!(ends(site.during().move_session(SID, None)).unwrap());
        assert_eq!(site.in_old(), None, "after {steps} steps");
        let found = site.in_new().unwrap();
        assert_eq!(found.loaded_json(), session().to_json(), "after {steps} steps");
    }
}

#[test]
fn an_end_in_the_new_store_is_the_end() {
    for (steps, site) in stopped() {
        let after = format!("destroyed after {steps} steps");
        if site.in_new().is_none_or(|found| is_moving(&found)) {
            continue;
        }
        // By a program that knows no other store.
        block_on(site.new.0.destroy(SID)).unwrap();
        assert_ended(&site, &after);
    }
    for in_place in [true, false] {
        for (steps, site) in stopped() {
            let after = format!("updated after {steps} steps, {in_place}");
            let handle = if in_place { site.before() } else { site.during() };
            let read = ends(handle.get(SID)).unwrap().unwrap().with_store_expiry_ms(NOW - 1);
            let updated = ends(handle.atomic().unwrap().update(SID, &read)).unwrap();
            assert!(matches!(updated, Updated::Stored(_)), "{after}: {updated:?}");
            assert_ended(&site, &after);
        }
        for (steps, site) in stopped() {
            let after = format!("touched after {steps} steps, {in_place}");
            let handle = if in_place { site.before() } else { site.during() };
            let past = session().with_store_expiry_ms(NOW - 1);
            assert_eq!(ends(handle.touch(SID, &past)).unwrap(), Touched::Missing, "{after}");
            assert_ended(&site, &after);
        }
    }
}

#[test]
fn an_idle_session_keeps_its_time() {
    for is_run_again in [true, false] {
        for (steps, site) in stopped() {
            let after = format!("idle after {steps} steps, {is_run_again}");
            if site.in_old().is_some_and(|found| !is_moving(&found)) {
                continue;
            }
            if is_run_again {
                assert!(ends(site.during().move_session(SID, None)).unwrap(), "{after}");
            }
            site.clock.advance(i64::try_from(LEFT.as_millis()).unwrap());
            assert_ended(&site, &after);
        }
    }
}

#[test]
fn its_id_is_taken() {
    for in_place in [true, false] {
        for (steps, site) in stopped() {
            let handle = if in_place { site.before() } else { site.during() };
            let created = ends(handle.atomic().unwrap().create(SID, &session())).unwrap();
            assert_eq!(created, Created::Exists, "after {steps} steps, {in_place}");
        }
    }
}

#[test]
fn a_set_that_stops_leaves_one_session_that_can_end() {
    for (steps, site) in stopped() {
        for set_steps in 0.. {
            let handle = site.during();
            let mut written = session();
            written.insert("n", 2).unwrap();
            let mut setting = pin!(handle.set(SID, &written));
            let mut context = Context::from_waker(Waker::noop());
            let is_over = (0..set_steps).any(|_| setting.as_mut().poll(&mut context).is_ready());
            let after = format!("after {steps} and {set_steps} steps");
            let is_set = site
                .in_new()
                .is_some_and(|found| !is_moving(&found) && found.get("n").unwrap() == Some(2));
            if is_set {
                block_on(site.new.0.destroy(SID)).unwrap();
                assert_ended(&site, &after);
                block_on(site.old.0.set(SID, &session())).unwrap();
            }
            assert!(ends(site.during().get(SID)).unwrap().is_some(), "{after}");
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn going_back_loses_nothing() {
    for (steps, site) in stopped() {
        let back = Migrating::new(site.new.clone(), site.old.clone());
        let back = back.with_clock(site.clock.clone());
        let found = ends(back.get(SID)).unwrap();
        let found = found.unwrap_or_else(|| panic!("lost after {steps} steps"));
        assert_eq!(found.loaded_json(), session().to_json(), "after {steps} steps");
        assert!(ends(back.move_session(SID, None)).unwrap());
        assert_eq!(site.in_new(), None, "after {steps} steps");
        let found = site.in_old().unwrap();
        assert_eq!(found.loaded_json(), session().to_json(), "after {steps} steps");
        ends(back.destroy(SID)).unwrap();
        assert_ended(&site, &format!("back after {steps} steps"));
    }
}

#[test]
fn a_visit_is_not_overwritten_by_the_time_that_was_listed() {
    for seed in 0..2_000 {
        let site = Site::new();
        let (mover, visitor) = (site.during(), site.during());
        let work: Task<'_> = Task {
            work: Box::pin(async {
                assert!(mover.move_session(SID, Some(LEFT)).await.unwrap());
            }),
            is_mortal: false,
        };
        let visit = Task {
            work: Box::pin(async {
                if seed % 2 == 0 {
                    let touched = visitor.touch(SID, &session()).await.unwrap();
                    assert_eq!(touched, Touched::Extended);
                } else {
                    let atomic = visitor.atomic().unwrap();
                    assert!(atomic.get_and_touch(SID, Some(LEFT * 10)).await.unwrap().is_some());
                }
            }),
            is_mortal: false,
        };
        run(&mut Numbers::new(seed), vec![work, visit]);
        let listed: Vec<_> = block_on(site.new.0.all().try_collect()).unwrap();
        assert_eq!(listed[0].time_left, Some(LEFT * 10), "seed {seed}");
    }
}
