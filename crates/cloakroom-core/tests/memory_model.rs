//! `MemoryStore` beside a map that forgets nothing and counts everything: both hold the same sessions, whatever is
//! called.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::collections::{BTreeMap, BTreeSet};

use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Listed, MemoryOptions, MemoryStore, SessionData, Store,
    Touched, Updated, marker_name,
};
use futures::{TryStreamExt, executor::block_on};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Get(usize),
    Set(usize, i64),
    Create(usize, i64),
    /// With the revision that was read last, or with the one before.
    Update(usize, i64, bool),
    Touch(usize, i64),
    GetAndTouch(usize, i64),
    Destroy(usize),
    Wait(i64),
    List,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = || any::<usize>();
    // Of 0, a session has expired when it is stored.
    let life = || 0_i64..60;
    let step = prop_oneof![
        1 => id().prop_map(Step::Get),
        4 => (id(), life()).prop_map(|(id, life)| Step::Set(id, life)),
        4 => (id(), life()).prop_map(|(id, life)| Step::Create(id, life)),
        2 => (id(), life(), any::<bool>()).prop_map(|(id, life, is_current)| {
            Step::Update(id, life, is_current)
        }),
        4 => (id(), life()).prop_map(|(id, life)| Step::Touch(id, life)),
        2 => (id(), 1_i64..60).prop_map(|(id, life)| Step::GetAndTouch(id, life)),
        1 => id().prop_map(Step::Destroy),
        1 => (0_i64..40).prop_map(Step::Wait),
        1 => Just(Step::List),
    ];
    // Fewer than 1,000: see `Model::step`.
    prop::collection::vec(step, 0..600)
}

struct Model {
    store: MemoryStore,
    clock: Clock,
    bound: usize,
    ids: Vec<String>,
    /// By id: the number in the record, and the expiry.
    sessions: BTreeMap<String, (u64, i64)>,
    stored: u64,
}

impl Model {
    fn new(bound: usize, ids: usize) -> Self {
        let clock = Clock::fixed(1_700_000_000_000);
        let options = MemoryOptions::default().with_max_sessions(bound).with_clock(clock.clone());
        // Some ids are too long to be kept in place, and some are markers, which no listing shows.
        let id = |number| match number % 10 {
            0 => marker_name(&format!("{number}")),
            1 => format!("{number:0>100}"),
            _ => format!("{number}"),
        };
        Self {
            store: MemoryStore::with_options(options),
            clock,
            bound,
            ids: (0..ids).map(id).collect(),
            sessions: BTreeMap::new(),
            stored: 0,
        }
    }

    fn id(&self, number: usize) -> String {
        self.ids[number % self.ids.len()].clone()
    }

    fn record(&mut self, life: i64) -> SessionData {
        let mut session = SessionData::new();
        self.stored += 1;
        session.insert("number", self.stored).unwrap();
        session.cookie_mut().set_max_age_ms(Some(life * 1_000), self.clock.now_ms()).unwrap();
        session
    }

    /// What a store does with the record that was made last.
    fn put(&mut self, id: String, life: i64) {
        if life == 0 {
            self.sessions.remove(&id);
            return;
        }
        if !self.sessions.contains_key(&id) && self.sessions.len() >= self.bound {
            let next = self.sessions.iter().min_by_key(|(_, (_, expires_ms))| *expires_ms);
            let next = next.unwrap().0.clone();
            self.sessions.remove(&next);
        }
        let expires_ms = self.clock.now_ms() + life * 1_000;
        self.sessions.insert(id, (self.stored, expires_ms));
    }

