//! The parts of statements for many rows: listings, and removals in batches.

use super::{LIMIT, Parts};
use crate::dialect::Dialect;

impl Parts<'_> {
    /// The condition of a row in a listing: it is live, and its id can be asked for.
    pub(super) fn listed(&self) -> String {
        match self.dialect {
            Dialect::MySql | Dialect::Postgres => self.live.clone(),
            // A column without a type can hold numbers and blobs, which no id is equal to.
            Dialect::Sqlite => format!("{} AND typeof({}) = 'text'", self.live, self.id),
        }
    }

    /// Removes a batch of rows. A row that another transaction removes at the same time does not count.
    pub(super) fn clear(&self) -> String {
        let Self { name, id, .. } = self;
        if self.dialect == Dialect::MySql {
            return format!("DELETE FROM {name} LIMIT {LIMIT}");
        }
        let batch = format!("SELECT {id} FROM {name} ORDER BY {id} LIMIT {LIMIT}");
        format!("DELETE FROM {name} WHERE {}", self.batch(&batch, "FOR UPDATE"))
    }

    /// Removes a batch of expired rows, but for those that another transaction is writing. The outer condition sees a
    /// row that was touched in between.
    pub(super) fn prune(&self) -> String {
        let Self { name, id, expired, .. } = self;
        if self.dialect == Dialect::MySql {
            return format!("DELETE FROM {name} WHERE {expired} LIMIT {LIMIT}");
        }
        let batch = format!("SELECT {id} FROM {name} WHERE {expired} LIMIT {LIMIT}");
        let chosen = self.batch(&batch, "FOR UPDATE SKIP LOCKED");
        format!("DELETE FROM {name} WHERE {chosen} AND {expired}")
    }

    /// The condition that a row is in a batch, which PostgreSQL chooses once and locks in its order.
    fn batch(&self, batch: &str, lock: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("{} = ANY(ARRAY({batch} {lock}))", self.id),
            Dialect::MySql | Dialect::Sqlite => format!("{} IN ({batch})", self.id),
        }
    }
}
