//! What MySQL or MariaDB says about the table: the types of its columns, what they can hold, and how the connection is
//! set.

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind, LAST_DATE_MS};

use crate::{
    connection::{Row, text},
    dialect::DataType,
    expiry::{ExpiryForm, Rounding},
    table::Table,
};

/// The columns of a table. A text has its length in characters if it is a `varchar`, and in bytes otherwise.
pub(crate) const COLUMNS: &str = "SELECT column_name, data_type, column_type, character_set_name, \
    CAST(character_maximum_length AS CHAR), CAST(datetime_precision AS CHAR), collation_name \
    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = \u{1}s";

/// The settings of the connection, and how many unique indexes are of the id alone.
pub(crate) const SETTINGS: &str = "SELECT CAST(@@max_allowed_packet AS CHAR), CAST(@@autocommit + 0 AS CHAR), \
    CAST(@@sql_mode AS CHAR), CAST(@@character_set_connection AS CHAR), CAST(@@time_zone AS CHAR), \
    (SELECT CAST(count(*) AS CHAR) FROM (SELECT index_name FROM information_schema.statistics \
    WHERE table_schema = DATABASE() AND table_name = \u{1}s AND non_unique = 0 GROUP BY index_name \
    HAVING count(*) = 1 AND max(column_name) = \u{1}d AND max(sub_part) IS NULL) of_the_id)";

/// What a packet has beside the text of a session: the id, the names, the other values.
const BESIDE_BYTES: usize = 4_096;

/// The characters that a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CharacterSet {
    /// `utf8mb4`: all.
    All,
    /// `utf8mb3`: those of at most three bytes.
    ThreeBytes,
    /// Any other: at least those of ASCII. For the rest, the server decides, which is in strict mode.
    Other,
}

/// What the columns can hold.
#[derive(Debug)]
pub(crate) struct Limits {
    id: CharacterSet,
    /// Whether the collation takes an id with spaces at its end for the same one without them.
    pads_id: bool,
    data: CharacterSet,
    /// The length of a text that is not limited in characters.
    most_bytes: Option<usize>,
    most_packet: usize,
    /// Whether an update sends the stored text as well as the new one. The digest of a `json` is not known here, because
    /// the server writes its text anew.
    sends_both: bool,
}

pub(crate) struct Types {
    pub(crate) data_type: DataType,
    /// In characters.
    pub(crate) most_id: Option<usize>,
    pub(crate) most_data: Option<usize>,
    pub(crate) last_expiry_ms: i64,
    pub(crate) limits: Limits,
}

struct Found<'r> {
    name: &'r str,
    data_type: &'r str,
    column_type: &'r str,
    characters: CharacterSet,
    length: Option<usize>,
    precision: u32,
    /// Whether a comparison leaves out spaces at the end.
    pads: bool,
}

fn wrong(operation: &Operation, table: &Table, column: &str, why: &str) -> Error {
    let message = format!("the column {column:?} of the table {} {why}", table.quoted());
    operation.error(ErrorKind::Config, message)
}

fn find<'r>(
    operation: &Operation,
    table: &Table,
    rows: &'r [Row],
    name: &'r str,
) -> Result<Found<'r>, Error> {
    let text = |row: &'r Row, at| text(row, at).unwrap_or_default();
    // The names of columns have no case.
    let row = rows.iter().find(|row| text(row, 0).eq_ignore_ascii_case(name));
    let row = row.ok_or_else(|| wrong(operation, table, name, "does not exist"))?;
    Ok(Found {
        name,
        data_type: text(row, 1),
        column_type: text(row, 2),
        characters: match text(row, 3) {
            "utf8mb4" => CharacterSet::All,
            "utf8" | "utf8mb3" => CharacterSet::ThreeBytes,
            _ => CharacterSet::Other,
        },
        length: text(row, 4).parse().ok(),
        precision: text(row, 5).parse().unwrap_or(0),
        // Those of MariaDB and of MySQL that do not.
        pads: !["_nopad_", "_0900_"].iter().any(|part| text(row, 6).contains(part)),
    })
}

