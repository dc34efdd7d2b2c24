//! MySQL's insert that replaces: `INSERT … ON DUPLICATE KEY UPDATE`, which has no condition of its own.

use crate::dialect::Dialect;

/// What an upsert of MySQL is put together from. All names are quoted.
pub(crate) struct Upsert<'p> {
    /// `INSERT INTO … VALUES (…)`.
    pub(crate) insert: String,
    pub(crate) id: &'p str,
    /// The columns that a row that is replaced gets anew, but for the expiry.
    pub(crate) renewed: Vec<String>,
    pub(crate) expiry: &'p str,
    /// The column that marks a destroyed row.
    pub(crate) destroyed: Option<String>,
    /// A row that meets this condition stays.
    pub(crate) unless: Option<&'p str>,
}

/// What the server answers as the last inserted id if it left a row as it was. No counter of a table gets this far.
///
/// The number of affected rows does not tell: with `CLIENT_FOUND_ROWS`, which sqlx sets, it is 1 for a row that was
/// inserted and for one that has its values already.
pub(crate) const LEFT_ALONE: u64 = 9_223_372_036_854_775_783;

impl Upsert<'_> {
    pub(crate) fn sql(&self) -> String {
        // The column may have a collation that takes another id for this one.
        let [held, new] =
            [self.id, &format!("VALUES({})", self.id)].map(|id| Dialect::MySql.as_bytes(id));
        let mut replaces = format!("{held} = {new}");
        if let Some(live) = self.unless {
            replaces += &format!(" AND ({live}) IS NOT TRUE");
        }
        let replaced =
            |column: &String| format!("{column} = IF({replaces}, VALUES({column}), {column})");
        let others = self.renewed.iter().filter(|column| Some(*column) != self.destroyed.as_ref());
        let mut assigned: Vec<_> = others.map(replaced).collect();
        // An assignment sees the values of those before it, and the condition looks at these two columns. A row that was
        // marked as destroyed is not live whatever its expiry, so the mark comes last.
        let expiry = self.expiry;
        assigned.push(format!(
            "{expiry} = IF({replaces}, VALUES({expiry}), IF(LAST_INSERT_ID({LEFT_ALONE}), {expiry}, {expiry}))"
        ));
        assigned.extend(self.destroyed.iter().map(replaced));
        format!("{} ON DUPLICATE KEY UPDATE {}", self.insert, assigned.join(", "))
    }
}
