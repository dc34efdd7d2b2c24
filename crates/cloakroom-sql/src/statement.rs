//! The statements of a store: made once for a table, then only sent with other values.

mod many;

use cloakroom_core::MARKER_PREFIX;

use crate::{
    dialect::{DataType, Dialect},
    expiry::Time,
    mysql_upsert::Upsert,
    table::{Further, Table},
};

/// A value that a statement is sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Sid,
    Data,
    /// What an update compares with the stored text.
    Old,
    Expiry,
    Now,
    /// The time of writing, for further columns.
    Stamp,
    /// The random name of a new row.
    Row,
    /// The last id of a page.
    Last,
    Limit,
}

/// The slots in the text of a statement: a control character, which no name contains, and a letter.
const SLOTS: [(&str, Slot); 9] = [
    (SID, Slot::Sid),
    (DATA, Slot::Data),
    (OLD, Slot::Old),
    (EXPIRY, Slot::Expiry),
    (NOW, Slot::Now),
    (STAMP, Slot::Stamp),
    (ROW, Slot::Row),
    (LAST, Slot::Last),
    (LIMIT, Slot::Limit),
];
const SID: &str = "\u{1}s";
pub(crate) const DATA: &str = "\u{1}d";
const OLD: &str = "\u{1}o";
const EXPIRY: &str = "\u{1}e";
const NOW: &str = "\u{1}n";
const STAMP: &str = "\u{1}t";
const ROW: &str = "\u{1}r";
pub(crate) const LAST: &str = "\u{1}l";
const LIMIT: &str = "\u{1}m";

/// The text of a statement, and its values in order.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) slots: Vec<Slot>,
}

/// The values of a call. Each statement takes those that it needs.
#[derive(Debug, Default)]
pub(crate) struct Values<'v> {
    pub(crate) sid: &'v str,
    pub(crate) data: &'v str,
    pub(crate) old: &'v str,
    pub(crate) expiry: Option<Time>,
    pub(crate) now: Option<Time>,
    pub(crate) stamp: Option<Time>,
    pub(crate) row: &'v str,
    pub(crate) last: &'v str,
    pub(crate) limit: i64,
}

/// A value as a client binds it.
pub(crate) enum Argument<'v> {
    Text(&'v str),
    Number(i64),
    Real(f64),
}

impl<'v> Argument<'v> {
    fn time(time: &'v Option<Time>) -> Self {
        match time {
            Some(Time::Number(number)) => Self::Number(*number),
            Some(Time::Real(real)) => Self::Real(*real),
            Some(Time::Text(text)) => Self::Text(text),
            None => Self::Number(0),
        }
    }
}

impl Values<'_> {
    pub(crate) fn argument(&self, slot: Slot) -> Argument<'_> {
        match slot {
            Slot::Sid => Argument::Text(self.sid),
            Slot::Data => Argument::Text(self.data),
            Slot::Old => Argument::Text(self.old),
            Slot::Expiry => Argument::time(&self.expiry),
            Slot::Now => Argument::time(&self.now),
            Slot::Stamp => Argument::time(&self.stamp),
            Slot::Row => Argument::Text(self.row),
            Slot::Last => Argument::Text(self.last),
            Slot::Limit => Argument::Number(self.limit),
        }
    }
}

impl Statement {
    /// Puts the placeholders of the database where the slots are.
    pub(crate) fn new(dialect: Dialect, template: &str) -> Self {
        let (mut sql, mut slots) = (String::with_capacity(template.len()), Vec::new());
        let mut rest = template;
        while let Some(at) = rest.find('\u{1}') {
            sql.push_str(&rest[..at]);
            let found = SLOTS.iter().find(|(mark, _)| rest[at..].starts_with(mark));
            let Some((mark, slot)) = found else { break };
            let known = slots.iter().position(|known| known == slot);
            let number = known.map_or(slots.len(), |place| place) + 1;
            // The placeholders of MySQL have no numbers.
            if known.is_none() || dialect == Dialect::MySql {
                slots.push(*slot);
            }
            match dialect {
                Dialect::Postgres => sql.push_str(&format!("${number}")),
                Dialect::MySql => sql.push('?'),
                Dialect::Sqlite => sql.push_str(&format!("?{number}")),
            }
            rest = &rest[at + mark.len()..];
        }
        sql.push_str(rest);
        Self { sql, slots }
    }
}

#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) get: Statement,
    pub(crate) set: Statement,
    pub(crate) destroy: Statement,
    pub(crate) touch: Statement,
    pub(crate) create: Statement,
    pub(crate) update: Statement,
    /// An update of a session that has ended.
    pub(crate) destroy_same: Statement,
    /// Touches, and returns the session where the database can.
    pub(crate) get_and_touch: Statement,
    pub(crate) first_ids: Statement,
    pub(crate) next_ids: Statement,
    pub(crate) first_sessions: Statement,
    pub(crate) next_sessions: Statement,
    pub(crate) length: Statement,
    pub(crate) clear: Statement,
    pub(crate) prune: Statement,
    pub(crate) ping: Statement,
    /// The beginning of a listing of sessions, up to a condition.
    listing: String,
}

