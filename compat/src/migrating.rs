//! Two stores as one while sessions move from the old to the new.
//!
//! A session is in one of these states, and each step from one to the next is a single conditional write:
//!
//! | old | new | where the session is |
//! | --- | --- | --- |
//! | a record | nothing | in the old store |
//! | a record that is closed | nothing | on its way: the closed record |
//! | a record that is closed | a copy that is pending | on its way, as before |
//! | a record that is handed over | its copy, pending | on its way: the copy |
//! | nothing, or a record that is handed over | a record | in the new store |
//! | a record that is handed over | nothing | nowhere: it has ended in the new store |
//! | nothing | a record that is tentative | nowhere: it is being created |
//!
//! Closing is an `update` of the old record, so no write that is acknowledged in the old store is missing in the copy.
//! A pending copy counts only while its old record is there. So a logout, which destroys the old record before the new
//! one, ends every move that is under way: the copy of a mover that comes late never counts. The copy lives for a
//! minute until its mover has seen that the old record is still closed, and then as long as the session. Only then is
//! the old record handed over to it, by name. So no end of the session in the new store, however it comes about, brings
//! the old record back. The last steps make a session of the copy and remove the old record.
//!
//! # Handles that stop
//!
//! Each of these writes may be the last one of its process, may be refused, and may take effect after its caller has
//! given up. Reading needs no write: the table says which record is the session. Until the record is handed over, a move
//! that a store refuses is taken back. A `set` of a session in the old store is a move with another copy, and one of a
//! session in neither store begins with a tentative record, so neither leaves a record behind that could come back.
//!
//! # What cannot be
//!
//! - A move cannot be taken back once the record is handed over. The new store then refuses to make a session of the
//!   copy, so it takes no writes, at most deletions. To take the move back, a handle would have to delete the copy and
//!   then open the old record again. If it stops in between, the next one sees a record that is handed over and no
//!   copy: just what a logout leaves in the new store. It would log the visitor out or undo a logout. To tell the two
//!   apart takes a note that the new store does not accept, or a third place. So such a session can be read, extended
//!   and destroyed, and changed when the new store accepts writes again.
//! - A record that cannot be read has no revision, and an `update` keeps the white space of the text that it changes. So
//!   a `set` that replaces the first, or that stores a text that an update cannot make, writes without a condition. If a
//!   process takes that step after the session has moved, and stops before the next, it leaves an old record under the
//!   session, which comes back if the session ends in the new store alone. An update can make every text that Express
//!   or this crate writes.
//!
//! `flag.rs` is how a record says what it is, `origin.rs` the store that a session was read from, `find.rs` the reading,
//! `distinct.rs` what notices that both stores are one, `moves.rs` the steps of a move, `set.rs` a `set` and what creates
//! sessions, and `contract.rs` and `listing.rs` the contract.

use std::{fmt, sync::OnceLock};

use cloakroom_core::{Atomic, Clock, Error, ErrorKind, SessionData, Store};

mod contract;
mod distinct;
mod find;
mod flag;
mod listing;
mod moves;
mod origin;
mod set;

pub(crate) use distinct::{check_apart, not_shown};
pub use flag::is_moving;
pub(crate) use moves::expiry_ms;
pub(crate) use set::rewritten;

/// Where a session that is in the old store is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    /// There. Nothing moves.
    InPlace,
    /// In the new store, to which it is moved first.
    ToNew,
}

