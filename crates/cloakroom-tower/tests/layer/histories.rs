//! Any history of requests that meet, against a model.

use std::collections::BTreeMap;

use cloakroom_core::Store;
use cloakroom_tower::Session;
use futures::executor::block_on;
use proptest::prelude::*;

use crate::{bench::Bench, counting::count};

/// The members of a session.
type Members = BTreeMap<u8, u8>;

/// What a request does to one member, by its name.
type Changes = BTreeMap<u8, Option<u8>>;

/// A step in a history of requests that meet. A number names one of those that are open.
#[derive(Clone, Debug)]
enum Step {
    Load,
    /// It changes members.
    Change(usize, Changes),
    Count(usize),
    Save(usize),
    Reload(usize),
    Commit(usize),
    /// It ends with all that the session has under a new id.
    Move(usize),
    Destroy(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let changes = prop::collection::btree_map(0..4_u8, prop::option::of(0..10_u8), 1..3);
    let step = prop_oneof![
        4 => Just(Step::Load),
        4 => (0..4_usize, changes).prop_map(|(at, changes)| Step::Change(at, changes)),
        2 => (0..4_usize).prop_map(Step::Count),
        1 => (0..4_usize).prop_map(Step::Save),
        1 => (0..4_usize).prop_map(Step::Reload),
        3 => (0..4_usize).prop_map(Step::Commit),
        1 => (0..4_usize).prop_map(Step::Move),
        1 => (0..4_usize).prop_map(Step::Destroy),
    ];
    prop::collection::vec(step, 1..40)
}

/// What the store holds under the browser's id, in the model.
#[derive(Clone, Default)]
struct Stored {
    members: Members,
    count: u32,
}

/// An open request, in the model.
struct Open {
    session: Session,
    /// How often the session had moved when it was loaded.
    moves: usize,
    /// What the request sees, and what it saw when it was last in step with the store.
    now: Members,
    was: Members,
    /// What it has counted since.
    count: u32,
}

impl Open {
    fn in_step(&mut self, stored: &Stored) {
        (self.now, self.was, self.count) = (stored.members.clone(), stored.members.clone(), 0);
    }

    /// Makes this request's own changes to what is stored.
    fn write(&self, stored: &mut Stored) {
        for name in 0..4 {
            match (self.now.get(&name), self.was.get(&name)) {
                (now, was) if now == was => {}
                (Some(value), _) => drop(stored.members.insert(name, *value)),
                (None, _) => drop(stored.members.remove(&name)),
            }
        }
        stored.count += self.count;
    }
}

proptest! {
    /// The model is a map, to which each request's own changes are applied when it writes; once destroyed, it is gone.
    #[test]
    fn any_requests_that_meet_lose_nothing_and_revive_nothing(steps in steps()) {
        let mut bench = Bench::new(r#"{"cookie":{}}"#);
        let mut stored = Some(Stored::default());
        let mut moves = 0;
        // The session was logged out under the id that it had after so many moves, or earlier.
        let mut ended_at = usize::MAX;
        let mut open: Vec<Open> = Vec::new();
        for step in steps {
            match step {
                Step::Load => {
                    if let Some(stored) = &stored {
                        let session = bench.load();
                        let (now, was) = (stored.members.clone(), stored.members.clone());
                        open.push(Open { session, moves, now, was, count: 0 });
                    }
                }
                Step::Change(at, changes) => {
                    if let Some(open) = open.get_mut(at) {
                        for (name, value) in changes {
                            match value {
                                Some(value) => {
                                    open.session.insert(&name.to_string(), value).unwrap();
                                    open.now.insert(name, value);
                                }
                                None => {
                                    let there = open.session.remove::<u8>(&name.to_string());
                                    prop_assert_eq!(there.unwrap(), open.now.remove(&name));
                                }
                            }
                        }
                    }
                }
                Step::Count(at) => {
                    if let Some(open) = open.get_mut(at) {
                        count(&open.session);
                        open.count += 1;
                    }
                }
                Step::Save(at) => {
                    if let Some(open) = open.get_mut(at) {
                        let lives = stored.as_mut().filter(|_| open.moves == moves);
                        prop_assert_eq!(block_on(open.session.save()).unwrap(), lives.is_some());
                        if let Some(stored) = lives {
                            open.write(stored);
                            open.in_step(stored);
                        }
                    }
                }
                Step::Reload(at) => {
                    if let Some(open) = open.get_mut(at) {
                        let lives = stored.as_ref().filter(|_| open.moves == moves);
                        prop_assert_eq!(block_on(open.session.reload()).unwrap(), lives.is_some());
                        if let Some(stored) = lives {
                            open.in_step(stored);
                        }
                    }
                }
                Step::Commit(at) => {
                    if at < open.len() {
                        let open = open.remove(at);
                        bench.commit(&open.session);
                        if let Some(stored) = stored.as_mut().filter(|_| open.moves == moves) {
                            open.write(stored);
                        }
                    }
                }
                Step::Move(at) => {
                    if at < open.len() {
                        let open = open.remove(at);
                        block_on(open.session.regenerate_keeping_data()).unwrap();
                        let line = bench.try_commit(&open.session);
                        // Another request may have moved it before: both have a session then.
                        if ended_at == usize::MAX {
                            prop_assert!(line.unwrap().is_some());
                            let made = block_on(bench.store.memory().get(&open.session.id()));
                            prop_assert!(made.unwrap().is_some());
                        } else if ended_at <= open.moves {
                            prop_assert!(line.is_err(), "it was logged out");
                        }
                        if let Some(stored) = stored.as_mut().filter(|_| open.moves == moves) {
                            open.write(stored);
                            prop_assert!(bench.record().is_none(), "the old id is worth nothing");
                            bench.sid = open.session.id();
                            moves += 1;
                        }
                    }
                }
                Step::Destroy(at) => {
                    if at < open.len() {
                        let open = open.remove(at);
                        block_on(open.session.destroy()).unwrap();
                        bench.commit(&open.session);
                        // Whatever it has moved to ends, too.
                        stored = None;
                        ended_at = ended_at.min(open.moves);
                    }
                }
            }
            let record = bench.record();
            prop_assert_eq!(record.is_some(), stored.is_some());
            if let (Some(record), Some(stored)) = (record, &stored) {
                prop_assert_eq!(record.get("count").unwrap().unwrap_or(0), stored.count);
                let members: Members = record
                    .iter()
                    .filter(|member| member.name() != "count")
                    .map(|member| (member.name().parse().unwrap(), member.value().unwrap()))
                    .collect();
                prop_assert_eq!(&members, &stored.members);
            }
        }
    }
}
