//! Random sequences of operations, whose results are compared with a model.
//!
//! The other cases test one promise each. These find what depends on what was called before: a cache that a `destroy`
//! does not clear, a revision that survives a `set`.

use std::collections::HashMap;

use cloakroom_core::{Created, SessionData, Touched, Updated};

use crate::{
    StoreUnderTest,
    failure::{Failure, Verdict, broken, check},
    probe::{same, shown},
};

/// Few ids, so that the operations meet on the same sessions.
const IDS: [&str; 3] = ["one", "two", "three"];
const STEPS: u64 = 400;

/// Splitmix64 with a fixed seed: every run has the same sequence, so a failure can be reproduced.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// The expected content of the store: for each id the record, and the step that wrote it.
struct Model<'a> {
    subject: &'a StoreUnderTest,
    dice: Dice,
    records: HashMap<&'static str, (u64, SessionData)>,
    /// The sessions that were read, with the step that wrote them. Updates start from these, however old they are by
    /// then.
    read: HashMap<&'static str, (u64, SessionData)>,
    /// The last operations, for the failure's message.
    trail: Vec<String>,
}

impl<'a> Model<'a> {
    fn new(subject: &'a StoreUnderTest) -> Self {
        let dice = Dice(0x00c1_0a4c_0000_0001);
        Self { subject, dice, records: HashMap::new(), read: HashMap::new(), trail: Vec::new() }
    }

    fn text(&self, id: &str) -> Option<String> {
        self.records.get(id).map(|(_, session)| session.to_json().into_owned())
    }

    fn note(&mut self, operation: &str, id: &str) {
        self.trail.push(format!("{operation} {id}"));
    }

    fn explain(&self, failure: Failure) -> Failure {
        let Failure::Broken(reason) = failure else { return failure };
        let last = self.trail.iter().rev().take(6).rev().map(String::as_str).collect::<Vec<_>>();
        broken(format_args!(
            "step {}: {reason}; the last operations were {}",
            self.trail.len(),
            last.join(", ")
        ))
    }

    fn expect(&self, id: &str, found: Option<&SessionData>) -> Verdict {
        match (found, self.records.get(id)) {
            (Some(found), Some((_, written))) => same(found, written),
            (None, None) => Ok(()),
            (found, _) => Err(broken(format_args!(
                "wanted {}, got {}",
                option(self.text(id).as_deref()),
                option(found.map(SessionData::loaded_json))
            ))),
        }
    }

    fn store(&mut self, id: &'static str, step: u64, session: &SessionData) {
        self.records.insert(id, (step, session.clone()));
    }

    /// Keeps a session that was read, for a later update from it.
    fn remember(&mut self, id: &'static str, session: SessionData) {
        if let Some((step, _)) = self.records.get(id) {
            self.read.insert(id, (*step, session));
        }
    }

    fn new_session(&self, step: u64) -> Result<SessionData, Failure> {
        Ok(self.subject.lasting(&format!("step {step}"))?)
    }

    /// Makes one call that every store has, and compares its answer with the model.
    async fn plain(&mut self, step: u64, id: &'static str) -> Verdict {
        let store = self.subject.store();
        match self.dice.roll(6) {
            0 | 1 => {
                self.note("get", id);
                let found = store.get(id).await?;
                self.expect(id, found.as_ref())?;
                if let Some(session) = found {
                    self.remember(id, session);
                }
            }
            2 | 3 => {
                self.note("set", id);
                let session = self.new_session(step)?;
                store.set(id, &session).await?;
                self.store(id, step, &session);
            }
            4 => {
                self.note("touch", id);
                let touched = store.touch(id, &self.new_session(step)?).await?;
                let wanted = match self.text(id) {
                    _ if matches!(touched, Touched::NotOffered | Touched::NotDue) => touched,
                    Some(_) => Touched::Extended,
                    None => Touched::Missing,
                };
                check(touched == wanted, format_args!("wanted `{wanted:?}`, got `{touched:?}`"))?;
            }
            _ => {
                self.note("destroy", id);
                store.destroy(id).await?;
                self.records.remove(id);
            }
        }
        Ok(())
    }

    /// Makes one conditional call, and compares its answer with the model.
    async fn conditional(&mut self, step: u64, id: &'static str) -> Verdict {
        let atomic = self.subject.atomic()?;
        match self.dice.roll(4) {
            0 => {
                self.note("create", id);
                let mut session = self.new_session(step)?;
                let created = atomic.create(id, &session).await?;
                check(
                    (created == Created::Exists) == self.text(id).is_some(),
                    format_args!(
                        "create returned `{created:?}` over {}",
                        option(self.text(id).as_deref())
                    ),
                )?;
                if let Created::Stored(revision) = created {
                    self.store(id, step, &session);
                    session.mark_stored(revision);
                    self.remember(id, session);
                }
            }
            1 => {
                self.note("get_and_touch", id);
                let found = atomic.get_and_touch(id, None).await?;
                self.expect(id, found.as_ref())?;
                if let Some(session) = found {
                    self.remember(id, session);
                }
            }
            _ => {
                let Some((read_at, mut session)) = self.read.get(id).cloned() else {
                    return Ok(());
                };
                self.note("update", id);
                session.insert("step", step)?;
                let updated = atomic.update(id, &session).await?;
                let current = self.records.get(id).map(|(step, _)| *step);
                // The step stands for the revision: the answer depends only on whether the stored record is still that
                // of the step that was read.
                match updated {
                    Updated::Stored(revision) if current == Some(read_at) => {
                        self.store(id, step, &session);
                        session.mark_stored(revision);
                        self.remember(id, session);
                    }
                    Updated::Conflict(found) if current.is_some() && current != Some(read_at) => {
                        self.expect(id, Some(&found))?;
                        self.remember(id, found);
                    }
                    Updated::Gone if current.is_none() => {}
                    other => {
                        return Err(broken(format_args!(
                            "update of the session of step {read_at} returned `{other:?}` over {}",
                            option(self.text(id).as_deref())
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    async fn run(&mut self, conditional: bool) -> Verdict {
        for step in 1..=STEPS {
            let id = IDS[self.dice.roll(IDS.len() as u64) as usize];
            let verdict = if conditional && self.dice.roll(2) == 0 {
                self.conditional(step, id).await
            } else {
                self.plain(step, id).await
            };
            verdict.map_err(|failure| self.explain(failure))?;
        }
        // The last operation on an id may have been a write.
        for id in IDS {
            let found = self.subject.store().get(id).await?;
            self.expect(id, found.as_ref()).map_err(|failure| self.explain(failure))?;
        }
        Ok(())
    }
}

fn option(text: Option<&str>) -> String {
    text.map_or_else(|| "nothing".to_owned(), shown)
}

/// Finds what no other case thought of: states that depend on what was called before.
pub(crate) async fn sequences_match_a_model(subject: &StoreUnderTest) -> Verdict {
    Model::new(subject).run(false).await
}

/// As above, with conditional writes in between, whose answers depend on every earlier write.
pub(crate) async fn conditional_sequences_match_a_model(subject: &StoreUnderTest) -> Verdict {
    subject.atomic()?;
    Model::new(subject).run(true).await
}