impl Statements {
    /// Returns the listing of the sessions that meet a condition, in pages of an order.
    pub(crate) fn listing(&self, dialect: Dialect, condition: &str, order: &str) -> Statement {
        let listing = &self.listing;
        let template = format!("{listing} AND {condition} ORDER BY {order} LIMIT {LIMIT}");
        Statement::new(dialect, &template)
    }

    /// Makes the statements of a table. `zone` is the name of a time zone.
    pub(crate) fn new(table: &Table, data_type: DataType, zone: &str) -> Self {
        let of = Parts::new(table, data_type, zone);
        let Parts { dialect, name, id, text, same_id, live, .. } = &of;
        let listed = of.listed();
        let list = |what: &str, after: &str| {
            of.make(&format!(
                "SELECT {what} FROM {name} WHERE {listed}{after} ORDER BY {id} LIMIT {LIMIT}"
            ))
        };
        let after = format!(" AND {id} > {LAST}");
        let (id_text, expiry) = (dialect.as_text(id), &of.selected_expiry);
        let session = format!("{id_text}, {text}, {expiry}");
        let touch = format!("UPDATE {name} SET {} WHERE {same_id} AND {live}", of.touched());
        let compared = of.compared();
        Self {
            get: of.make(&format!("SELECT {text} FROM {name} WHERE {same_id} AND {live}")),
            set: of.make(&of.insert(None)),
            create: of.make(&of.insert(Some(live))),
            destroy: of.make(&of.removal(same_id)),
            update: of.make(&format!(
                "UPDATE {name} SET {} = {}, {} WHERE {same_id} AND {compared} AND {live}",
                of.data,
                of.sent_data,
                of.touched(),
            )),
            destroy_same: of.make(&of.removal(&format!("{same_id} AND {compared} AND {live}"))),
            get_and_touch: of.make(&match dialect {
                Dialect::MySql => touch.clone(),
                Dialect::Postgres | Dialect::Sqlite => format!("{touch} RETURNING {text}"),
            }),
            touch: of.make(&touch),
            first_ids: list(&id_text, ""),
            next_ids: list(&id_text, &after),
            first_sessions: list(&session, ""),
            next_sessions: list(&session, &after),
            length: of.make(&format!(
                "SELECT {} FROM {name} WHERE {listed} AND {} <> '{MARKER_PREFIX}'",
                dialect.as_text("count(*)"),
                dialect.as_bytes(&format!("substr({id_text}, 1, {})", MARKER_PREFIX.len())),
            )),
            clear: of.make(&of.clear()),
            prune: of.make(&of.prune()),
            ping: of.make(&format!("SELECT {id_text} FROM {name} WHERE {same_id}")),
            listing: format!("SELECT {session} FROM {name} WHERE {listed}"),
        }
    }
}

/// The parts that statements are put together from.
struct Parts<'t> {
    table: &'t Table,
    dialect: Dialect,
    name: String,
    id: String,
    data: String,
    expiry: String,
    /// The stored text, and what is sent as it.
    text: String,
    sent_data: String,
    sent_expiry: String,
    sent_stamp: String,
    data_type: DataType,
    selected_expiry: String,
    same_id: String,
    live: String,
    expired: String,
}

impl<'t> Parts<'t> {
    fn new(table: &'t Table, data_type: DataType, zone: &str) -> Self {
        let (dialect, form) = (table.dialect, table.expiry_form);
        let [id, data, expiry] =
            [&table.id, &table.data, &table.expiry].map(|column| dialect.quote(&column.name));
        let zone = format!("'{zone}'");
        let (now, ends) = (form.now(NOW, &zone), form.ends(&expiry, &zone));
        let may_have_ended = form.may_have_ended(&expiry, NOW, &zone);
        let early =
            may_have_ended.map_or_else(String::new, |condition| format!("{condition} AND "));
        let (lives, expired) = if table.live_at_expiry { (">=", "<") } else { (">", "<=") };
        // SQLite orders any text after any number, so a row in another form would be live for ever, or over at once.
        let kind = match dialect {
            Dialect::Sqlite => format!("typeof({expiry}) IN ({}) AND ", form.kinds()),
            Dialect::MySql | Dialect::Postgres => String::new(),
        };
        let mut live = format!("{kind}{ends} {lives} {now}");
        if let Some(destroyed) = table.further_column(Further::DestroyedAt) {
            live = format!("{live} AND {} IS NULL", dialect.quote(destroyed));
        }
        let same_id = match dialect {
            Dialect::Postgres => format!("{id} = {SID}"),
            // The first comparison finds the row by the index, and the second one is not up to a collation.
            Dialect::MySql | Dialect::Sqlite => {
                format!("{id} = {SID} AND {} = {}", dialect.as_bytes(&id), dialect.as_bytes(SID))
            }
        };
        let sent_data = match data_type {
            DataType::Text => DATA.to_owned(),
            DataType::Json => format!("{DATA}::json"),
            DataType::Jsonb if dialect == Dialect::MySql => format!("CAST({DATA} AS JSON)"),
            DataType::Jsonb => format!("{DATA}::jsonb"),
        };
        Self {
            table,
            dialect,
            name: table.quoted(),
            text: match (dialect, data_type) {
                // As it is, since MySQL answers NULL for a cast that is longer than `max_allowed_packet`.
                (Dialect::MySql, DataType::Text) => data.clone(),
                _ => dialect.as_text(&data),
            },
            sent_data,
            sent_expiry: form.sent(EXPIRY, &zone),
            sent_stamp: form.sent(STAMP, &zone),
            data_type,
            selected_expiry: form.selected(dialect, &expiry, &zone),
            same_id,
            live,
            expired: format!("{early}{kind}{ends} {expired} {now}"),
            id,
            data,
            expiry,
        }
    }

