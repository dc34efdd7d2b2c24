//! Many orders of the steps of handles that meet on one session. Movers die at any step, as their processes do.
//!
//! `SEED` and `ORDERS` choose others: `SEED=17 ORDERS=1 cargo test -p cloakroom-compat --test migrating orders`.

#![allow(clippy::future_not_send, reason = "one thread runs all tasks, in an order of its own")]

use std::cell::{Cell, RefCell};

use cloakroom_compat::Migrating;
use cloakroom_core::{
    Clock, Created, Enumerate, MemoryOptions, MemoryStore, SessionData, Store, Touched, Updated,
};
use futures::{executor::block_on, stream::TryStreamExt};

use crate::scheduler::{Far, Numbers, Task, run, step};

const SID: &str = "id";

/// Two stores, and what was seen of the session in them.
struct Site {
    clock: Clock,
    old: Far,
    new: Far,
    /// The increments that were acknowledged, and those whose writer was killed.
    acknowledged: Cell<u32>,
    unknown: Cell<u32>,
    /// Who missed the session.
    missed: RefCell<Vec<&'static str>>,
    is_logged_out: Cell<bool>,
    /// Who saw it after the logout.
    revived: RefCell<Vec<&'static str>>,
}

impl Site {
    fn new() -> Self {
        let clock = Clock::fixed(1_700_000_000_000);
        let mut options = MemoryOptions::default();
        options.clock = clock.clone();
        let far = || Far(MemoryStore::with_options(options.clone()));
        Self {
            clock,
            old: far(),
            new: far(),
            acknowledged: Cell::default(),
            unknown: Cell::default(),
            missed: RefCell::default(),
            is_logged_out: Cell::default(),
            revived: RefCell::default(),
        }
    }

    fn handle(&self, moves: bool) -> Migrating {
        let (old, new) = (self.old.clone(), self.new.clone());
        let handle = if moves { Migrating::new(old, new) } else { Migrating::before(old, new) };
        handle.with_clock(self.clock.clone())
    }

    /// Notes what a call has found that began before or after the logout.
    fn note(&self, who: &'static str, was_logged_out: bool, is_there: bool) {
        if is_there && was_logged_out {
            self.revived.borrow_mut().push(who);
        }
        if !is_there {
            self.missed.borrow_mut().push(who);
        }
    }

    async fn increments(&self, store: &dyn Store, who: &'static str) {
        for _ in 0..2 {
            let was_logged_out = self.is_logged_out.get();
            let mut found = store.get(SID).await.unwrap();
            self.note(who, was_logged_out, found.is_some());
            while let Some(mut session) = found {
                let number: u32 = session.get("n").unwrap().unwrap_or_default();
                session.insert("n", number + 1).unwrap();
                self.unknown.set(self.unknown.get() + 1);
                let was_logged_out = self.is_logged_out.get();
                let updated = store.atomic().unwrap().update(SID, &session).await.unwrap();
                self.unknown.set(self.unknown.get() - 1);
                found = match updated {
                    Updated::Stored(_) => {
                        self.note(who, was_logged_out, true);
                        self.acknowledged.set(self.acknowledged.get() + 1);
                        None
                    }
                    Updated::Conflict(current) => Some(current),
                    Updated::Gone => {
                        self.note(who, was_logged_out, false);
                        None
                    }
                };
            }
        }
    }

    async fn reads(&self, store: &Migrating) {
        for _ in 0..2 {
            let was_logged_out = self.is_logged_out.get();
            let there = store.get(SID).await.unwrap().is_some();
            self.note("get", was_logged_out, there);
            let was_logged_out = self.is_logged_out.get();
            let touched = store.atomic().unwrap().get_and_touch(SID, None).await.unwrap();
            self.note("get_and_touch", was_logged_out, touched.is_some());
            let was_logged_out = self.is_logged_out.get();
            let touched = store.touch(SID, &SessionData::new()).await.unwrap();
            self.note("touch", was_logged_out, touched == cloakroom_core::Touched::Extended);
        }
    }

    async fn lists(&self, store: &Migrating) {
        let was_logged_out = self.is_logged_out.get();
        let listed: Vec<_> = store.all().try_collect().await.unwrap();
        self.note("all", was_logged_out, !listed.is_empty());
        let ids: Vec<String> = store.ids().try_collect().await.unwrap();
        // Without its record, an id in a copy that nobody has removed yet cannot be told from that of a session.
        self.note("ids", false, !ids.is_empty());
    }