/// Two stores as one [`Store`], for the time in which sessions move from the old to the new.
///
/// It reads the new store and then the old one, and destroys in both. A session of the old store moves when it is
/// written or visited ([`touch`](Store::touch), [`get_and_touch`](Atomic::get_and_touch)), or by
/// [`move_session`](Self::move_session); a move extends its life as a visit does.
///
/// A session that the new store refuses, for example because it is too large or its id is not valid there, stays in the
/// old one, where it can be read, extended and destroyed. A write to it fails with the error of the new store, unless it
/// is a [`set`](Store::set) that this accepts. Reading writes to neither store, so a session can be read while one of them,
/// or both, refuse all writes. Both have to be reachable.
///
/// All handles of this kind together keep the whole contract, in any number of processes: no change is lost and no
/// logout is undone, whichever of them moves, writes and destroys a session at the same time. A program that knows only
/// one of the two stores does not see the other. Change a running site in three steps, each of which can be taken
/// process by process:
///
/// 1. Replace the old store by [`before`](Self::before) the migration in every process. It finds sessions that have
///    moved, and moves none. Programs that know the old store only may run next to it.
/// 2. Replace that by [`new`](Self::new) in every process. Sessions move as they are written; `cloakroom copy --move`
///    moves the others.
/// 3. Once the old store is empty, replace it by the new store alone.
///
/// A program that knows only the old store and runs during step 2, such as an Express app, loses the sessions that
/// move: its users are logged out there, and what it writes to them is not seen here. What it writes before a session
/// moves is not lost. A logout there ends a session that has not moved.
///
/// Both must be different stores: before anything is destroyed because the new store has it too, a record that is created
/// in the new store and looked for in the old one shows that. If they are one, it is a
/// [`Config`](ErrorKind::Config) error. A write or a move is the same error if one of them is a `Migrating` itself:
/// complete one migration before the next.
///
/// Put a cache such as `cloakroom-cache` around the handle, and not around one of its stores: one that remembers that the
/// new store has no session would not show a session that another process has moved in the meantime, and the old store
/// does not have it any more.
///
/// Both stores must offer [`Atomic`], or no conditional writes are offered and a change made at the same time as a move
/// can be lost. For a moment, a session that moves has the additional member `cloakroomMove`, in the old store and in
/// the new one.
///
/// ```
/// use cloakroom_compat::{ExpressSession, Migrating};
/// use cloakroom_core::{MemoryStore, SessionData};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let (old, new) = (ExpressSession::new(MemoryStore::new()), ExpressSession::new(MemoryStore::new()));
/// old.set("an id", &SessionData::new()).await?;
///
/// let sessions = ExpressSession::new(Migrating::new(old.clone(), new.clone()));
/// sessions.modify("an id", |session| session.insert("views", 1)).await?;
/// assert_eq!(old.get("an id").await?, None);
/// assert_eq!(new.get("an id").await?.unwrap().get::<u32>("views")?, Some(1));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
pub struct Migrating {
    old: Box<dyn Store>,
    new: Box<dyn Store>,
    writes: Writes,
    clock: Clock,
    /// Set once both stores were seen to be two.
    is_distinct: OnceLock<()>,
}

impl Migrating {
    /// Returns both stores as one that moves a session to the new store when it is written or visited.
    pub fn new(old: impl Store + 'static, new: impl Store + 'static) -> Self {
        let (old, new) = (Box::new(old), Box::new(new));
        Self {
            old,
            new,
            writes: Writes::ToNew,
            clock: Clock::system(),
            is_distinct: OnceLock::new(),
        }
    }

    /// Returns both stores as one that writes a session where it is, and a new session to the old store.
    pub fn before(old: impl Store + 'static, new: impl Store + 'static) -> Self {
        Self { writes: Writes::InPlace, ..Self::new(old, new) }
    }

    /// Sets the source of the current time.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Returns the conditional writes of a store.
    fn atomic_of(store: &dyn Store) -> Result<&dyn Atomic, Error> {
        store.atomic().ok_or_else(|| {
            let message = "the store does not support conditional writes, which a move needs";
            Error::new(ErrorKind::Unsupported, store.name().to_owned(), "move", message)
        })
    }

    /// Returns the store in which sessions are created.
    fn of_new_sessions(&self) -> &dyn Store {
        match self.writes {
            Writes::InPlace => &*self.old,
            Writes::ToNew => &*self.new,
        }
    }

    fn is_atomic(&self) -> bool {
        self.old.atomic().is_some() && self.new.atomic().is_some()
    }

    /// Destroys a record if it is still the one that was read.
    async fn discard(store: &dyn Store, sid: &str, read: &SessionData) -> Result<(), Error> {
        // The contract: an update with an expiry that has passed destroys, under the same condition.
        let past = read.clone().with_store_expiry_ms(0);
        Self::atomic_of(store)?.update(sid, &past).await.map(drop)
    }
}

impl fmt::Debug for Migrating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrating")
            .field("old", &self.old.name())
            .field("new", &self.new.name())
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}
