//! What the database says about the table, asked once: whether it exists, and whether its columns are as described.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};
use tokio::runtime::Handle;

use crate::{
    call::Want,
    connection::{Row, text},
    dialect::{DataType, Dialect},
    error::{self, Failure, Verdict},
    expiry::ExpiryForm,
    live::{Lease, Live},
    mysql_check::{self, Limits},
    options::{SqlOptions, is_zone},
    sqlite_check,
    statement::{Statement, Statements, Values},
    table::Table,
};

/// The name, type and time zone of each column, and whether texts are equal only if their bytes are.
const POSTGRES: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)::text, \
    coalesce(c.collisdeterministic, true)::text FROM pg_catalog.pg_attribute a \
    LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation \
    WHERE a.attrelid = to_regclass(\u{1}s) AND a.attnum > 0 AND NOT a.attisdropped";

/// The time zone that is set for the role and the database, of which that counts which is set for the fewest connections.
const POSTGRES_ZONE: &str = "SELECT split_part(s, '=', 2) FROM (SELECT unnest(r.setconfig) AS s, \
    (r.setrole <> 0)::int * 2 + (r.setdatabase <> 0)::int AS counts FROM pg_catalog.pg_db_role_setting r \
    WHERE r.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) \
    AND r.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))) t \
    WHERE lower(s) LIKE 'timezone=%' ORDER BY counts DESC LIMIT 1";

/// The time zone in the server's files, and whether its command line has one, which wins. Only some roles may ask.
const POSTGRES_FILES: &str = "SELECT (SELECT setting FROM pg_catalog.pg_file_settings \
    WHERE lower(name) = 'timezone' AND error IS NULL ORDER BY seqno DESC LIMIT 1), \
    (pg_read_file('postmaster.opts') ILIKE '%timezone%')::text";

const SQLITE: &str = "SELECT name, type, 'true' FROM pragma_table_info(\u{1}s)";

/// A table that was found to be as described, and the statements for it.
#[derive(Debug)]
pub(crate) struct Checked {
    looked_at: Instant,
    pub(crate) statements: Statements,
    pub(crate) data_type: DataType,
    /// How many characters an id and a text may have.
    pub(crate) most_id: Option<usize>,
    pub(crate) most_data: Option<usize>,
    pub(crate) last_expiry_ms: i64,
    /// What the columns of MySQL can hold beside that.
    pub(crate) limits: Option<Limits>,
}

/// How often the table is looked at again at most: a client can send an id that does not fit in each request.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Checked {
    /// Runs this if the columns may have changed since they were looked at.
    pub(crate) fn if_old(&self, look_again: impl FnOnce()) {
        if self.looked_at.elapsed() >= LOOK_AGAIN {
            look_again();
        }
    }
}

/// Checks the table, and creates it if the options say so. If the connection has ended, it is checked on another one: the
/// connection can have been idle, and this part of a call only reads.
pub(crate) async fn check(
    operation: &Operation,
    place: &str,
    (live, runtime): (&Arc<Live>, &Handle),
    table: &Table,
    options: &SqlOptions,
    creates: bool,
) -> Result<Arc<Checked>, Error> {
    loop {
        // It writes if it creates the table.
        let mut lease = live.lease(operation, place, runtime, creates).await?;
        match check_on(operation, place, &mut lease, table, options, creates).await {
            Err(_) if lease.is_lost() && operation.repeat() => {}
            checked => return checked,
        }
    }
}

