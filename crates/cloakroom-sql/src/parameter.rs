//! The parameters of a URL.

#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::fs;

use cloakroom_backend::{ParameterNames, UrlParameter};
use cloakroom_core::Error;

use crate::{counterpart::Counterpart, dialect::Dialect, options::SqlOptions};

const TABLE: &str = "write \"table\"";
const SCHEMA: &str = "write \"schema\"";
const CREATE: &str = "write \"createTable\"";
const PRUNE: &str = "call SqlStore::remove_expired_every instead";

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
            "durable" if dialect != Dialect::Sqlite => {
                return Err(
                    parameter.invalid("applies only to SQLite; a server has settings of its own")
                );
            }
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

/// Rejects certificates that nothing would be checked against: without TLS, or with `sslmode=require`, which takes any
/// certificate.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn check_tls(parameters: &[UrlParameter<'_>]) -> Result<(), Error> {
    let named = |name: &str| parameters.iter().find(|parameter| parameter.name == name);
    let mode = named("sslmode").map(UrlParameter::text).transpose()?;
    match named("sslrootcert") {
        Some(parameter) if !mode.is_some_and(|mode| mode.starts_with("verify-")) => Err(parameter
            .invalid("applies only with sslmode=verify-full, which also checks the name of the host, or with sslmode=verify-ca")),
        _ => Ok(()),
    }
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

#[cfg(all(test, feature = "mysql", feature = "postgres", feature = "sqlite", feature = "tls"))]
mod tests {
    use crate::{SqlOptions, SqlStore};

    #[test]
    fn a_parameter_that_does_not_apply_is_refused() {
        let zone =
            "applies only to a table of PostgreSQL whose expiry is a timestamp without time zone";
        let durable = "applies only to SQLite";
        let authority = "applies only with sslmode=verify-full";
        // Any file with a certificate would do.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n").unwrap();
        let file = file.display();
        for (url, part) in [
            ("mysql://ann@h/a?timeZone=UTC".to_owned(), zone),
            ("sqlite:a.db?timeZone=Europe/Berlin".to_owned(), zone),
            ("postgres://h/a?counterpart=connect-session-knex&timeZone=UTC".to_owned(), zone),
            ("postgres://h/a?durable=false".to_owned(), durable),
            ("mysql://ann@h/a?durable=true".to_owned(), durable),
            (format!("postgres://h/a?sslrootcert={file}"), authority),
            (format!("mysql://ann@h/a?sslrootcert={file}"), authority),
            (format!("postgres://h/a?sslrootcert={file}&sslmode=disable"), authority),
            (format!("mysql://ann@h/a?sslmode=require&sslrootcert={file}"), authority),
        ] {
            let error = SqlStore::open(&url).unwrap_err().to_string();
            let name = url.rsplit(['?', '&']).find(|parameter| !parameter.starts_with("sslmode"));
            let name = name.unwrap().split('=').next().unwrap();
            assert!(
                error.starts_with("sql: open: invalid ") && error.contains(name),
                "{url}: {error}"
            );
            assert!(error.contains(part), "{url}: {error}");
        }
        for url in [
            "postgres://h/a?timeZone=UTC".to_owned(),
            "sqlite:a.db?durable=false".to_owned(),
            format!("postgres://h/a?sslrootcert={file}&sslmode=verify-full"),
            format!("mysql://ann@h/a?sslmode=verify-ca&sslrootcert={file}"),
        ] {
            SqlStore::open(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
        }
    }

    #[test]
    fn an_option_that_does_not_apply_is_refused() {
        let default = SqlOptions::default;
        for (url, options, name) in [
            ("mysql://ann@h/a", default().with_time_zone("UTC"), "timeZone"),
            ("sqlite:a.db", default().with_time_zone("UTC"), "timeZone"),
            ("postgres://h/a", default().with_durable(false), "durable"),
            ("mysql://ann@h/a", default().with_durable(false), "durable"),
        ] {
            let error = SqlStore::open_with(url, options).unwrap_err().to_string();
            let begin = format!("sql: open: invalid option {name:?}: applies only to ");
            assert!(error.starts_with(&begin), "{url}: {error}");
        }
    }
}
