//! The parameters of a URL.

use std::time::Duration;

use redis::ProtocolVersion;

use crate::{
    RedisOptions,
    target::{Address, Target},
};

/// Of every URL, the options of connect-redis first and spelt as there.
const KNOWN: &[&str] =
    &["prefix", "ttl", "disableTTL", "disableTouch", "scanCount", "deadline", "protocol", "caFile"];

/// Of a socket's URL, where there is no other place for them.
const OF_SOCKETS: &[&str] = &["db", "user", "password"];

/// Takes one parameter over, or says why it cannot be. The reason does not quote the value if that can be a secret.
pub(crate) fn apply(
    name: &str,
    value: &str,
    target: &mut Target,
    options: &mut RedisOptions,
) -> Result<(), String> {
    let of_socket = matches!(target.address, Address::Unix(_));
    match name {
        "prefix" => options.prefix = value.to_owned(),
        "ttl" => options.ttl = Duration::from_secs(number(value, "seconds")?).into(),
        "disableTTL" => options.disable_ttl = switch(value)?,
        "disableTouch" => options.disable_touch = switch(value)?,
        "scanCount" => options.scan_count = number(value, "keys")?,
        "deadline" => options.deadline = Duration::from_millis(number(value, "milliseconds")?),
        "caFile" => options.ca_file = Some(value.into()),
        "protocol" => {
            target.protocol = Some(match value {
                "2" | "resp2" => ProtocolVersion::RESP2,
                "3" | "resp3" => ProtocolVersion::RESP3,
                _ => return Err(format!("it is neither \"resp2\" nor \"resp3\": {value:?}")),
            });
        }
        "db" if of_socket => {
            target.database = value.parse().map_err(|_| format!("it is no number: {value:?}"))?;
        }
        "user" if of_socket => target.user = Some(value.to_owned()),
        "password" if of_socket => target.password = Some(value.to_owned()),
        _ => {
            let known = [KNOWN, if of_socket { OF_SOCKETS } else { &[] }].concat();
            return Err(format!("it is none of {}", known.join(", ")));
        }
    }
    Ok(())
}

fn number<T: TryFrom<u64>>(value: &str, unit: &str) -> Result<T, String> {
    value
        .parse::<u64>()
        .ok()
        .filter(|number| *number > 0)
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| format!("it is no whole number of {unit} above zero: {value:?}"))
}

fn switch(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("it is neither \"true\" nor \"false\": {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ttl;

    fn parse(url: &str) -> (Target, RedisOptions) {
        let mut options = RedisOptions::default();
        (Target::parse(url, &mut options).unwrap(), options)
    }

    #[test]
    fn parameters_are_the_options_of_connect_redis() {
        let (target, options) = parse(
            "redis://h/2?prefix=my%20app:&ttl=60&disableTTL=true&disableTouch=true&scanCount=7&deadline=250&protocol=2",
        );
        assert_eq!(options.prefix, "my app:");
        assert!(matches!(options.ttl, Ttl::Browser(ttl) if ttl == Duration::from_secs(60)));
        assert!(options.disable_ttl && options.disable_touch);
        assert_eq!(options.scan_count, 7);
        assert_eq!(options.deadline, Duration::from_millis(250));
        assert_eq!(target.protocol, Some(ProtocolVersion::RESP2));
    }

    #[test]
    fn the_defaults_are_those_of_connect_redis() {
        let (_, options) = parse("redis://h");
        assert_eq!(options.prefix, "sess:");
        assert!(matches!(options.ttl, Ttl::Browser(ttl) if ttl == Duration::from_secs(86_400)));
        assert!(!options.disable_ttl && !options.disable_touch);
        assert_eq!((options.scan_count, options.deadline), (100, Duration::from_secs(5)));
    }

    #[test]
    fn a_wrong_parameter_says_what_it_can_be() {
        for (query, why) in [
            (
                "x=1",
                "it is none of prefix, ttl, disableTTL, disableTouch, scanCount, deadline, protocol, caFile",
            ),
            ("disable_ttl=true", "it is none of prefix"),
            ("ttl=0", "it is no whole number of seconds above zero: \"0\""),
            ("ttl=1.5", "it is no whole number of seconds"),
            ("ttl=-1", "it is no whole number of seconds"),
            ("scanCount=4294967296", "it is no whole number of keys"),
            ("deadline=5s", "it is no whole number of milliseconds above zero: \"5s\""),
            ("disableTTL=1", "it is neither \"true\" nor \"false\": \"1\""),
            ("disableTouch", "it is neither \"true\" nor \"false\": \"\""),
            ("protocol=4", "it is neither \"resp2\" nor \"resp3\": \"4\""),
        ] {
            let url = format!("redis://h?{query}");
            let error = Target::parse(&url, &mut RedisOptions::default()).expect_err(&url);
            assert!(error.to_string().contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn a_socket_takes_the_database_and_the_login_as_parameters() {
        let error = Target::parse("unix:///s?x=1", &mut RedisOptions::default()).unwrap_err();
        assert!(error.to_string().ends_with("caFile, db, user, password"), "{error}");
    }
}
