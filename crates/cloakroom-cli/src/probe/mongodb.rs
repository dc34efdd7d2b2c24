//! MongoDB, by its driver.

pub(crate) use cloakroom::mongodb::mongodb::bson::Document;
use cloakroom::mongodb::mongodb::{Client, Database, bson::doc};
use futures::stream::TryStreamExt;

use super::{Facts, rest};
use crate::url::{decoded, parameter, with_parameter, without_parameters};

/// The store's own parameters, which the driver does not know.
const OURS: [&str; 11] = [
    "collectionName",
    "dbName",
    "ttl",
    "touchAfter",
    "stringify",
    "autoRemove",
    "autoRemoveInterval",
    "timestamps",
    "secret",
    "maxRecord",
    "deadline",
];

/// Returns the URL as the driver takes it.
pub(crate) fn driver_url(url: &str) -> String {
    let url = without_parameters(url, |name| OURS.contains(&name));
    // The driver takes a scheme in lower case only.
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => url,
    }
}

/// Returns the URL with this application name, which the server reports for each connection.
pub(crate) fn with_app_name(url: &str, name: &str) -> String {
    // The driver does not tell upper and lower case apart.
    let url = without_parameters(url, |other| other.eq_ignore_ascii_case("appName"));
    with_parameter(&url, "appName", name)
}

/// Returns true if an application of this name is connected to the server. Returns false if the server does not answer
/// the question.
///
/// It leaves out monitoring connections: mongod keeps them for up to ten seconds after their client has gone, and they
/// write nothing. All users may list their own operations (MongoDB manual, `$currentOp`).
pub(crate) async fn is_connected(client: &Client, app_name: &str) -> bool {
    let connections = [
        doc! { "$currentOp": { "idleConnections": true } },
        doc! { "$match": {
            "appName": app_name,
            "command.hello": { "$exists": false },
            "command.isMaster": { "$exists": false },
        } },
        doc! { "$limit": 1 },
    ];
    let Ok(mut found) = client.database("admin").aggregate(connections).await else {
        return false;
    };
    matches!(found.try_next().await, Ok(Some(_)))
}

/// Returns the database of the sessions.
pub(crate) fn database(url: &str) -> String {
    let rest = rest(url);
    let of_path = rest.split_once('/').map(|(_, name)| name).filter(|name| !name.is_empty());
    decoded(parameter(url, "dbName").or(of_path).unwrap_or("test")).into_owned()
}

pub(super) async fn ask(url: &str) -> Option<Facts> {
    let client = Client::with_uri_str(driver_url(url)).await.ok()?;
    let admin = client.database("admin");
    let build = admin.run_command(doc! { "buildInfo": 1 }).await.ok()?;
    let hello = admin.run_command(doc! { "hello": 1 }).await.ok()?;
    let mode = match (hello.get_str("setName"), hello.get_str("msg")) {
        (Ok(_), _) => "replica set",
        (_, Ok("isdbgrid")) => "sharded cluster",
        _ => "standalone",
    };
    let mut facts = Facts {
        server: format!("MongoDB {}", build.get_str("version").unwrap_or_default()),
        mode: Some(mode.to_owned()),
        operations: operations(&admin).await,
        clock_ms: hello.get_datetime("localTime").ok().map(|time| time.timestamp_millis()),
        notes: Vec::new(),
    };
    let collection = decoded(parameter(url, "collectionName").unwrap_or("sessions"));
    let sessions = client.database(&database(url)).collection::<Document>(&collection);
    let indexes = match sessions.list_indexes().await {
        Ok(indexes) => indexes.try_collect::<Vec<_>>().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let has_ttl = indexes.iter().any(|index| {
        let options = index.options.as_ref();
        index.keys.contains_key("expires")
            && options.is_some_and(|options| options.expire_after.is_some())
    });
    facts.notes.push(if has_ttl {
        ("ttl index", "there, on expires".to_owned(), false)
    } else if indexes.is_empty() || sessions.estimated_document_count().await.ok() == Some(0) {
        // The command creates no index, even if its own session is the first one in the collection.
        ("ttl index", "not yet: the store of an application creates it".to_owned(), false)
    } else {
        ("ttl index", "missing: MongoDB does not remove expired sessions".to_owned(), true)
    });
    Some(facts)
}

async fn operations(admin: &Database) -> Option<u64> {
    let status = admin.run_command(doc! { "serverStatus": 1 }).await.ok()?;
    let counters = status.get_document("opcounters").ok()?;
    let count = |name| {
        let number = counters.get(name)?;
        let number = number.as_i64().or(number.as_i32().map(i64::from))?;
        u64::try_from(number).ok()
    };
    ["insert", "query", "update", "delete", "command"].iter().map(|name| count(*name)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_gets_its_own_parameters() {
        let url = "mongodb://a:b@h1,h2/app?collectionName=s&replicaSet=rs&ttl=5";
        assert_eq!(driver_url(url), "mongodb://a:b@h1,h2/app?replicaSet=rs");
        assert_eq!(driver_url("MONGODB://H/A?%74tl=5&w=1"), "mongodb://H/A?w=1");
        for (url, name) in [
            (url, "app"),
            ("mongodb://h", "test"),
            ("mongodb://h/?ttl=5", "test"),
            ("mongodb://h/app?dbName=other", "other"),
            ("mongodb://h/a%70p", "app"),
            ("MONGODB://h/app?d%62Name=oth%65r", "other"),
        ] {
            assert_eq!(database(url), name, "{url}");
        }
    }
}
