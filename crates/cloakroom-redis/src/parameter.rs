//! The parameters of a URL.

use std::time::Duration;

use cloakroom_core::ParameterNames;
use redis::ProtocolVersion;

use crate::{RedisOptions, target::Target};

/// The options of connect-redis first, spelled as there. The last three belong to the URLs of Unix sockets, which have
/// no other place for them.
const NAMES: &[&str] = &[
    "prefix",
    "ttl",
    "disableTTL",
    "disableTouch",
    "scanCount",
    "deadline",
    "protocol",
    "caFile",
    "certFile",
    "keyFile",
    "serverName",
    "insecureSkipVerify",
    "db",
    "user",
    "password",
];

const DATABASE: &str = "the database goes after the host, as in redis://host/3";
const LOGIN: &str = "the user and password go before the host, as in redis://user:password@host";
const TLS: &str = "for TLS, use the scheme \"rediss\"";
const SECRET: &str = "to encrypt sessions, set the option \"serializer\" in code";
const SKIP: &str = "to accept any certificate, use insecureSkipVerify=true";

/// Options of other clients, and what to write instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("db", DATABASE),
    ("database", DATABASE),
    ("user", LOGIN),
    ("username", LOGIN),
    ("pass", LOGIN),
    ("password", LOGIN),
    ("tls", TLS),
    ("ssl", TLS),
    ("rejectUnauthorized", SKIP),
    ("insecure", SKIP),
    ("secret", SECRET),
];

const ELSEWHERE_OF_SOCKETS: &[(&str, &str)] = &[
    ("secret", SECRET),
    ("database", "the database is the parameter \"db\""),
    ("username", "the user is the parameter \"user\""),
    ("pass", "the password is the parameter \"password\""),
];

pub(crate) fn names(of_socket: bool) -> ParameterNames<'static> {
    let (exact, elsewhere) = if of_socket {
        (NAMES, ELSEWHERE_OF_SOCKETS)
    } else {
        (&NAMES[..NAMES.len() - 3], ELSEWHERE)
    };
    ParameterNames { exact, elsewhere, ..ParameterNames::default() }
}

/// Takes over one parameter of [`names`], or says what it accepts.
pub(crate) fn apply(
    name: &str,
    value: &str,
    target: &mut Target,
    options: &mut RedisOptions,
) -> Result<(), &'static str> {
    match name {
        "prefix" => options.prefix = value.to_owned(),
        "ttl" => options.ttl = Duration::from_secs(number(value, SECONDS)?).into(),
        "disableTTL" => options.disable_ttl = switch(value)?,
        "disableTouch" => options.disable_touch = switch(value)?,
        "scanCount" => options.scan_count = number(value, KEYS)?,
        "deadline" => options.deadline = Duration::from_millis(number(value, MILLISECONDS)?),
        "caFile" => options.ca_file = Some(text(value)?.into()),
        "certFile" => options.cert_file = Some(text(value)?.into()),
        "keyFile" => options.key_file = Some(text(value)?.into()),
        "serverName" => options.server_name = Some(text(value)?.to_owned()),
        "insecureSkipVerify" => options.insecure_skip_verify = switch(value)?,
        "protocol" => {
            target.protocol = Some(match value {
                "2" | "resp2" => ProtocolVersion::RESP2,
                "3" | "resp3" => ProtocolVersion::RESP3,
                _ => return Err("must be \"resp2\" or \"resp3\""),
            });
        }
        "db" => target.database = database(value)?,
        "user" => target.user = Some(value.to_owned()),
        "password" => target.password = Some(value.to_owned()),
        _ => return Err("is not supported"),
    }
    Ok(())
}

const SECONDS: &str = "must be a whole number of seconds above zero";
const MILLISECONDS: &str = "must be a whole number of milliseconds above zero";
const KEYS: &str = "must be a whole number of keys above zero";

pub(crate) fn database(text: &str) -> Result<u32, &'static str> {
    digits(text).ok_or("must be a number, as in redis://host/3")
}

