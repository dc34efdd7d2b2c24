//! The parameters of a URL: the store's own and the driver's.

use std::time::Duration;

use cloakroom_backend::{ParameterNames, UrlParameter};
use cloakroom_core::Error;

use crate::{AutoRemove, MongoOptions};

/// The parameters of a URL. The driver's are not case-sensitive, and `readPreferenceTags` may occur several times.
pub(crate) const NAMES: ParameterNames<'_> = ParameterNames {
    exact: OURS,
    any_case: DRIVERS,
    repeatable: &["readPreferenceTags"],
    elsewhere: &[
        ("db", DATABASE),
        ("database", DATABASE),
        ("user", LOGIN),
        ("username", LOGIN),
        ("password", LOGIN),
        ("socketTimeoutMS", "not supported by the driver; use \"deadline\""),
        ("timeoutMS", "not supported by the driver; use \"deadline\""),
    ],
};

const DATABASE: &str = "write the database after the host, as in mongodb://host/app";
const LOGIN: &str =
    "write the user and password before the host, as in mongodb://user:password@host";

/// The options of connect-mongo, spelled as there, and the deadline.
const OURS: &[&str] = &[
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

/// The options of MongoDB's connection strings that the driver supports. Their case does not matter.
const DRIVERS: &[&str] = &[
    "appName",
    "authMechanism",
    "authMechanismProperties",
    "authSource",
    "compressors",
    "connectTimeoutMS",
    "directConnection",
    "enableOverloadRetargeting",
    "heartbeatFrequencyMS",
    "journal",
    "loadBalanced",
    "localThresholdMS",
    "maxAdaptiveRetries",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "maxStalenessSeconds",
    "minPoolSize",
    "proxyHost",
    "proxyPassword",
    "proxyPort",
    "proxyUsername",
    "readConcernLevel",
    "readPreference",
    "readPreferenceTags",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverMonitoringMode",
    "serverSelectionTimeoutMS",
    "srvMaxHosts",
    "srvServiceName",
    "ssl",
    "tls",
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword",
    "tlsInsecure",
    "uuidRepresentation",
    "w",
    "waitQueueTimeoutMS",
    "wTimeoutMS",
    "zlibCompressionLevel",
];

/// The default interval between two removals, as in connect-mongo.
const INTERVAL: Duration = Duration::from_secs(600);

/// The result of applying a parameter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is an option of the store.
    Ours,
    /// It is for the driver, which has not checked its value yet.
    Drivers,
}

/// Applies one of [`NAMES`].
pub(crate) fn apply(
    parameter: &UrlParameter<'_>,
    options: &mut MongoOptions,
) -> Result<Taken, Error> {
    let value = &*parameter.value;
    match &*parameter.name {
        "collectionName" => options.collection_name = value.to_owned(),
        "dbName" => options.db_name = Some(value.to_owned()),
        "secret" => encrypt_with(parameter, options)?,
        "ttl" => options.ttl = parameter.seconds()?,
        "touchAfter" => {
            options.touch_after = parameter.number_or_zero("seconds").map(Duration::from_secs)?;
        }
        "stringify" => options.stringify = parameter.switch()?,
        "timestamps" => options.timestamps = parameter.switch()?,
        "maxRecord" => options.max_record = parameter.number("bytes")?,
        "deadline" => options.deadline = parameter.milliseconds()?,
        "autoRemove" => {
            options.auto_remove = match (value, options.auto_remove) {
                ("native", _) => AutoRemove::Native,
                ("interval", AutoRemove::Interval(set)) => AutoRemove::Interval(set),
                ("interval", _) => AutoRemove::Interval(INTERVAL),
                ("disabled", _) => AutoRemove::Disabled,
                _ => {
                    let why = "must be \"native\", \"interval\" or \"disabled\"";
                    return Err(parameter.invalid(why));
                }
            };
        }
        "autoRemoveInterval" => match &mut options.auto_remove {
            AutoRemove::Interval(interval) => {
                let minutes: u64 = parameter.number("minutes")?;
                *interval = Duration::from_secs(minutes.saturating_mul(60));
            }
            _ => return Err(parameter.invalid("requires autoRemove=interval")),
        },
        // In Node.js, `DEFAULT` names the mechanism that both sides negotiate. The Rust driver has no such name; it
        // negotiates if none is given.
        "authMechanism" if value == "DEFAULT" => {}
        // Both only offer compression, and a server sends nothing compressed to a client that does not offer it.
        "compressors" => {
            if !value.split(',').all(|name| COMPRESSORS.contains(&name)) {
                let why = format!("must be a list of {}", COMPRESSORS.join(", "));
                return Err(parameter.invalid(&why));
            }
        }
        "zlibCompressionLevel" => {
            if !value.parse().is_ok_and(|level: i32| (-1..=9).contains(&level)) {
                return Err(parameter.invalid("must be between -1 and 9"));
            }
        }
        _ => return Ok(Taken::Drivers),
    }
    Ok(Taken::Ours)
}