    /// Ends the session in one of the three ways in which a store does.
    async fn logs_out(&self, store: &Migrating, later: usize, way: usize) {
        for _ in 0..later {
            step().await;
        }
        match way {
            0 => store.destroy(SID).await.unwrap(),
            1 => {
                let mut found = store.get(SID).await.unwrap();
                while let Some(current) = found {
                    let past = current.with_store_expiry_ms(0);
                    found = match store.atomic().unwrap().update(SID, &past).await.unwrap() {
                        Updated::Conflict(current) => Some(current),
                        Updated::Stored(_) | Updated::Gone => None,
                    };
                }
            }
            _ => {
                let past = SessionData::new().with_store_expiry_ms(0);
                assert_eq!(store.touch(SID, &past).await.unwrap(), Touched::Missing);
            }
        }
        self.is_logged_out.set(true);
    }

    /// The id is taken as long as the session lives.
    async fn creates(&self, store: &Migrating) {
        let created = store.atomic().unwrap().create(SID, &SessionData::new()).await.unwrap();
        assert_eq!(created, Created::Exists);
    }

    /// Lets so much time pass that a copy expires whose mover was killed or is slow.
    async fn time_passes(&self) {
        for _ in 0..3 {
            for _ in 0..15 {
                step().await;
            }
            self.clock.advance(61_000);
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The orders of a run, each with the numbers that decide it.
fn orders() -> impl Iterator<Item = (u64, Numbers)> {
    let first = number("SEED", 0);
    (first..first + number("ORDERS", 4_000)).map(|seed| (seed, Numbers::new(seed)))
}

fn task<'a>(work: impl Future<Output = ()> + 'a) -> Task<'a> {
    Task { work: Box::pin(work), is_mortal: false }
}

fn mortal<'a>(work: impl Future<Output = ()> + 'a) -> Task<'a> {
    Task { work: Box::pin(work), is_mortal: true }
}

/// Begins with the session in one of the stores.
fn site(numbers: &mut Numbers) -> Site {
    let site = Site::new();
    let store = if numbers.below(4) == 0 { &site.new } else { &site.old };
    block_on(store.0.set(SID, &SessionData::new())).unwrap();
    site
}

#[test]
fn in_many_orders_no_change_is_lost_and_nobody_is_logged_out() {
    for (seed, mut numbers) in orders() {
        let site = site(&mut numbers);
        let handles: Vec<_> = (0..6).map(|_| site.handle(numbers.below(3) > 0)).collect();
        let mover = site.handle(true);
        let mut tasks = vec![
            task(site.increments(&handles[0], "writer")),
            task(site.increments(&handles[1], "writer")),
            mortal(site.increments(&handles[2], "mortal writer")),
            task(site.reads(&handles[3])),
            task(site.lists(&handles[4])),
            task(site.creates(&handles[5])),
            task(site.time_passes()),
        ];
        for _ in 0..numbers.below(3) {
            tasks.push(mortal(async { assert!(mover.move_session(SID, None).await.unwrap()) }));
        }
        run(&mut numbers, tasks);
        assert_eq!(*site.missed.borrow(), [""; 0], "seed {seed}");
        let found = block_on(site.handle(true).get(SID)).unwrap().expect("nobody logged out");
        let counted: u32 = found.get("n").unwrap().unwrap_or_default();
        let (least, most) = (site.acknowledged.get(), site.acknowledged.get() + site.unknown.get());
        assert!((least..=most).contains(&counted), "seed {seed}: {counted}, not {least} to {most}");
    }
}

#[test]
fn in_many_orders_no_logout_is_undone() {
    for (seed, mut numbers) in orders() {
        let site = site(&mut numbers);
        let handles: Vec<_> = (0..6).map(|_| site.handle(numbers.below(3) > 0)).collect();
        let mover = site.handle(true);
        let (later, way) = (numbers.below(20), numbers.below(3));
        let mut tasks = vec![
            task(site.increments(&handles[0], "writer")),
            mortal(site.increments(&handles[1], "mortal writer")),
            task(site.reads(&handles[2])),
            task(site.reads(&handles[3])),
            task(site.lists(&handles[4])),
            task(site.logs_out(&handles[5], later, way)),
            task(site.time_passes()),
        ];
        for _ in 0..numbers.below(4) {
            tasks.push(mortal(async { mover.move_session(SID, None).await.map(drop).unwrap() }));
        }
        run(&mut numbers, tasks);
        assert_eq!(*site.revived.borrow(), [""; 0], "seed {seed}");
        for moves in [true, false] {
            assert!(block_on(site.handle(moves).get(SID)).unwrap().is_none(), "seed {seed}");
        }
        // Whoever visits it removes what a killed mover has left.
        let visited = block_on(site.handle(true).touch(SID, &SessionData::new())).unwrap();
        assert_eq!(visited, Touched::Missing, "seed {seed}");
        assert!(block_on(site.new.0.get(SID)).unwrap().is_none(), "seed {seed}");
    }
}

