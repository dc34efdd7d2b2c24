//! Markers: for a minute the store says what happened to a session whose id has ended.
//!
//! Without them, "the record is gone" has two meanings that need opposite answers. A session that was logged out must
//! stay gone, and a login that began before must fail. A session that moved to a new id lives on, and its logout has to
//! follow it there.
//!
//! A marker is a record of its own beside the sessions, written through the ordinary contract. Its name is a digest of
//! the old id ([`marker_name`]), and no cookie leads to it. It says whether the session was logged out, to which ids it
//! moved, and which sessions end with it.
//!
//! Three rules make a logout end every session that descends from the one it ends, whichever request comes first:
//!
//! - A move stores the new session, then marks the old id, then ends the old session. If the mark says that the session
//!   was logged out, the move is taken back.
//! - A move that finds another new id in the mark links its own id with that one: two logins that had both loaded one
//!   session, as after a double click, end together. If the other one was logged out, the move is taken back.
//! - A logout destroys the session and marks its id, then logs out every id that the mark names. With conditional
//!   writes it destroys first; without them it marks first, since a writer looks at the mark after its write.
//!
//! One of the two changes the mark after the other and sees what that one wrote: either the move sees the logout in the
//! mark, or the logout sees the new id there.
//!
//! A browser keeps one of two linked sessions and can log out hours later. Nobody visits the other one, so it lives no
//! longer than its cookie says. The marks that link the two live as long as the longer cookie said when they were
//! linked. A longer life that a session gets later does not count. A linked session that moves hands its links on to
//! the new id.
//!
//! Whoever knows an id that has ended must not be able to end, block or slow down the session that it became. So
//! nothing but the move or the logout of a session that was there when its request loaded it writes a mark that lives
//! on; a mark names only a few ids ([`MOST_IDS`]), and no later write moves the end of its minute.
//!
//! Plain ids have no markers: anybody can compute a marker's name, and a next-session site, whose cookies are not
//! signed, would accept it as a session id.

use std::time::Duration;

use cloakroom_core::{
    Atomic, Cookie, Created, Error, ErrorKind, LAST_DATE_MS, SessionData, Updated, marker_name,
};

use self::separate::SeparateMarks;
use super::{expiry::milliseconds, preset::Safe};

mod separate;

/// How long a marker lives: longer than two requests usually overlap. A request that lasts longer than half of it does
/// not rely on the absence of a marker.
pub(super) const LIFE: Duration = Duration::from_secs(60);

/// How many ids a mark names of each kind, 16 in all: the first, to which all later ones are linked, and the newest. A
/// double click needs two or three. A logout does not end the others, which is the price of a marker that cannot be
/// made to grow.
pub(super) const MOST_IDS: usize = 8;

/// The last millisecond of JavaScript's dates. It stands for "as long as the store keeps a browser session".
const NO_END_MS: i64 = LAST_DATE_MS;

const LOGGED_OUT: &str = "ended";
const MOVED_TO: &str = "movedTo";
const ENDS_WITH: &str = "endsWith";
const LIVES_UNTIL: &str = "livesUntil";
const LINKED_UNTIL: &str = "linkedUntil";
/// The end of the minute is in the marker too, because a store that gives all records one life keeps it for longer.
const UNTIL: &str = "until";

/// What happened to a session.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// It was logged out.
    pub(super) is_logged_out: bool,
    /// The ids that it moved to within the last minute.
    pub(super) moved_to: Vec<String>,
    /// The ids that a logout of it also ends. This session itself can be alive.
    ends_with: Vec<String>,
    /// When `ends_with` expires.
    linked_until_ms: i64,
    /// When the sessions that it moved to expire, unless somebody visits them.
    lives_until_ms: i64,
    /// When the minute ends that began with the first move or with the logout.
    until_ms: i64,
}

impl Mark {
    /// Returns true if the session moved or was logged out.
    pub(super) fn is_gone(&self) -> bool {
        self.is_logged_out || self.has_moved()
    }

    pub(super) fn has_moved(&self) -> bool {
        !self.moved_to.is_empty()
    }

    /// Returns true if a logout of this session ends other sessions.
    pub(super) fn is_linked(&self) -> bool {
        !self.ends_with.is_empty()
    }

    /// Returns the ids that a logout of this session ends although it never had them.
    pub(super) fn ends_with(&self) -> &[String] {
        &self.ends_with
    }

    /// Returns when the last of the sessions that this mark names expires.
    pub(super) fn longest_until_ms(&self) -> i64 {
        self.lives_until_ms.max(self.linked_until_ms)
    }

    /// Returns the ids of all sessions that a logout of this one ends.
    pub(super) fn related(&self) -> impl Iterator<Item = &String> {
        self.moved_to.iter().chain(&self.ends_with)
    }

    fn log_out(&mut self, now_ms: i64) {
        if !self.is_logged_out {
            self.until_ms = end_of_life(now_ms);
        }
        self.is_logged_out = true;
    }

