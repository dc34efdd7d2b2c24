//! The parameters of a URL: ours, and which ones the driver has.

use std::time::Duration;

use cloakroom_core::Error;
#[cfg(not(feature = "encryption"))]
use cloakroom_core::ErrorKind;

use crate::{AutoRemove, MongoOptions, error::STORE};

/// The options of connect-mongo, spelt as there, and the deadline.
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
    "deadline",
];

/// The options of MongoDB's own connection strings that the driver takes. Their case does not matter.
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

/// The minutes between two removals, by connect-mongo's default.
const INTERVAL: Duration = Duration::from_secs(600);

/// What became of a parameter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is an option of ours.
    Ours,
    /// It is for the driver, which has not judged its value yet.
    Drivers,
}

/// Takes one parameter over that is no secret, or says why it cannot be.
pub(crate) fn apply(name: &str, value: &str, options: &mut MongoOptions) -> Result<Taken, String> {
    match name {
        "collectionName" => options.collection_name = value.to_owned(),
        "dbName" => options.db_name = Some(value.to_owned()),
        "ttl" => options.ttl = Duration::from_secs(number(value, "seconds", 1)?),
        "touchAfter" => options.touch_after = Duration::from_secs(number(value, "seconds", 0)?),
        "stringify" => options.stringify = switch(value)?,
        "timestamps" => options.timestamps = switch(value)?,
        "deadline" => options.deadline = Duration::from_millis(number(value, "milliseconds", 1)?),
        "autoRemove" => {
            options.auto_remove = match (value, options.auto_remove) {
                ("native", _) => AutoRemove::Native,
                ("interval", AutoRemove::Interval(set)) => AutoRemove::Interval(set),
                ("interval", _) => AutoRemove::Interval(INTERVAL),
                ("disabled", _) => AutoRemove::Disabled,
                _ => {
                    return Err(format!(
                        "it is none of \"native\", \"interval\" and \"disabled\": {value:?}"
                    ));
                }
            };
        }
        "autoRemoveInterval" => match &mut options.auto_remove {
            AutoRemove::Interval(interval) => {
                let minutes: u64 = number(value, "minutes", 1)?;
                *interval = Duration::from_secs(minutes.saturating_mul(60));
            }
            _ => return Err("it needs autoRemove=interval".to_owned()),
        },
        _ if name.eq_ignore_ascii_case("socketTimeoutMS") => {
            return Err("the driver has none, and deadline does what it is for".to_owned());
        }
        _ if DRIVERS.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
            return Ok(Taken::Drivers);
        }
        _ => return Err(format!("it is none of {}", [OURS, DRIVERS].concat().join(", "))),
    }
    Ok(Taken::Ours)
}

/// Takes the secret over, or says what is wrong with it, without a word of it.
#[cfg(feature = "encryption")]
pub(crate) fn encrypt_with(secret: &str, options: &mut MongoOptions) -> Result<(), Error> {
    use cloakroom_core::{Counterpart, Kruptein, KrupteinOptions};

    let of_counterpart = KrupteinOptions::of(Counterpart::ConnectMongo6);
    let kruptein =
        Kruptein::new(secret, of_counterpart).map_err(|error| error.with_context(STORE, "open"))?;
    options.encryption = Some(std::sync::Arc::new(kruptein));
    Ok(())
}

#[cfg(not(feature = "encryption"))]
pub(crate) fn encrypt_with(_: &str, _: &mut MongoOptions) -> Result<(), Error> {
    let message = "the parameter \"secret\" needs the feature \"encryption\" of cloakroom-mongodb";
    Err(Error::new(ErrorKind::Config, STORE, "open", message))
}

fn number(value: &str, unit: &str, least: u64) -> Result<u64, String> {
    let above = if least > 0 { " above zero" } else { "" };
    value
        .parse()
        .ok()
        .filter(|number| *number >= least)
        .ok_or_else(|| format!("it is no whole number of {unit}{above}: {value:?}"))
}

fn switch(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("it is neither \"true\" nor \"false\": {value:?}"))
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
    fn a_wrong_parameter_says_what_it_can_be() {
        for (query, why) in [
            (
                "x=1",
                "it is none of collectionName, dbName, ttl, touchAfter, stringify, autoRemove, autoRemoveInterval, timestamps, secret, deadline, appName, ",
            ),
            ("x=1", "zlibCompressionLevel"),
            ("collection=a", "it is none of collectionName"),
            ("ttl=0", "it is no whole number of seconds above zero: \"0\""),
            ("touchAfter=-1", "it is no whole number of seconds: \"-1\""),
            ("deadline=5s", "it is no whole number of milliseconds above zero: \"5s\""),
            ("stringify=1", "it is neither \"true\" nor \"false\": \"1\""),
            (
                "autoRemove=never",
                "it is none of \"native\", \"interval\" and \"disabled\": \"never\"",
            ),
            ("autoRemoveInterval=5", "it needs autoRemove=interval"),
            ("socketTimeoutMS=5", "the driver has none, and deadline does what it is for"),
            ("collectionName=", "invalid option \"collectionName\": no name of a collection"),
            ("dbName=a.b", "invalid option \"dbName\": no name of a database"),
            ("maxPoolSize=x", "parameter \"maxPoolSize\": the driver does not take its value"),
            ("w=0", "w of 0 has no answers"),
            ("ttl=1&ttl=2", "parameter \"ttl\": it is given twice"),
            ("w=1&W=2", "parameter \"W\": it is given twice"),
        ] {
            let error = parse(query).expect_err(query);
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[cfg(not(feature = "encryption"))]
    #[test]
    fn a_secret_without_the_feature_names_the_feature_and_not_the_secret() {
        let error = parse("secret=hush").unwrap_err();
        assert!(error.contains("needs the feature \"encryption\""), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }

    #[cfg(feature = "encryption")]
    #[test]
    fn a_secret_encrypts_and_is_shown_nowhere() {
        let options = parse("secret=hush%21hush").unwrap();
        assert!(options.encryption.is_some());
        assert!(!format!("{options:?}").contains("hush"), "{options:?}");
        assert!(parse("secret=").unwrap_err().contains("\"secret\": empty"));
    }
}
