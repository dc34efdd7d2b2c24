//! The lists of users' sessions, which this store keeps if it has the option `user_path`.
//!
//! Redis has no index of what is in a value. So each write that knows a session's user notes the id in a sorted set of
//! that user. A list can contain too much: sessions that have ended, and those that belong to somebody else by now, so
//! whoever reads it looks at each session. It lacks what Node.js alone wrote.
//!
//! - The note and the write leave together, in no order. If one of them fails, the operation fails.
//! - A list is under a key of its own, and on a node of its own in a cluster, so each script has one key.
//! - A list lives for an hour longer than the longest session in it, and a note removes ids that were last noted before
//!   that time. The hour is for a command that writes its session later than the note.

use cloakroom_backend::{IndexValue, Operation};
use cloakroom_core::{Error, SessionData};
use futures::future::join;
use sha1::{Digest, Sha1};

use crate::{RedisStore, options::LISTS, reply, script::NOTE, ttl::Expiry};

impl RedisStore {
    /// Returns the key of the list of the sessions with a value. `None` if the store keeps no such list.
    pub(crate) fn list_of(&self, path: &str, value: &str) -> Option<String> {
        if self.options().user_path.as_deref() != Some(path) {
            return None;
        }
        let value = match IndexValue::parse(value)? {
            IndexValue::Text(text) => format!("text {text}"),
            // Zero has a sign, which JavaScript does not show.
            IndexValue::Number(number) => format!("number {}", number + 0.0),
            IndexValue::Boolean(boolean) => format!("boolean {boolean}"),
            _ => return None,
        };
        // A user's name can have any length, and not everybody who sees keys has to know it.
        let digest = Sha1::digest(format!("{path} {value}"));
        let start = [LISTS, &self.options().prefix].concat();
        Some(digest.iter().fold(start, |key, byte| key + &format!("{byte:02x}")))
    }

    /// Does `write`, and notes the session in the list of its user at the same time.
    pub(crate) async fn noting<T>(
        &self,
        operation: &Operation,
        sid: &str,
        session: &SessionData,
        expiry: Expiry,
        write: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let list = self.options().user_path.as_deref().and_then(|path| {
            let user = session.get_nested_json(path)?;
            self.list_of(path, &user)
        });
        let (Some(list), Some(lives_ms)) = (list, milliseconds(expiry)) else {
            return write.await;
        };
        // Boxed, because most stores keep no lists, and each call would reserve room for it.
        let note = Box::pin(self.note(operation, &list, sid, lives_ms));
        let (written, noted) = join(write, note).await;
        let written = written?;
        noted.map_err(Error::with_outcome_unknown)?;
        Ok(written)
    }

    /// Notes a session that lives for so long, or without an end if it is 0.
    pub(crate) async fn note(
        &self,
        operation: &Operation,
        list: &str,
        sid: &str,
        lives_ms: u64,
    ) -> Result<(), Error> {
        let operation = operation.repeatable();
        let lives_ms = lives_ms.to_string();
        let arguments = [sid.as_bytes(), lives_ms.as_bytes()];
        let answer = NOTE.run(self.connection(), &operation, list, &arguments).await?;
        reply::number(&operation, answer).map(drop)
    }
}

/// Returns how long a written session lives, 0 for one without an end, or `None` for one that is not stored.
fn milliseconds(expiry: Expiry) -> Option<u64> {
    match expiry {
        Expiry::Seconds(seconds) => Some(seconds.saturating_mul(1_000)),
        Expiry::Never => Some(0),
        Expiry::Passed => None,
    }
}