async fn check_on(
    operation: &Operation,
    place: &str,
    lease: &mut Lease,
    table: &Table,
    options: &SqlOptions,
    creates: bool,
) -> Result<Arc<Checked>, Error> {
    let look = match table.dialect {
        Dialect::Postgres => Statement::new(table.dialect, POSTGRES),
        Dialect::MySql => Statement::new(table.dialect, mysql_check::COLUMNS),
        Dialect::Sqlite => Statement::new(table.dialect, SQLITE),
    };
    let name = match table.dialect {
        Dialect::Postgres => table.quoted(),
        Dialect::MySql | Dialect::Sqlite => table.name.clone(),
    };
    let values = Values { sid: &name, data: &table.id.name, ..Values::default() };
    let mut columns = ask(operation, place, lease, &look, &values).await?;
    if columns.is_empty() && creates {
        create(operation, place, lease, table).await?;
        columns = ask(operation, place, lease, &look, &values).await?;
    }
    if columns.is_empty() {
        return Err(missing(operation, table));
    }
    if table.dialect == Dialect::MySql {
        let settings = Statement::new(table.dialect, mysql_check::SETTINGS);
        let settings = ask(operation, place, lease, &settings, &values).await?;
        let types = mysql_check::types(operation, table, &columns, &settings)?;
        return Ok(Arc::new(Checked {
            looked_at: Instant::now(),
            statements: Statements::new(table, types.data_type, "UTC"),
            data_type: types.data_type,
            most_id: types.most_id,
            most_data: types.most_data,
            last_expiry_ms: types.last_expiry_ms,
            limits: Some(types.limits),
        }));
    }
    let types = types(operation, table, &columns)?;
    let zone = match (table.expiry_form, &options.time_zone) {
        (ExpiryForm::LocalTimestamp, Some(zone)) => zone.clone(),
        (ExpiryForm::LocalTimestamp, None) => zone(operation, place, lease).await?,
        _ => "UTC".to_owned(),
    };
    Ok(Arc::new(Checked {
        looked_at: Instant::now(),
        statements: Statements::new(table, types.data_type, &zone),
        data_type: types.data_type,
        most_id: types.most_id,
        most_data: types.most_data,
        last_expiry_ms: types.last_expiry_ms,
        limits: None,
    }))
}

async fn ask(
    operation: &Operation,
    place: &str,
    lease: &mut Lease,
    statement: &Statement,
    values: &Values<'_>,
) -> Result<Vec<Row>, Error> {
    // Whatever the operation does, this part of it only reads.
    let operation = operation.reading();
    let answer = lease.run(&operation, statement, values, Want::Rows(usize::MAX)).await?;
    let answer = answer.map_err(|failure| error::of(&operation, place, &failure))?;
    Ok(answer.rows)
}