    fn step(&mut self, step: Step) {
        // No two sessions expire in the same millisecond, so it is clear which one expires next.
        self.clock.advance(1);
        let now_ms = self.clock.now_ms();
        self.sessions.retain(|_, (_, expires_ms)| *expires_ms > now_ms);
        match step {
            Step::Get(id) => self.check(&self.id(id)),
            Step::Set(id, life) => {
                let (id, session) = (self.id(id), self.record(life));
                block_on(self.store.set(&id, &session)).unwrap();
                self.put(id, life);
            }
            Step::Create(id, life) => {
                let (id, session) = (self.id(id), self.record(life));
                let created = block_on(self.store.create(&id, &session)).unwrap();
                assert_eq!(created == Created::Exists, self.sessions.contains_key(&id));
                if created != Created::Exists {
                    self.put(id, life);
                }
            }
            Step::Update(id, life, is_current) => self.update(id, life, is_current),
            Step::Touch(id, life) => {
                let (id, session) = (self.id(id), self.record(life));
                let touched = block_on(self.store.touch(&id, &session)).unwrap();
                let found = self.sessions.get_mut(&id);
                let is_extended = found.is_some() && life > 0;
                assert_eq!(touched == Touched::Extended, is_extended);
                match found {
                    Some((_, expires_ms)) if life > 0 => *expires_ms = now_ms + life * 1_000,
                    _ => drop(self.sessions.remove(&id)),
                }
            }
            Step::GetAndTouch(id, life) => {
                let id = self.id(id);
                let ttl = std::time::Duration::from_secs(life.unsigned_abs());
                let found = block_on(self.store.get_and_touch(&id, Some(ttl))).unwrap();
                assert_eq!(found.is_some(), self.sessions.contains_key(&id));
                if let Some((_, expires_ms)) = self.sessions.get_mut(&id) {
                    *expires_ms = now_ms + life * 1_000;
                }
            }
            Step::Destroy(id) => {
                let id = self.id(id);
                block_on(self.store.destroy(&id)).unwrap();
                self.sessions.remove(&id);
            }
            Step::Wait(seconds) => self.clock.advance(seconds * 1_000),
            Step::List => self.list(),
        }
    }

    fn update(&mut self, id: usize, life: i64, is_current: bool) {
        let id = self.id(id);
        let Some(read) = block_on(self.store.get(&id)).unwrap() else {
            assert!(!self.sessions.contains_key(&id));
            return;
        };
        if !is_current {
            let ttl = self.sessions[&id].1;
            let other = self.record((ttl - self.clock.now_ms()) / 1_000 + 1);
            block_on(self.store.set(&id, &other)).unwrap();
            self.put(id.clone(), (ttl - self.clock.now_ms()) / 1_000 + 1);
        }
        let before = self.stored;
        let session = self.record(life).with_revision(read.revision().unwrap().clone());
        match block_on(self.store.update(&id, &session)).unwrap() {
            Updated::Stored(_) => {
                assert!(is_current);
                self.put(id, life);
            }
            Updated::Conflict(current) => {
                assert!(!is_current);
                assert_eq!(current.get::<u64>("number").unwrap(), Some(before));
            }
            Updated::Gone => unreachable!("it was just read"),
        }
    }

    fn check(&self, id: &str) {
        let found = block_on(self.store.get(id)).unwrap();
        let number = found.map(|session| session.get::<u64>("number").unwrap().unwrap());
        assert_eq!(number, self.sessions.get(id).map(|session| session.0));
    }

    fn list(&self) {
        let listed = self.sessions.iter().filter(|(id, _)| !cloakroom_core::is_marker(id));
        let listed: BTreeMap<_, _> =
            listed.map(|(id, (number, _))| (id.clone(), *number)).collect();
        // First, because listing removes what has expired.
        assert_eq!(block_on(self.store.length()).unwrap(), listed.len() as u64);
        let ids: Vec<String> = block_on(self.store.ids().try_collect()).unwrap();
        assert_eq!(ids.len(), listed.len(), "each once");
        assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), listed.keys().cloned().collect());
        let all: Vec<Listed> = block_on(self.store.all().try_collect()).unwrap();
        let number = |session: SessionData| session.get::<u64>("number").unwrap().unwrap();
        let all: BTreeMap<_, _> =
            all.into_iter().map(|one| (one.id, number(one.session))).collect();
        assert_eq!(all, listed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..Default::default() })]

    /// Few ids, so that most calls meet a session, and many, so that more expire at once than a call removes.
    #[test]
    fn the_store_holds_what_a_map_holds(
        (bound, ids) in prop_oneof![Just((4, 8)), Just((1, 3)), Just((900, 400)), Just((50, 200))],
        steps in steps(),
    ) {
        let mut model = Model::new(bound, ids);
        for step in steps {
            model.step(step);
        }
        model.step(Step::List);
        for id in &model.ids {
            model.check(id);
        }
    }
}
