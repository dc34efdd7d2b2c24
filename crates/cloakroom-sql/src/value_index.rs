//! The index by a value in a session: an expression that each database computes for a row, and the statements with it.
//!
//! The expression must not fail for any row, since Node.js could then not write it. And it need not be exact: what is
//! found is read and compared once more. So a row whose value the database may read in another way than JavaScript, or
//! not at all, gets the key [`ODD`], and each search looks through the rows with that key, too.

use cloakroom_backend::IndexValue;

use crate::{
    dialect::{DataType, Dialect},
    table::Table,
};

/// The key of a row that each search reads. No other key is this text: that of a text begins with a quote.
pub(crate) const ODD: &str = "?";

/// How many characters a key has at most, so that no value is too long for an index.
const LONGEST: usize = 190;

/// How much of an id PostgreSQL's index has, whose entries are at most 2,704 bytes long.
const ID_PART: usize = 64;

/// The index of a table by the value at a path.
#[derive(Debug)]
pub(crate) struct ValueIndex<'t> {
    table: &'t Table,
    data_type: DataType,
    names: Vec<&'t str>,
}

impl<'t> ValueIndex<'t> {
    /// Returns `None` if the database has no such index for this column. `path` is one that an index can have.
    pub(crate) fn new(table: &'t Table, data_type: DataType, path: &'t str) -> Option<Self> {
        let can_look = match (table.dialect, data_type) {
            // A text need not be JSON, and PostgreSQL before 16 cannot tell without an error.
            (Dialect::Postgres, DataType::Text) => false,
            // Its text is made of the value, and not observed.
            (Dialect::MySql, DataType::Json | DataType::Jsonb) => false,
            _ => true,
        };
        can_look.then(|| Self { table, data_type, names: path.split('.').collect() })
    }

    /// Returns the name, which is another one if the expression is. PostgreSQL cuts a longer one.
    pub(crate) fn name(&self) -> String {
        let path: String = self.names.join("_").chars().take(30).collect();
        let what = format!("{}\0{}", self.table.quoted(), self.key());
        // FNV-1a of 64 bits, which is the same in every version of Rust.
        let hash = what.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("cloakroom_{path}_{hash:016x}")
    }

    /// Returns the statement that creates the index.
    pub(crate) fn create(&self) -> String {
        let (name, table) = (self.table.dialect.quote(&self.name()), self.table.quoted());
        let (key, order) = (self.key(), self.order());
        match self.table.dialect {
            Dialect::Postgres | Dialect::Sqlite => {
                format!("CREATE INDEX IF NOT EXISTS {name} ON {table} (({key}), {order})")
            }
            // MariaDB has no index on an expression.
            Dialect::MySql => format!(
                "ALTER TABLE {table} ADD COLUMN {name} varchar({LONGEST}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin \
                 GENERATED ALWAYS AS ({key}) VIRTUAL INVISIBLE, ADD INDEX {name} ({name}, {order})"
            ),
        }
    }