async fn create(
    operation: &Operation,
    place: &str,
    lease: &mut Lease,
    table: &Table,
) -> Result<(), Error> {
    let operation = operation.reading();
    for sql in table.create_statements() {
        let statement = Statement { sql, slots: Vec::new() };
        let done = lease.run(&operation, &statement, &Values::default(), Want::Affected).await?;
        match done {
            // PostgreSQL's `IF NOT EXISTS` does not see what another process has not committed yet.
            Err(Failure { cause, .. }) if error::is_created_at_once(&cause) => {}
            Err(failure) => return Err(error::of(&operation, place, &failure)),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The error for a table that does not exist.
pub(crate) fn missing(operation: &Operation, table: &Table) -> Error {
    operation.error(
        ErrorKind::Config,
        format!(
            "the table {} does not exist; create it with createTable=true, or with: {}",
            table.quoted(),
            table.create_statements().join("; ")
        ),
    )
}

/// Returns the zone of the connections of Node.js, which set none. sqlx 0.8 sends UTC in the startup packet of a
/// connection, and then neither `SHOW timezone` nor `RESET timezone` tells what the server would have chosen.
async fn zone(operation: &Operation, place: &str, lease: &mut Lease) -> Result<String, Error> {
    let [set, files] = [POSTGRES_ZONE, POSTGRES_FILES]
        .map(|sql| Statement { sql: sql.to_owned(), slots: Vec::new() });
    let rows = ask(operation, place, lease, &set, &Values::default()).await?;
    let zone = match rows.first().and_then(|row| text(row, 0)) {
        Some(set) => Some(set.trim_matches(['"', '\'']).to_owned()),
        None => of_server(operation, place, lease, &files).await?,
    };
    zone.filter(|zone| is_zone(zone)).ok_or_else(|| {
        operation.error(
            ErrorKind::Config,
            "the time zone of the connections of Node.js is unknown, and the expiry has none: set timeZone to what SHOW timezone answers there, such as UTC or Europe/Berlin, or set the timezone of the database to it with ALTER DATABASE",
        )
    })
}

/// Returns the zone of the server's configuration, or `None` if the role may not read it or a command line sets it.
async fn of_server(
    operation: &Operation,
    place: &str,
    lease: &mut Lease,
    statement: &Statement,
) -> Result<Option<String>, Error> {
    let operation = operation.reading();
    let want = Want::Rows(usize::MAX);
    match lease.run(&operation, statement, &Values::default(), want).await? {
        Ok(answer) => Ok(answer.rows.first().and_then(|row| {
            // A server whose files set none has GMT.
            (text(row, 1) == Some("false")).then(|| text(row, 0).unwrap_or("UTC").to_owned())
        })),
        Err(failure) if error::verdict(&failure.cause) == Verdict::Refused => Ok(None),
        Err(failure) => Err(error::of(&operation, place, &failure)),
    }
}

struct Types {
    data_type: DataType,
    most_id: Option<usize>,
    most_data: Option<usize>,
    last_expiry_ms: i64,
}

/// Checks the names and types of the columns.
fn types(operation: &Operation, table: &Table, rows: &[Row]) -> Result<Types, Error> {
    let wrong = |name: &str, why: &str| {
        let message = format!("the column {name:?} of the table {} {why}", table.quoted());
        operation.error(ErrorKind::Config, message)
    };
    let find = |name: &str| {
        let is_named = |known: &str| match table.dialect {
            // The names of columns have no case there.
            Dialect::Sqlite => known.eq_ignore_ascii_case(name),
            _ => known == name,
        };
        let found = rows.iter().find(|row| text(row, 0).is_some_and(is_named));
        let of = |row, at| text(row, at).unwrap_or_default().to_owned();
        let found = found.map(|row| (of(row, 1), of(row, 2)));
        found.ok_or_else(|| wrong(name, "does not exist"))
    };
    for (column, _) in &table.further {
        find(&column.name)?;
    }
    let (id, is_by_bytes) = find(&table.id.name)?;
    let (data, _) = find(&table.data.name)?;
    let (expiry, _) = find(&table.expiry.name)?;
    let mut last_expiry_ms = table.expiry_form.last_ms();
    if table.dialect == Dialect::Sqlite {
        sqlite_check::check(table, &id, &expiry).map_err(|(column, why)| wrong(column, &why))?;
        // Its texts have any length.
        let (data_type, most_id, most_data) = (DataType::Text, None, None);
        return Ok(Types { data_type, most_id, most_data, last_expiry_ms });
    }
    let Some(most_id) = text_length(&id) else {
        return Err(wrong(
            &table.id.name,
            &format!("has the type {id}; it must be text or varchar"),
        ));
    };
    if is_by_bytes != "true" {
        let why =
            "has a collation that takes different ids for the same one; it must be deterministic";
        return Err(wrong(&table.id.name, why));
    }
    let (data_type, most_data) = match (&*data, text_length(&data)) {
        ("json", _) => (DataType::Json, None),
        ("jsonb", _) => (DataType::Jsonb, None),
        (_, Some(most)) => (DataType::Text, most),
        _ => {
            let why = format!("has the type {data}; it must be json, jsonb, text or varchar");
            return Err(wrong(&table.data.name, &why));
        }
    };
    let (accepted, is_right): (_, fn(&str) -> bool) = match table.expiry_form {
        ExpiryForm::TimestampTz => ("timestamp with time zone", |found| {
            found.starts_with("timestamp") && found.ends_with("with time zone")
        }),
        ExpiryForm::LocalTimestamp | ExpiryForm::UtcTimestamp => {
            ("timestamp without time zone", |found| {
                found.starts_with("timestamp") && found.ends_with("without time zone")
            })
        }
        ExpiryForm::Seconds => {
            ("integer or bigint", |found| ["integer", "bigint"].contains(&found))
        }
        ExpiryForm::Milliseconds => ("bigint", |found| found == "bigint"),
        ExpiryForm::RealMilliseconds => ("double precision", |found| found == "double precision"),
        ExpiryForm::DateTime | ExpiryForm::IsoText | ExpiryForm::SpacedText => {
            ("of another database", |_| false)
        }
    };
    if !is_right(&expiry) {
        let why = format!("has the type {expiry}; it must be {accepted}");
        return Err(wrong(&table.expiry.name, &why));
    }
    if expiry == "integer" {
        last_expiry_ms = i64::from(i32::MAX) * 1_000;
    }
    Ok(Types { data_type, most_id, most_data, last_expiry_ms })
}

/// Returns the maximum length of a type of text, which can be unlimited. `None` for another type.
fn text_length(sql_type: &str) -> Option<Option<usize>> {
    let rest = match sql_type {
        "text" | "character varying" => return Some(None),
        _ => sql_type.strip_prefix("character varying(")?,
    };
    rest.strip_suffix(')')?.parse().ok().map(Some)
}