#[test]
fn in_many_orders_a_set_is_not_lost_to_a_move() {
    for (seed, mut numbers) in orders() {
        let site = site(&mut numbers);
        let handles: Vec<_> = (0..3).map(|_| site.handle(numbers.below(2) > 0)).collect();
        let mover = site.handle(true);
        let mut written = SessionData::new();
        written.insert("who", "ann").unwrap();
        let mut tasks = vec![
            task(site.reads(&handles[0])),
            task(async {
                handles[1].set(SID, &written).await.unwrap();
                let read = handles[2].get(SID).await.unwrap().expect("it was set");
                assert!(read.contains("who"), "seed {seed}");
            }),
        ];
        for _ in 0..1 + numbers.below(3) {
            tasks.push(mortal(async { mover.move_session(SID, None).await.map(drop).unwrap() }));
        }
        run(&mut numbers, tasks);
        let read = block_on(site.handle(true).get(SID)).unwrap().expect("nobody logged out");
        assert!(read.contains("who"), "seed {seed}");
        assert_eq!(*site.missed.borrow(), [""; 0], "seed {seed}");
    }
}

/// Sets that meet on an id that is free or taken, in both stores at once. Some of them are killed.
#[test]
fn in_many_orders_sets_and_creations_leave_one_session_that_can_end() {
    for (seed, mut numbers) in orders() {
        let site = Site::new();
        match numbers.below(3) {
            0 => {}
            1 => block_on(site.new.0.set(SID, &SessionData::new())).unwrap(),
            _ => block_on(site.old.0.set(SID, &SessionData::new())).unwrap(),
        }
        let handles: Vec<_> = (0..5).map(|_| site.handle(numbers.below(2) > 0)).collect();
        let mover = site.handle(true);
        let is_acknowledged = Cell::new(false);
        let writes = async |number: usize| {
            let mut session = SessionData::new();
            session.insert("who", number).unwrap();
            if number < 3 {
                handles[number].set(SID, &session).await.unwrap();
                is_acknowledged.set(true);
            } else {
                let created = handles[number].atomic().unwrap().create(SID, &session).await;
                if matches!(created.unwrap(), Created::Stored(_)) {
                    is_acknowledged.set(true);
                }
            }
        };
        let tasks = vec![
            task(writes(0)),
            mortal(writes(1)),
            mortal(writes(2)),
            task(writes(3)),
            mortal(writes(4)),
            mortal(async { mover.move_session(SID, None).await.map(drop).unwrap() }),
        ];
        run(&mut numbers, tasks);
        assert!(is_acknowledged.get());
        let found = block_on(site.handle(true).get(SID)).unwrap();
        assert!(found.is_some_and(|found| found.contains("who")), "seed {seed}");
        // By a program that knows the new store alone.
        let in_new = block_on(site.new.0.get(SID)).unwrap();
        if in_new.is_some_and(|found| !cloakroom_compat::is_moving(&found)) {
            block_on(site.new.0.destroy(SID)).unwrap();
            let found = block_on(site.handle(true).get(SID)).unwrap();
            assert_eq!(found, None, "seed {seed}: a session came back");
        }
    }
}

#[test]
fn in_many_orders_two_creations_do_not_both_succeed() {
    for (seed, mut numbers) in orders() {
        let site = Site::new();
        let handles = [site.handle(true), site.handle(false), site.handle(numbers.below(2) > 0)];
        let stored = Cell::new(0);
        let creates = async |number: usize| {
            let session = SessionData::new();
            let created = handles[number].atomic().unwrap().create(SID, &session).await.unwrap();
            stored.set(stored.get() + u32::from(matches!(created, Created::Stored(_))));
        };
        let tasks = vec![task(creates(0)), task(creates(1)), task(creates(2))];
        run(&mut numbers, tasks);
        assert_eq!(stored.get(), 1, "seed {seed}");
    }
}

#[test]
fn in_many_orders_a_program_on_the_old_store_loses_nothing_before_the_migration() {
    for (seed, mut numbers) in orders().take(1_000) {
        let site = Site::new();
        block_on(site.old.0.set(SID, &SessionData::new())).unwrap();
        let handles = [site.handle(false), site.handle(false)];
        let tasks = vec![
            task(site.increments(&site.old, "old alone")),
            task(site.increments(&handles[0], "writer")),
            task(site.reads(&handles[1])),
        ];
        run(&mut numbers, tasks);
        assert_eq!(*site.missed.borrow(), [""; 0], "seed {seed}");
        let found = block_on(site.old.0.get(SID)).unwrap().expect("it stays there");
        assert_eq!(found.get("n").unwrap(), Some(site.acknowledged.get()), "seed {seed}");
    }
}