    /// Reads the mark in a marker's record. Parts of it that have expired are left out, since the record lives as long
    /// as its last part.
    fn read(record: &SessionData, now_ms: i64) -> Result<Self, Error> {
        let is_until = |name| record.get(name).map(|until: Option<i64>| until.unwrap_or_default());
        let linked_until_ms = is_until(LINKED_UNTIL)?;
        let until_ms = is_until(UNTIL)?;
        let (is_fresh, is_linked) = (until_ms > now_ms, linked_until_ms > now_ms);
        if !is_fresh && !is_linked {
            return Ok(Self::default());
        }
        // After its minute, an id that was logged out is like any other dead id. The links stay, so that a logout that
        // was cut short can be repeated.
        let is_logged_out = is_fresh && record.get(LOGGED_OUT)?.unwrap_or_default();
        let mut moved_to: Vec<String> = record.get(MOVED_TO)?.unwrap_or_default();
        let mut ends_with: Vec<String> = record.get(ENDS_WITH)?.unwrap_or_default();
        if !is_fresh {
            // Links that outlive the minute belong to a move that was cut short before it handed them on. What it moved
            // to is then reached only from here.
            ends_with.append(&mut moved_to);
        }
        let lives_until_ms = is_until(LIVES_UNTIL)?;
        Ok(Self { is_logged_out, moved_to, ends_with, linked_until_ms, lives_until_ms, until_ms })
    }

    /// Writes the mark into a record, which keeps its revision.
    fn write(&self, record: &mut SessionData, now_ms: i64) -> Result<(), Error> {
        let mut cookie = Cookie::new();
        if self.linked_until_ms < NO_END_MS {
            let last_ms = self.until_ms.max(self.linked_until_ms);
            cookie.set_max_age_ms(Some(last_ms.saturating_sub(now_ms).max(1)), now_ms)?;
        }
        *record.cookie_mut() = cookie;
        record.insert(LOGGED_OUT, self.is_logged_out)?;
        record.insert(MOVED_TO, &self.moved_to)?;
        record.insert(ENDS_WITH, &self.ends_with)?;
        record.insert(UNTIL, self.until_ms)?;
        record.insert(LIVES_UNTIL, self.lives_until_ms)?;
        record.insert(LINKED_UNTIL, self.linked_until_ms)
    }
}

fn end_of_life(now_ms: i64) -> i64 {
    now_ms.saturating_add(milliseconds(LIFE))
}

/// Adds an id. If there are too many, the first and the newest stay.
fn push(ids: &mut Vec<String>, id: &str) {
    if ids.iter().any(|known| known == id) {
        return;
    }
    if ids.len() >= MOST_IDS {
        ids.drain(1..ids.len() + 2 - MOST_IDS);
    }
    ids.push(id.to_owned());
}

/// Marks a session as logged out, unless it is. Returns the mark as it was before, which names the sessions to end, or
/// `None` if no mark can be kept.
pub(super) async fn mark_logged_out(safe: &Safe, id: &str) -> Result<Option<Mark>, Error> {
    if !safe.setup.ids().is_verified() {
        return Ok(None);
    }
    let store = safe.setup.store();
    let marked = match store.atomic() {
        Some(atomic) => change(safe, atomic, id, |mark| mark.log_out(safe.setup.now_ms())).await,
        None => SeparateMarks(safe).log_out(id).await,
    };
    match marked {
        Err(error) if error.kind() == ErrorKind::InvalidId => Ok(None),
        marked => marked.map(Some),
    }
}

/// Marks that a session moves to a new id, which is in the store already and expires at `lives_until_ms`. Returns the
/// mark as it is now. If the session was logged out, its mark stays as it is: the logout has read it already.
pub(super) async fn mark_moved(
    safe: &Safe,
    id: &str,
    new_id: &str,
    lives_until_ms: i64,
) -> Result<Mark, Error> {
    let until_ms = end_of_life(safe.setup.now_ms());
    add_to_mark(safe, id, |mark| {
        if !mark.is_logged_out {
            // Later moves do not prolong the minute, or an old id could be kept busy for ever.
            if mark.moved_to.is_empty() {
                mark.until_ms = until_ms;
            }
            push(&mut mark.moved_to, new_id);
            mark.lives_until_ms = mark.lives_until_ms.max(lives_until_ms);
        }
    })
    .await
}

/// Marks that until `until_ms` a logout of one session also ends another. Returns the mark as it is now.
pub(super) async fn link(safe: &Safe, id: &str, other: &str, until_ms: i64) -> Result<Mark, Error> {
    add_to_mark(safe, id, |mark| {
        if !mark.is_logged_out {
            push(&mut mark.ends_with, other);
            mark.linked_until_ms = mark.linked_until_ms.max(until_ms);
        }
    })
    .await
}