/// The compressors of MongoDB's Node.js driver.
const COMPRESSORS: [&str; 4] = ["snappy", "zlib", "zstd", "none"];

/// Applies the secret. The error says what is wrong without quoting it.
#[cfg(feature = "encryption")]
fn encrypt_with(secret: &UrlParameter<'_>, options: &mut MongoOptions) -> Result<(), Error> {
    use crate::error::STORE;
    use cloakroom_encryption::{Counterpart, Kruptein, KrupteinOptions};

    let of_counterpart = KrupteinOptions::of(Counterpart::ConnectMongo6);
    let kruptein = Kruptein::new(&secret.value, of_counterpart)
        .map_err(|error| error.with_context(STORE, "open"))?;
    options.encryption = Some(std::sync::Arc::new(kruptein));
    Ok(())
}

#[cfg(not(feature = "encryption"))]
fn encrypt_with(secret: &UrlParameter<'_>, _: &mut MongoOptions) -> Result<(), Error> {
    Err(secret.needs_feature("encryption", "cloakroom-mongodb"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn parse(query: &str) -> Result<MongoOptions, String> {
        let mut options = MongoOptions::default();
        Target::parse(&format!("mongodb://h/db?{query}"), &mut options)
            .and_then(|_| options.check())
            .map_err(|error| error.to_string())?;
        Ok(options)
    }

    #[test]
    fn parameters_are_the_options_of_connect_mongo() {
        let options = parse(
            "collectionName=my%20sessions&dbName=app&ttl=60&touchAfter=30&stringify=false&autoRemoveInterval=5&autoRemove=interval&timestamps=true&deadline=250",
        )
        .unwrap();
        assert_eq!(options.collection_name, "my sessions");
        assert_eq!(options.db_name.as_deref(), Some("app"));
        assert_eq!(options.ttl, Duration::from_secs(60));
        assert_eq!(options.touch_after, Duration::from_secs(30));
        assert!(!options.stringify && options.timestamps);
        assert_eq!(options.auto_remove, AutoRemove::Interval(Duration::from_secs(300)));
        assert_eq!(options.deadline, Duration::from_millis(250));
    }

    #[test]
    fn the_defaults_are_those_of_connect_mongo() {
        let options = parse("").unwrap();
        assert_eq!((&*options.collection_name, options.db_name), ("sessions", None));
        assert_eq!(options.ttl, Duration::from_secs(1_209_600));
        assert_eq!(options.touch_after, Duration::ZERO);
        assert!(options.stringify && !options.timestamps);
        assert_eq!(options.auto_remove, AutoRemove::Native);
        assert_eq!(
            parse("autoRemove=interval").unwrap().auto_remove,
            AutoRemove::Interval(Duration::from_secs(600))
        );
    }

    #[test]
    fn the_options_of_mongodb_itself_work_in_any_case() {
        parse("replicaSet=rs&w=majority&JOURNAL=true&wtimeoutMS=100&appName=x&retryWrites=false&maxPoolSize=5")
            .unwrap();
        parse("readPreference=nearest&readPreferenceTags=dc:a&readPreferenceTags=dc:b").unwrap();
    }

    #[test]
    fn what_nodes_driver_takes_is_taken() {
        for query in [
            "compressors=snappy,zlib,zstd&zlibCompressionLevel=6",
            "compressors=none",
            "COMPRESSORS=zlib&zlibcompressionlevel=-1",
            "zlibCompressionLevel=9",
            "authMechanism=DEFAULT",
            "authmechanism=DEFAULT&ttl=5",
        ] {
            parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        }
        for user in ["ann:pw@", ""] {
            let url = format!("mongodb://{user}h/?authMechanism=DEFAULT&authSource=admin");
            Target::parse(&url, &mut MongoOptions::default()).unwrap();
        }
    }

    #[test]
    fn a_wrong_parameter_says_what_it_accepts() {
        for (query, why) in [
            (
                "x=1",
                r#"unknown parameter "x": must be one of collectionName, dbName, ttl, touchAfter, stringify, autoRemove, autoRemoveInterval, timestamps, secret, maxRecord, deadline, appName, "#,
            ),
            ("x=1", "zlibCompressionLevel"),
            (
                "collectionname=a",
                r#"unknown parameter "collectionname": did you mean "collectionName"?"#,
            ),
            ("collection=a", r#"unknown parameter "collection": did you mean "collectionName"?"#),
            ("touch_after=5", r#"unknown parameter "touch_after": did you mean "touchAfter"?"#),
            ("maxPoolSzie=5", r#"unknown parameter "maxPoolSzie": did you mean "maxPoolSize"?"#),
            ("db=a", "write the database after the host, as in mongodb://host/app"),
            ("ttl=0", "must be a whole number of seconds above zero"),
            ("touchAfter=-1", "must be a whole number of seconds"),
            ("deadline=5s", "must be a whole number of milliseconds above zero"),
            ("stringify=1", r#"must be "true" or "false""#),
            ("autoRemove=never", r#"must be "native", "interval" or "disabled""#),
            ("autoRemoveInterval=5", "requires autoRemove=interval"),
            ("socketTimeoutMS=5", r#"not supported by the driver; use "deadline""#),
            ("compressors=lz4", "must be a list of snappy, zlib, zstd, none"),
            ("compressors=", "must be a list of snappy, zlib, zstd, none"),
            ("zlibCompressionLevel=10", "must be between -1 and 9"),
            ("zlibCompressionLevel=x", "must be between -1 and 9"),
            ("authMechanism=default", "the MongoDB driver rejected it"),
            (
                "collectionName=",
                "invalid option \"collectionName\": must be a valid collection name: not empty, no \"$\", no leading dot",
            ),
            ("collectionName=a%0A", "must not contain a line break or control character"),
            ("dbName=a.b", "invalid option \"dbName\": must be a valid database name"),
            ("maxPoolSize=x", "the MongoDB driver rejected it"),
            ("w=0", r#"invalid parameter "w": must not be 0: the store needs the answers"#),
            ("ttl=1&ttl=2", r#"invalid parameter "ttl": must be given only once"#),
            ("w=1&W=2", r#"invalid parameter "w": must be given only once"#),
        ] {
            let error = parse(query).expect_err(query);
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[cfg(feature = "encryption")]
    #[test]
    fn a_secret_encrypts_and_is_shown_nowhere() {
        let options = parse("secret=hush%21hush").unwrap();
        assert!(options.encryption.is_some());
        assert!(!format!("{options:?}").contains("hush"), "{options:?}");
        assert!(parse("secret=").unwrap_err().contains("\"secret\": must not be empty"));
    }
}
