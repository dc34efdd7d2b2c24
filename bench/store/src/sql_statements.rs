//! The statements that our store sends, for sqlx alone.

use cloakroom::sql::sqlx::{Arguments, Database, Encode, Type};

/// A value that a statement is sent with.
#[derive(Clone, Copy)]
enum Slot {
    Id,
    Text,
    /// The text that an update compares.
    Old,
    /// When the session ends.
    End,
    Now,
}

/// The slots in the text of a statement.
const SLOTS: [(&str, Slot); 5] = [
    ("$id", Slot::Id),
    ("$text", Slot::Text),
    ("$old", Slot::Old),
    ("$end", Slot::End),
    ("$now", Slot::Now),
];

pub(crate) struct Statement {
    pub(crate) sql: String,
    slots: Vec<Slot>,
}

impl Statement {
    /// Puts what `placeholder` makes of the number of a value in place of its slot.
    fn new(template: &str, placeholder: fn(usize) -> String) -> Self {
        let (mut sql, mut slots) = (String::new(), Vec::new());
        let mut rest = template;
        while let Some(at) = rest.find('$') {
            let found = SLOTS.iter().find(|(name, _)| rest[at..].starts_with(name));
            let (name, slot) = found.expect("each `$` begins the name of a slot");
            slots.push(*slot);
            sql += &rest[..at];
            sql += &placeholder(slots.len());
            rest = &rest[at + name.len()..];
        }
        Self { sql: sql + rest, slots }
    }

    pub(crate) fn arguments<'q, D: Database>(
        &self,
        values: &Values<'q, impl Copy + Encode<'q, D> + Type<D> + 'q>,
    ) -> D::Arguments<'q>
    where
        &'q str: Encode<'q, D> + Type<D>,
    {
        let mut arguments = D::Arguments::default();
        for slot in &self.slots {
            let added = match slot {
                Slot::Id => arguments.add(values.id),
                Slot::Text | Slot::Old => arguments.add(values.text),
                Slot::End => arguments.add(values.end),
                Slot::Now => arguments.add(values.now),
            };
            added.expect("a text and a number can be sent");
        }
        arguments
    }
}

/// An update compares the text that it writes: it stays the same.
pub(crate) struct Values<'v, T> {
    pub(crate) id: &'v str,
    pub(crate) text: &'v str,
    pub(crate) end: T,
    pub(crate) now: T,
}

/// The statements that our store sends.
pub(crate) struct Statements {
    pub(crate) get: Statement,
    pub(crate) set: Statement,
    pub(crate) touch: Statement,
    /// Without it, a touch and a read.
    pub(crate) get_and_touch: Option<Statement>,
    pub(crate) update: Statement,
}

/// What differs between the databases.
pub(crate) struct Dialect {
    pub(crate) placeholder: fn(usize) -> String,
    /// The names of the columns.
    pub(crate) id: &'static str,
    pub(crate) data: &'static str,
    pub(crate) expiry: &'static str,
    /// The stored text as it is read, and the text as it is stored.
    pub(crate) read: &'static str,
    pub(crate) written: &'static str,
    /// The times as they are stored and compared.
    pub(crate) end: &'static str,
    pub(crate) now: &'static str,
    /// The condition that a row has this id, and that its text is still the old one.
    pub(crate) same_id: &'static str,
    pub(crate) same_text: &'static str,
    /// How an insert continues that replaces the row of the same id.
    pub(crate) replace: &'static str,
    pub(crate) has_returning: bool,
}

impl Dialect {
    pub(crate) fn statements(&self) -> Statements {
        let Self { id, data, expiry, read, written, end, now, same_id, same_text, replace, .. } =
            self;
        let make = |template: &str| Statement::new(template, self.placeholder);
        let live = format!("{expiry} >= {now}");
        let touch = format!("UPDATE bare SET {expiry} = {end} WHERE {same_id} AND {live}");
        Statements {
            get: make(&format!("SELECT {read} FROM bare WHERE {same_id} AND {live}")),
            set: make(&format!(
                "INSERT INTO bare ({id}, {data}, {expiry}) VALUES ($id, {written}, {end}) {replace}"
            )),
            get_and_touch: self.has_returning.then(|| make(&format!("{touch} RETURNING {read}"))),
            touch: make(&touch),
            update: make(&format!(
                "UPDATE bare SET {data} = {written}, {expiry} = {end} \
                WHERE {same_id} AND {same_text} AND {live}"
            )),
        }
    }
}