fn number<T: TryFrom<u64>>(value: &str, why: &'static str) -> Result<T, &'static str> {
    let number: Option<u64> = digits(value);
    number.filter(|number| *number > 0).and_then(|number| number.try_into().ok()).ok_or(why)
}

/// Rust's own parsers take a `+`.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn text(value: &str) -> Result<&str, &'static str> {
    if value.is_empty() { Err("must not be empty") } else { Ok(value) }
}

fn switch(value: &str) -> Result<bool, &'static str> {
    value.parse().map_err(|_| "must be \"true\" or \"false\"")
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
    fn tls_is_set_in_the_url() {
        let options =
            tls("caFile=/ca.pem&certFile=/c.pem&keyFile=/k.pem&serverName=redis.internal");
        assert_eq!(options.ca_file.as_deref(), Some("/ca.pem".as_ref()));
        assert_eq!(options.cert_file.as_deref(), Some("/c.pem".as_ref()));
        assert_eq!(options.key_file.as_deref(), Some("/k.pem".as_ref()));
        assert_eq!(options.server_name.as_deref(), Some("redis.internal"));
        assert!(!options.insecure_skip_verify);
        assert!(tls("insecureSkipVerify=true").insecure_skip_verify);
    }

    fn tls(query: &str) -> RedisOptions {
        let mut options = RedisOptions::default();
        let url = format!("rediss://h?{query}");
        let parsed = Target::parse(&url, &mut options);
        assert_eq!(parsed.is_ok(), cfg!(feature = "tls"), "{parsed:?}");
        if parsed.is_err() {
            // Without the feature there is no such URL; the parameters are read all the same.
            let mut target = Target::parse("redis://h", &mut RedisOptions::default()).unwrap();
            for pair in query.split('&') {
                let (name, value) = pair.split_once('=').unwrap();
                apply(name, value, &mut target, &mut options).unwrap();
            }
        }
        options
    }

    #[test]
    fn a_wrong_parameter_says_what_it_accepts() {
        for (query, why) in [
            (
                "x=1",
                "must be one of prefix, ttl, disableTTL, disableTouch, scanCount, deadline, protocol, caFile, certFile, keyFile, serverName, insecureSkipVerify",
            ),
            ("disable_ttl=true", r#"unknown parameter "disable_ttl": did you mean "disableTTL"?"#),
            ("disablettl=true", r#"unknown parameter "disablettl": did you mean "disableTTL"?"#),
            ("Prefix=a", r#"unknown parameter "Prefix": did you mean "prefix"?"#),
            ("servername=a", r#"unknown parameter "servername": did you mean "serverName"?"#),
            ("rejectUnauthorized=false", "to accept any certificate, use insecureSkipVerify=true"),
            ("ttl=0", r#"invalid parameter "ttl": must be a whole number of seconds above zero"#),
            ("ttl=1.5", "must be a whole number of seconds above zero"),
            ("ttl=-1", "must be a whole number of seconds above zero"),
            ("ttl=+1", "must be a whole number of seconds above zero"),
            ("scanCount=4294967296", "must be a whole number of keys above zero"),
            ("deadline=5s", "must be a whole number of milliseconds above zero"),
            ("disableTTL=1", r#"must be "true" or "false""#),
            ("disableTouch", r#"must be "true" or "false""#),
            ("protocol=4", r#"must be "resp2" or "resp3""#),
            ("caFile=", r#"invalid parameter "caFile": must not be empty"#),
            ("prefix=a&prefix=b", r#"invalid parameter "prefix": must be given only once"#),
        ] {
            let url = format!("redis://h?{query}");
            let error = Target::parse(&url, &mut RedisOptions::default()).expect_err(&url);
            assert!(error.to_string().contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn a_socket_takes_the_database_and_the_login_as_parameters() {
        let error = Target::parse("unix:///s?x=1", &mut RedisOptions::default()).unwrap_err();
        assert!(error.to_string().ends_with("insecureSkipVerify, db, user, password"), "{error}");
    }
}