/// Returns when a session with this cookie expires unless somebody visits it.
pub(super) fn end_of_session(safe: &Safe, cookie: &Cookie) -> i64 {
    let now_ms = safe.setup.now_ms();
    let until_ms = match cookie.original_max_age_ms() {
        Some(age) => now_ms.saturating_add(age).saturating_add(milliseconds(LIFE)),
        None => cookie.expires_ms().unwrap_or(NO_END_MS),
    };
    until_ms.min(NO_END_MS)
}

/// Ends the links of a session that has handed them on, or whose linked sessions have all ended. Its mark then ends
/// with its minute.
pub(super) async fn unlink(safe: &Safe, id: &str) -> Result<(), Error> {
    add_to_mark(safe, id, |mark| mark.linked_until_ms = 0).await.map(drop)
}

/// Adds to a mark. Returns the mark as it is now.
async fn add_to_mark(
    safe: &Safe,
    id: &str,
    extend: impl Fn(&mut Mark) + Send + Sync,
) -> Result<Mark, Error> {
    if !safe.setup.ids().is_verified() {
        return Ok(Mark::default());
    }
    let marked = match safe.setup.store().atomic() {
        Some(atomic) => change(safe, atomic, id, &extend).await.map(|mut mark| {
            extend(&mut mark);
            mark
        }),
        None => SeparateMarks(safe).extend(id, extend).await,
    };
    marked.or_else(without)
}

/// Returns the mark of a session, which is empty if it has none.
pub(super) async fn look(safe: &Safe, id: &str) -> Result<Mark, Error> {
    if !safe.setup.ids().is_verified() {
        return Ok(Mark::default());
    }
    let marked = match safe.setup.store().atomic() {
        Some(_) => read(safe, &marker_name(id)).await.map(|(mark, _)| mark),
        None => SeparateMarks(safe).look(id).await,
    };
    marked.or_else(without)
}

/// Returns true if a session that is gone has moved to an id other than `id`, and none of these was logged out.
pub(super) async fn has_moved(safe: &Safe, old_id: &str, id: &str) -> Result<bool, Error> {
    let mark = look(safe, old_id).await?;
    if mark.is_logged_out {
        return Ok(false);
    }
    let mut has_moved = false;
    for other in mark.moved_to.iter().filter(|other| *other != id) {
        if look(safe, other).await?.is_logged_out {
            return Ok(false);
        }
        has_moved = true;
    }
    Ok(has_moved)
}

/// Returns true if a session was logged out, or has moved to one that was stored.
pub(super) async fn is_gone(safe: &Safe, id: &str) -> Result<bool, Error> {
    let mark = look(safe, id).await?;
    if mark.is_logged_out {
        return Ok(true);
    }
    for new_id in &mark.moved_to {
        // A mark alone does not prove a move. One that failed after its mark has destroyed the new session, or left it
        // over.
        let is_there =
            !safe.left_over.contains(new_id) && safe.setup.store().get(new_id).await?.is_some();
        if is_there || look(safe, new_id).await?.is_gone() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads `InvalidId` as an empty mark: a store that accepts only ids of a certain shape keeps no markers.
fn without(error: Error) -> Result<Mark, Error> {
    if error.kind() == ErrorKind::InvalidId { Ok(Mark::default()) } else { Err(error) }
}

/// Reads a marker. Returns its record, too, which a conditional write starts from.
async fn read(safe: &Safe, name: &str) -> Result<(Mark, Option<SessionData>), Error> {
    match safe.setup.store().get(name).await? {
        Some(record) => Ok((Mark::read(&record, safe.setup.now_ms())?, Some(record))),
        None => Ok((Mark::default(), None)),
    }
}

/// Changes a mark while other requests change it, too, and returns it as it was before. The first attempt assumes that
/// the store has no mark yet, which is the usual case and costs one command.
async fn change(
    safe: &Safe,
    atomic: &dyn Atomic,
    id: &str,
    change: impl Fn(&mut Mark) + Send + Sync,
) -> Result<Mark, Error> {
    let name = marker_name(id);
    let (mut before, mut found) = (Mark::default(), None);
    loop {
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            if found.is_some() {
                return Ok(before);
            }
            // The change does nothing to an empty mark, as `unlink` does. The store can have a mark to which it does.
            (before, found) = read(safe, &name).await?;
            if found.is_none() {
                return Ok(before);
            }
            continue;
        }
        let is_there = found.is_some();
        let mut record = found.unwrap_or_default();
        after.write(&mut record, safe.setup.now_ms())?;
        if is_there {
            match atomic.update(&name, &record).await? {
                Updated::Stored(_) => return Ok(before),
                Updated::Conflict(current) => {
                    before = Mark::read(&current, safe.setup.now_ms())?;
                    found = Some(current);
                }
                Updated::Gone => (before, found) = (Mark::default(), None),
            }
        } else {
            match atomic.create(&name, &record).await? {
                Created::Stored(_) => return Ok(before),
                Created::Exists => (before, found) = read(safe, &name).await?,
            }
        }
    }
}
