//! Markers: for a minute the store says what became of a session whose id has ended.
//!
//! A marker is a record of its own beside the sessions, written through the ordinary contract. Its name follows from the
//! old id ([`marker_name`]), and no cookie leads to it. It says two things: whether the session was logged out, and to
//! which ids it moved.
//!
//! Two rules make a logout end all that descends from a session, whichever request comes first:
//!
//! - A move stores the new session, then marks the old id, then ends the old session. If the mark says that the session
//!   was logged out, the move is taken back.
//! - A logout destroys the session, then marks its id, then logs out every id that the mark names.
//!
//! So either the move sees the logout in the mark, or the logout sees the new id there.
//!
//! Plain ids have no markers. A next-session site would take a marker's name for the id of a session, and anybody can
//! compute the name.

use std::time::Duration;

use cloakroom_core::{
    Atomic, Cookie, Created, Error, ErrorKind, Session as Record, Updated, marker_name,
};

use super::milliseconds;
use crate::SessionEngine;

/// How long a marker lives: longer than two requests overlap.
const LIFE: Duration = Duration::from_secs(60);

const IS_ENDED: &str = "ended";
const MOVED_TO: &str = "movedTo";
/// A store that gives all records a life of its own keeps a marker for longer.
const UNTIL: &str = "until";

/// What became of a session.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// It was logged out.
    pub(super) is_ended: bool,
    /// The ids that it moved to.
    pub(super) moved_to: Vec<String>,
}

impl Mark {
    /// Returns true if the session moved and was not logged out.
    pub(super) fn is_moved(&self) -> bool {
        !self.is_ended && !self.moved_to.is_empty()
    }

    fn read(record: &Record, now_ms: i64) -> Result<Self, Error> {
        if record.get::<i64>(UNTIL)?.is_none_or(|until_ms| until_ms <= now_ms) {
            return Ok(Self::default());
        }
        let is_ended = record.get(IS_ENDED)?.unwrap_or_default();
        let moved_to = record.get(MOVED_TO)?.unwrap_or_default();
        Ok(Self { is_ended, moved_to })
    }

    /// Writes the mark into a record, which keeps its revision.
    fn write(&self, record: &mut Record, now_ms: i64) -> Result<(), Error> {
        let mut cookie = Cookie::new();
        cookie.set_max_age(Some(LIFE), now_ms)?;
        *record.cookie_mut() = cookie;
        record.insert(IS_ENDED, self.is_ended)?;
        record.insert(MOVED_TO, &self.moved_to)?;
        record.insert(UNTIL, now_ms.saturating_add(milliseconds(LIFE)))
    }
}

/// Marks a session as logged out. Returns what was marked before.
pub(super) async fn end(engine: &SessionEngine, id: &str) -> Result<Mark, Error> {
    if !engine.ids().is_verified() {
        return Ok(Mark::default());
    }
    let store = engine.store();
    let marked = match store.atomic() {
        Some(atomic) => change(engine, atomic, id, |mark| mark.is_ended = true).await,
        None => Ends(engine).end(id).await,
    };
    marked.or_else(without)
}

/// Marks that a session moves to a new id, which is in the store already. Returns all that is marked now.
pub(super) async fn add(engine: &SessionEngine, id: &str, new_id: &str) -> Result<Mark, Error> {
    if !engine.ids().is_verified() {
        return Ok(Mark::default());
    }
    let add = |mark: &mut Mark| {
        if !mark.is_ended && !mark.moved_to.iter().any(|id| id == new_id) {
            mark.moved_to.push(new_id.to_owned());
        }
    };
    let marked = match engine.store().atomic() {
        Some(atomic) => change(engine, atomic, id, add).await.map(|mut mark| {
            add(&mut mark);
            mark
        }),
        None => Ends(engine).add(id, add).await,
    };
    marked.or_else(without)
}

/// Returns what is marked of a session.
pub(super) async fn look(engine: &SessionEngine, id: &str) -> Result<Mark, Error> {
    if !engine.ids().is_verified() {
        return Ok(Mark::default());
    }
    let marked = match engine.store().atomic() {
        Some(_) => read(engine, &marker_name(id)).await.map(|(mark, _)| mark),
        None => Ends(engine).look(id).await,
    };
    marked.or_else(without)
}

/// A store that cannot keep a marker's name, such as one with ids of its own shape, has none.
fn without(error: Error) -> Result<Mark, Error> {
    if error.kind() == ErrorKind::InvalidId { Ok(Mark::default()) } else { Err(error) }
}

async fn read(engine: &SessionEngine, name: &str) -> Result<(Mark, Option<Record>), Error> {
    match engine.store().get(name).await? {
        Some(record) => Ok((Mark::read(&record, engine.now_ms())?, Some(record))),
        None => Ok((Mark::default(), None)),
    }
}

/// Changes a mark, whoever else does. Returns what it was before.
async fn change(
    engine: &SessionEngine,
    atomic: &dyn Atomic,
    id: &str,
    change: impl Fn(&mut Mark),
) -> Result<Mark, Error> {
    let name = marker_name(id);
    let (mut before, mut found) = (Mark::default(), None);
    loop {
        let mut after = before.clone();
        change(&mut after);
        if found.is_some() && after == before {
            return Ok(before);
        }
        let is_there = found.is_some();
        let mut record = found.unwrap_or_default();
        after.write(&mut record, engine.now_ms())?;
        if is_there {
            match atomic.update(&name, &record).await? {
                Updated::Stored(_) => return Ok(before),
                Updated::Conflict(current) => {
                    before = Mark::read(&current, engine.now_ms())?;
                    found = Some(current);
                }
                Updated::Gone => (before, found) = (Mark::default(), None),
            }
        } else {
            match atomic.create(&name, &record).await? {
                Created::Stored(_) => return Ok(before),
                Created::Exists => (before, found) = read(engine, &name).await?,
            }
        }
    }
}

/// Marks in a store without conditional writes: the end has a record of its own, so that no move can write over it.
/// Two moves of this engine take turns to write theirs.
struct Ends<'a>(&'a SessionEngine);

impl Ends<'_> {
    async fn end(&self, id: &str) -> Result<Mark, Error> {
        let is_ended = self.is_ended(id).await?;
        self.set(&end_name(id), &Mark { is_ended: true, ..Mark::default() }).await?;
        let (mark, _) = read(self.0, &marker_name(id)).await?;
        Ok(Mark { is_ended, ..mark })
    }

    async fn add(&self, id: &str, add: impl Fn(&mut Mark)) -> Result<Mark, Error> {
        let name = marker_name(id);
        let mut mark = {
            let _turn = self.0.marking().lock().await;
            let (mut mark, _) = read(self.0, &name).await?;
            add(&mut mark);
            self.set(&name, &mark).await?;
            mark
        };
        mark.is_ended = self.is_ended(id).await?;
        Ok(mark)
    }

    async fn look(&self, id: &str) -> Result<Mark, Error> {
        let (mark, _) = read(self.0, &marker_name(id)).await?;
        Ok(Mark { is_ended: self.is_ended(id).await?, ..mark })
    }

    async fn is_ended(&self, id: &str) -> Result<bool, Error> {
        read(self.0, &end_name(id)).await.map(|(mark, _)| mark.is_ended)
    }

    async fn set(&self, name: &str, mark: &Mark) -> Result<(), Error> {
        let mut record = Record::new();
        mark.write(&mut record, self.0.now_ms())?;
        self.0.store().set(name, &record).await
    }
}

fn end_name(id: &str) -> String {
    marker_name(&marker_name(id))
}
