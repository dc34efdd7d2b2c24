//! What is sent in one call: a statement with its values.

use crate::statement::{Statement, Values};

/// A statement with what it is sent with, and what its caller wants of it.
#[derive(Debug)]
pub(crate) struct Call<'v> {
    pub(crate) statement: &'v Statement,
    pub(crate) values: Values<'v>,
    pub(crate) want: Want,
}

impl<'v> Call<'v> {
    /// A statement that writes.
    pub(crate) const fn write(statement: &'v Statement, values: Values<'v>) -> Self {
        Self { statement, values, want: Want::Affected }
    }

    /// A statement that returns rows.
    pub(crate) const fn rows(statement: &'v Statement, values: Values<'v>) -> Self {
        Self { statement, values, want: Want::Rows(usize::MAX) }
    }
}

/// What a caller wants of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// The number of rows that were written.
    Affected,
    /// Rows, until they have this many bytes together.
    Rows(usize),
}