    /// Returns the statement that tells whether the index can be used, with the name of the table and of the index.
    pub(crate) const fn look(dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Postgres => {
                "SELECT 'yes' FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
                 WHERE i.indrelid = to_regclass(\u{1}s) AND c.relname = \u{1}d::text AND i.indisvalid"
            }
            Dialect::MySql => {
                "SELECT 'yes' FROM information_schema.statistics WHERE table_schema = DATABASE() \
                 AND table_name = \u{1}s AND index_name = \u{1}d LIMIT 1"
            }
            Dialect::Sqlite => {
                "SELECT 'yes' FROM sqlite_master WHERE type = 'index' AND tbl_name = \u{1}s AND name = \u{1}d"
            }
        }
    }

    /// Returns the condition for the rows with a key, which come after the last one in [`order`](Self::order).
    pub(crate) fn condition(&self, key: &str, last: &str) -> String {
        let id = self.id();
        let after = match self.table.dialect {
            Dialect::Postgres => {
                let (part, last_part) = (self.order(), format!("left({last}::text, {ID_PART})"));
                format!("{part} >= {last_part} AND ({part} > {last_part} OR {id} > {last}::text)")
            }
            Dialect::MySql | Dialect::Sqlite => format!("{id} > {last}"),
        };
        let found_by = match self.table.dialect {
            Dialect::MySql => self.table.dialect.quote(&self.name()),
            Dialect::Postgres | Dialect::Sqlite => self.key(),
        };
        format!("{found_by} = {key} AND {after}")
    }

    /// Returns what the index has beside the key, and what the rows with one key are read in the order of.
    pub(crate) fn order(&self) -> String {
        match self.table.dialect {
            Dialect::Postgres => format!("left({}, {ID_PART})", self.id()),
            Dialect::MySql | Dialect::Sqlite => self.id(),
        }
    }

    pub(crate) fn id(&self) -> String {
        self.table.dialect.quote(&self.table.id.name)
    }

    /// Returns the expression.
    fn key(&self) -> String {
        let data = self.table.dialect.quote(&self.table.data.name);
        match self.table.dialect {
            Dialect::Postgres => self.key_of_postgres(&data),
            Dialect::MySql => self.key_of_mysql(&data),
            Dialect::Sqlite => self.key_of_sqlite(&data),
        }
    }

    /// PostgreSQL cannot express `\u0000` and half a surrogate pair, so a `json` that has one cannot be looked into; a
    /// `jsonb` has none. Of doubled names, it reads the last.
    fn key_of_postgres(&self, data: &str) -> String {
        let (typeof_, unreadable) = match self.data_type {
            DataType::Jsonb => ("jsonb_typeof", String::new()),
            _ => {
                // By its number, because a backslash can begin an escape in a literal.
                let escape = format!("strpos({data}::text, chr(92) || 'u') > 0");
                ("json_typeof", format!("WHEN {escape} THEN '{ODD}' "))
            }
        };
        let names: Vec<_> = self.names.iter().map(|name| format!("\"{name}\"")).collect();
        let value = format!("({data} #> '{{{}}}')", names.join(","));
        let text = format!("({value} #>> '{{}}')");
        format!(
            "(CASE {unreadable}WHEN {typeof_}({data}) <> 'object' THEN '{ODD}' ELSE CASE {typeof_}({value}) \
             WHEN 'string' THEN left('\"' || {text}, {LONGEST}) WHEN 'boolean' THEN {text} \
             WHEN 'number' THEN CASE WHEN {text} ~ '^(0|-?[1-9][0-9]{{0,14}})$' THEN {text} ELSE '{ODD}' END \
             END END COLLATE \"C\")"
        )
    }

    /// SQLite reads the first of doubled names, where JavaScript reads the last, and fails for what is not JSON.
    fn key_of_sqlite(&self, data: &str) -> String {
        let (path, doubled) = self.of_text(data, "length");
        let value = format!("json_extract({data}, '{path}')");
        format!(
            "(CASE WHEN typeof({data}) <> 'text' THEN '{ODD}' WHEN NOT json_valid({data}) THEN '{ODD}' \
             WHEN json_type({data}) <> 'object' OR instr({data}, '\\u') > 0 OR {doubled} THEN '{ODD}' \
             ELSE CASE json_type({data}, '{path}') WHEN 'text' THEN substr('\"' || {value}, 1, {LONGEST}) \
             WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'real' THEN '{ODD}' \
             WHEN 'integer' THEN CASE WHEN {value} BETWEEN -999999999999999 AND 999999999999999 \
             THEN CAST({value} AS TEXT) ELSE '{ODD}' END END END)"
        )
    }

    /// MariaDB reads the first of doubled names as well, and reads 32 levels: what is deeper is not valid there.
    fn key_of_mysql(&self, data: &str) -> String {
        let (path, doubled) = self.of_text(data, "CHAR_LENGTH");
        let value = format!("JSON_EXTRACT({data}, '{path}')");
        let text = format!("JSON_UNQUOTE({value})");
        format!(
            "(CASE WHEN NOT JSON_VALID({data}) THEN '{ODD}' WHEN JSON_TYPE({data}) <> 'OBJECT' \
             OR INSTR({data}, CONCAT(CHAR(92 USING utf8mb4), 'u')) > 0 OR {doubled} THEN '{ODD}' \
             ELSE CASE JSON_TYPE({value}) WHEN 'STRING' THEN LEFT(CONCAT('\"', {text}), {LONGEST}) \
             WHEN 'BOOLEAN' THEN {text} WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL WHEN 'NULL' THEN NULL \
             WHEN 'INTEGER' THEN CASE WHEN {text} REGEXP '^(0|-?[1-9][0-9]{{0,14}})$' THEN {text} \
             ELSE '{ODD}' END ELSE IF({value} IS NULL, NULL, '{ODD}') END END)"
        )
    }

    /// Returns the path as SQL writes it, and the condition that one of its names stands twice where it leads to.
    fn of_text(&self, data: &str, length: &str) -> (String, String) {
        let (mut path, mut doubled) = ("$".to_owned(), Vec::new());
        for name in &self.names {
            let object = match &*path {
                "$" => data.to_owned(),
                path => format!("json_extract({data}, '{path}')"),
            };
            let quoted = format!("\"{name}\"");
            let without = format!("{length}(replace({object}, '{quoted}', ''))");
            doubled.push(format!("{length}({object}) - {without} > {}", quoted.len()));
            path.push_str(&format!(".{quoted}"));
        }
        (path, doubled.join(" OR "))
    }
}

/// Returns the key of the rows that have this value, beside [`ODD`]. `None` if they all have that key.
pub(crate) fn key(value: &IndexValue) -> Option<String> {
    match value {
        IndexValue::Text(text) if text.contains('\0') => None,
        IndexValue::Text(text) => {
            Some(std::iter::once('"').chain(text.chars()).take(LONGEST).collect())
        }
        IndexValue::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Some(format!("{}", *number as i64))
        }
        IndexValue::Boolean(boolean) => Some(boolean.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_that_of_the_value_however_it_is_written() {
        for (value, wanted) in [
            ("7.0", Some("7".to_owned())),
            ("-0", Some("0".to_owned())),
            ("7.5", None),
            ("1e15", None),
            ("\"7\"", Some("\"7".to_owned())),
            ("\"?\"", Some("\"?".to_owned())),
            ("\"a\\u0000b\"", None),
            ("true", Some("true".to_owned())),
        ] {
            assert_eq!(key(&IndexValue::parse(value).unwrap()), wanted, "{value}");
        }
        let long = IndexValue::Text("é".repeat(2_000));
        assert_eq!(key(&long).unwrap().chars().count(), LONGEST);
    }

    #[test]
    fn a_name_fits_in_every_database() {
        let table = crate::Counterpart::ConnectPgSimple.table(Dialect::Postgres).unwrap();
        let path = "n".repeat(100);
        let index = ValueIndex::new(&table, DataType::Json, &path).unwrap();
        assert!(index.name().len() <= 63);
        let other = ValueIndex::new(&table, DataType::Jsonb, &path).unwrap();
        assert_ne!(index.name(), other.name());
    }
}
