//! The parameters of a URL.

#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::fs;

use cloakroom_backend::{ParameterNames, UrlParameter};
use cloakroom_core::Error;

use crate::{counterpart::Counterpart, dialect::Dialect, options::SqlOptions};

const TABLE: &str = "write \"table\"";
const SCHEMA: &str = "write \"schema\"";
const CREATE: &str = "write \"createTable\"";
const PRUNE: &str = "call SqlStore::prune_every instead";

pub(crate) const NAMES: ParameterNames<'_> = ParameterNames {
    exact: &[
        "counterpart",
        "table",
        "schema",
        "createTable",
        "timeZone",
        "sslmode",
        "sslrootcert",
        "host",
        "socket",
        "durable",
        "ttl",
        "connections",
        "maxRecord",
        "deadline",
    ],
    any_case: &[],
    repeatable: &[],
    elsewhere: &[
        ("tableName", TABLE),
        ("schemaName", SCHEMA),
        ("createTableIfMissing", CREATE),
        ("createDatabaseTable", CREATE),
        ("pruneSessionInterval", PRUNE),
        ("cleanupInterval", PRUNE),
        ("checkExpirationInterval", PRUNE),
    ],
};

/// Applies the parameters. Returns those that say how to connect.
pub(crate) fn apply<'p, 'a>(
    parameters: &'p [UrlParameter<'a>],
    dialect: Dialect,
    options: &mut SqlOptions,
) -> Result<Vec<&'p UrlParameter<'a>>, Error> {
    let named = |name: &str| parameters.iter().find(|parameter| parameter.name == name);
    if let Some(parameter) = named("counterpart") {
        let known = Counterpart::ALL.map(|known| (known.package(), known));
        let known: Vec<_> =
            known.into_iter().filter(|(_, known)| known.table(dialect).is_some()).collect();
        options.table = parameter.one_of(&known)?.table(dialect);
    }
    let default = || Counterpart::default_of(dialect).table(dialect);
    let table = options.table.clone().or_else(default);
    if let (Some(parameter), Some(table)) = (named("table"), &table) {
        options.table = Some(table.clone().with_name(parameter.text()?));
    }
    let table = options.table.clone().or(table);
    if let (Some(parameter), Some(table)) = (named("schema"), table) {
        options.table = Some(table.with_schema(parameter.text()?.to_owned()));
    }
    let mut others = Vec::new();
    for parameter in parameters {
        match &*parameter.name {
            "counterpart" | "table" | "schema" => {}
            "createTable" => options.create_table = Some(parameter.switch()?),
            "timeZone" => options.time_zone = Some(parameter.text()?.to_owned()),
            "durable" => options.durable = parameter.switch()?,
            "ttl" => options.ttl = parameter.seconds()?,
            "connections" => options.connections = parameter.number("connections")?,
            "maxRecord" => options.max_record = parameter.number("bytes")?,
            "deadline" => options.deadline = parameter.milliseconds()?,
            _ => others.push(parameter),
        }
    }
    Ok(others)
}

/// Returns the path of a file of certificates, which must be there and have one: the driver reads it when it connects, and
/// takes a file without any for one that trusts nobody.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn certificates<'p>(parameter: &'p UrlParameter<'_>) -> Result<&'p str, Error> {
    let path = parameter.text()?;
    let is_file = fs::metadata(path).is_ok_and(|file| file.is_file());
    let Some(bytes) = is_file.then(|| fs::read(path).ok()).flatten() else {
        return Err(parameter.invalid("must be the path of a file that can be read"));
    };
    let begin = b"-----BEGIN CERTIFICATE-----";
    if !bytes.windows(begin.len()).any(|part| part == begin) {
        return Err(parameter.invalid("must be a file with a certificate in PEM"));
    }
    Ok(path)
}