/// Checks the names and types of the columns, and how the connection is set.
pub(crate) fn types(
    operation: &Operation,
    table: &Table,
    columns: &[Row],
    settings: &[Row],
) -> Result<Types, Error> {
    let find = |name| find(operation, table, columns, name);
    for (column, _) in &table.further {
        find(&column.name)?;
    }
    let (id, data) = (find(&table.id.name)?, find(&table.data.name)?);
    let expiry = find(&table.expiry.name)?;
    let wrong = |column: &Found<'_>, must: &str| {
        let why = format!("has the type {}; it must be {must}", column.column_type);
        wrong(operation, table, column.name, &why)
    };
    if id.data_type != "varchar" {
        return Err(wrong(&id, "varchar"));
    }
    let (data_type, most_data, most_bytes) = match data.data_type {
        // MariaDB has none: it says that it is a longtext.
        "json" => (DataType::Jsonb, None, None),
        "varchar" => (DataType::Text, data.length, None),
        "tinytext" | "text" | "mediumtext" | "longtext" => (DataType::Text, None, data.length),
        _ => return Err(wrong(&data, "json, text, mediumtext, longtext or varchar")),
    };
    let last_expiry_ms =
        last_expiry_ms(table, &expiry).map_err(|accepted| wrong(&expiry, accepted))?;
    let most_packet = most_packet(operation, table, settings)?;
    let (pads_id, data) = (id.pads, data.characters);
    let sends_both = data_type == DataType::Jsonb;
    let limits = Limits { id: id.characters, pads_id, data, most_bytes, most_packet, sends_both };
    Ok(Types { data_type, most_id: id.length, most_data, last_expiry_ms, limits })
}