    fn make(&self, template: &str) -> Statement {
        Statement::new(self.dialect, template)
    }

    /// What a touch assigns.
    fn touched(&self) -> String {
        let mut touched = format!("{} = {}", self.expiry, self.sent_expiry);
        if let Some(updated) = self.table.further_column(Further::UpdatedAt) {
            touched += &format!(", {} = {}", self.dialect.quote(updated), self.sent_stamp);
        }
        touched
    }

    /// The condition of an update: the stored text is still that one.
    fn compared(&self) -> String {
        match (self.dialect, self.data_type) {
            (Dialect::MySql, DataType::Jsonb) => format!("{} = CAST({OLD} AS JSON)", self.data),
            // It has another text than it was written with.
            (_, DataType::Jsonb) => format!("{} = {OLD}::jsonb", self.data),
            (Dialect::Postgres, _) => format!("{} = {OLD}", self.text),
            // Two texts together can be longer than a packet, so what is sent is a digest.
            (Dialect::MySql, _) => {
                format!("SHA2(CONVERT({} USING utf8mb4), 256) = {OLD}", self.data)
            }
            (Dialect::Sqlite, _) => {
                format!("{} = {}", self.dialect.as_bytes(&self.data), self.dialect.as_bytes(OLD))
            }
        }
    }

    /// The removal of the rows that meet a condition.
    fn removal(&self, condition: &str) -> String {
        match self.table.further_column(Further::DestroyedAt) {
            None => format!("DELETE FROM {} WHERE {condition}", self.name),
            Some(destroyed) => {
                let destroyed = self.dialect.quote(destroyed);
                format!(
                    "UPDATE {} SET {destroyed} = CURRENT_TIMESTAMP WHERE {condition} AND {destroyed} IS NULL",
                    self.name
                )
            }
        }
    }

    /// An insert that replaces the row of the same id, unless that is `live`.
    fn insert(&self, unless: Option<&str>) -> String {
        let quote = |name: &str| self.dialect.quote(name);
        let mut columns = vec![self.id.clone(), self.data.clone(), self.expiry.clone()];
        let mut values = vec![SID.to_owned(), self.sent_data.clone(), self.sent_expiry.clone()];
        // The columns that a row that is replaced gets anew.
        let mut renewed = vec![self.data.clone()];
        for (column, holds) in &self.table.further {
            columns.push(quote(&column.name));
            values.push(match holds {
                Further::CreatedAt | Further::UpdatedAt => self.sent_stamp.clone(),
                Further::RowId => ROW.to_owned(),
                Further::DestroyedAt => "NULL".to_owned(),
            });
            if *holds != Further::RowId && (*holds != Further::CreatedAt || unless.is_some()) {
                renewed.push(quote(&column.name));
            }
        }
        let insert = format!(
            "INSERT INTO {}{} ({}) VALUES ({})",
            self.name,
            if self.dialect == Dialect::MySql { "" } else { " AS held" },
            columns.join(", "),
            values.join(", ")
        );
        if self.dialect == Dialect::MySql {
            let destroyed = self.table.further_column(Further::DestroyedAt).map(quote);
            let (id, expiry) = (&self.id, &self.expiry);
            return Upsert { insert, id, renewed, expiry, destroyed, unless }.sql();
        }
        renewed.push(self.expiry.clone());
        let renewed: Vec<_> =
            renewed.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let mut conditions = Vec::new();
        if self.dialect == Dialect::Sqlite {
            // The column may have a collation that takes another id for this one.
            let [held, new] = ["held", "excluded"]
                .map(|row| self.dialect.as_bytes(&format!("{row}.{}", self.id)));
            conditions.push(format!("{held} = {new}"));
        }
        if let Some(live) = unless {
            conditions.push(format!("({}) IS NOT TRUE", self.of_row("held", live)));
        }
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        format!(
            "{insert} ON CONFLICT ({}) DO UPDATE SET {}{condition}",
            self.id,
            renewed.join(", ")
        )
    }

    /// The same condition with the name of a row before each column.
    fn of_row(&self, row: &str, condition: &str) -> String {
        let mut condition = condition.replace(&*self.expiry, &format!("{row}.{}", self.expiry));
        if let Some(destroyed) = self.table.further_column(Further::DestroyedAt) {
            let destroyed = self.dialect.quote(destroyed);
            condition = condition.replace(&destroyed, &format!("{row}.{destroyed}"));
        }
        condition
    }
}
