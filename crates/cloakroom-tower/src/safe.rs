//! The safe preset: the same cookie and the same records as Express, without the known harm.
//!
//! - A request that only reads costs one round trip, which extends the session too.
//! - Writers that meet keep each other's members, and a session that was destroyed does not come back.
//! - A new id is stored before the old one is destroyed.
//! - `Set-Cookie` is sent when the browser's copy needs it, and a change that cannot be written is an error.
//!
//! What asks the store takes the turn first, so that handles on one session do so one after the other.

mod changes;
mod commit;
mod expiry;
mod left_over;
mod load;
mod logout;
mod marker;
mod memory;
mod moves;
mod preset;
mod regenerate;
mod rollback;
mod save;
mod session;
mod write;

pub(crate) use load::Asked;
pub(crate) use preset::Safe;
pub(crate) use session::SafeSession;