/// Returns the last time that the column holds, or the types that would be right.
fn last_expiry_ms(table: &Table, column: &Found<'_>) -> Result<i64, &'static str> {
    let seconds = |last: i64| last * 1_000;
    let is_unsigned = column.column_type.contains("unsigned");
    match (table.expiry_form, column.data_type) {
        (ExpiryForm::DateTime, "datetime" | "timestamp")
            if table.rounding == Rounding::Exact && column.precision < 3 =>
        {
            Err("datetime(3), or the table must have a rounding to whole seconds")
        }
        (ExpiryForm::DateTime, "datetime") => Ok(table.expiry_form.last_ms()),
        // It ends in the year 2038.
        (ExpiryForm::DateTime, "timestamp") => Ok(seconds(i32::MAX.into())),
        (ExpiryForm::DateTime, _) => Err("datetime or timestamp"),
        (ExpiryForm::Seconds, "int") if is_unsigned => Ok(seconds(u32::MAX.into())),
        (ExpiryForm::Seconds, "int") => Ok(seconds(i32::MAX.into())),
        (ExpiryForm::Seconds | ExpiryForm::Milliseconds, "bigint")
        | (ExpiryForm::RealMilliseconds, "double") => Ok(LAST_DATE_MS),
        (ExpiryForm::Seconds, _) => Err("int or bigint"),
        (ExpiryForm::Milliseconds, _) => Err("bigint"),
        (ExpiryForm::RealMilliseconds, _) => Err("double"),
        _ => Err("of another database"),
    }
}

/// Rejects a connection that would write something else than it is given. Those of the store are right by themselves.
fn most_packet(operation: &Operation, table: &Table, settings: &[Row]) -> Result<usize, Error> {
    let text = |at| settings.first().and_then(|row| text(row, at)).unwrap_or_default();
    let config = |message: &str| Err(operation.error(ErrorKind::Config, message));
    if text(1) != "1" {
        return config(
            "the application's pool has connections without autocommit, so a write would never be committed",
        );
    }
    if !text(2).contains("STRICT_ALL_TABLES") && !text(2).contains("STRICT_TRANS_TABLES") {
        return config(
            "the application's pool has connections without strict mode, in which the server cuts what is too long: add STRICT_ALL_TABLES to their sql_mode",
        );
    }
    if text(3) != "utf8mb4" {
        return config(
            "the application's pool has connections of another character set than utf8mb4",
        );
    }
    if table.expiry_form == ExpiryForm::DateTime && !["+00:00", "UTC"].contains(&text(4)) {
        return config("the application's pool has connections of another time zone than UTC");
    }
    if text(5) == "0" {
        return config("the column of the id needs a unique index of its own");
    }
    Ok(text(0).parse().unwrap_or(usize::MAX))
}

impl Limits {
    /// Rejects a text that the server would refuse, or cut without its strict mode.
    pub(crate) fn check_text(&self, operation: &Operation, text: &str) -> Result<(), Error> {
        if self.data == CharacterSet::ThreeBytes && has_four_bytes(text) {
            let message = "the session has a character of four bytes, such as an emoji, which a column of the character set utf8mb3 cannot keep: change it to utf8mb4";
            return Err(operation.error(ErrorKind::InvalidData, message));
        }
        if let Some(most) = self.most_bytes.filter(|most| text.len() > *most) {
            let message = format!("the session is longer than its column, which has {most} bytes");
            return Err(operation.error(ErrorKind::TooLarge, message));
        }
        let most = self.most_packet.saturating_sub(BESIDE_BYTES);
        let why = match self.sends_both {
            // Otherwise it could be stored and never updated.
            true if text.len() > most / 2 => {
                "the session is longer than half of max_allowed_packet of the server, and an update of a json column sends the old text and the new one; max_allowed_packet"
            }
            false if text.len() > most => {
                "the session is longer than max_allowed_packet of the server, which"
            }
            _ => return Ok(()),
        };
        let message = format!("{why} is {} bytes", self.most_packet);
        Err(operation.error(ErrorKind::TooLarge, message))
    }

    /// Rejects an update whose texts together are longer than a packet: Node.js can have stored a longer text.
    pub(crate) fn check_update(
        &self,
        operation: &Operation,
        old: &str,
        text: &str,
    ) -> Result<(), Error> {
        let both = old.len().saturating_add(text.len()).saturating_add(BESIDE_BYTES);
        if !self.sends_both || both <= self.most_packet {
            return Ok(());
        }
        let message = format!(
            "the stored session and the new one are together longer than max_allowed_packet of the server, which is {} bytes",
            self.most_packet
        );
        Err(operation.error(ErrorKind::TooLarge, message))
    }

    /// Rejects an id that the column could not keep.
    pub(crate) fn check_id(&self, operation: &Operation, sid: &str) -> Result<(), Error> {
        let is_kept = match self.id {
            CharacterSet::All => true,
            CharacterSet::ThreeBytes => !has_four_bytes(sid),
            CharacterSet::Other => sid.is_ascii(),
        };
        let message = if !is_kept {
            "invalid id: it has a character that the character set of its column lacks"
        } else if self.pads_id && sid.ends_with(' ') {
            "invalid id: it ends with a space, which the collation of its column leaves out"
        } else {
            return Ok(());
        };
        Err(operation.error(ErrorKind::InvalidId, message))
    }
}

fn has_four_bytes(text: &str) -> bool {
    // No other character begins with such a byte.
    text.bytes().any(|byte| byte >= 0xf0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cloakroom_backend::Idempotency;

    use super::*;

    #[test]
    fn a_session_that_could_not_be_updated_is_not_stored() {
        let operation =
            Operation::start("sql", "update", Idempotency::Once, Duration::from_secs(5));
        let limits = |sends_both| Limits {
            id: CharacterSet::All,
            pads_id: false,
            data: CharacterSet::All,
            most_bytes: None,
            most_packet: 104_096,
            sends_both,
        };
        let of = |bytes: usize| "x".repeat(bytes);
        for (sends_both, most) in [(false, 100_000), (true, 50_000)] {
            let limits = limits(sends_both);
            limits.check_text(&operation, &of(most)).unwrap();
            limits.check_update(&operation, &of(most), &of(most)).unwrap();
            let error = limits.check_text(&operation, &of(most + 1)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            assert!(error.to_string().ends_with("is 104096 bytes"), "{error}");
            // One that Node.js has stored.
            let error = limits.check_update(&operation, &of(70_000), &of(30_001));
            assert_eq!(error.is_err(), sends_both);
        }
    }
}
