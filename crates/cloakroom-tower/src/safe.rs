//! The safe preset: the same cookie and the same records as Express, without the known harm.
//!
//! - A request that only reads costs one round trip, which also extends the session.
//! - Concurrent writers keep each other's members, and a session that was destroyed does not come back. Express writes
//!   the whole record, so the last writer undoes what others changed and revives what they destroyed.
//! - A new id is stored before the old one is destroyed. A failure in between leaves two sessions for a while; the
//!   other order, which is Express's, would leave none.
//! - `Set-Cookie` is decided when the store has answered, just before the response begins: only then is it known
//!   whether another request has given the browser a newer cookie.
//! - A change that cannot be written is an error. Express answers 200.
//!
//! Every verb that asks the store takes the session's turn first, so that the handles of one request ask one after the
//! other, and the end of the request sees what they did.

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
mod unfinished;
mod write;

pub(crate) use load::{Asked, NewSession};
pub(crate) use preset::Safe;
pub(crate) use session::SafeSession;
