//! The parameters of a URL.

use std::mem;

use cloakroom_backend::{ParameterNames, UrlParameter};
use cloakroom_core::Error;
use redis::ProtocolVersion;

use crate::{
    RedisOptions,
    target::{Kind, Target},
};

/// The parameters: first the options of connect-redis, spelled as there.
const NAMES: &[&str] = &[
    "prefix",
    "ttl",
    "disableTTL",
    "disableTouch",
    "scanCount",
    "maxRecord",
    "deadline",
    "userPath",
    "protocol",
    "caFile",
    "certFile",
    "keyFile",
    "serverName",
    "insecureSkipVerify",
];

/// Further parameters of Unix sockets, whose URLs have no other place for them.
const OF_SOCKETS: &[&str] = &["db", "user", "password"];

/// Further parameters of Sentinel, spelled as in ioredis.
const OF_SENTINELS: &[&str] = &["sentinelUsername", "sentinelPassword"];

const DATABASE: &str = "write the database after the host, as in redis://host/3";
const LOGIN: &str = "write the user and password before the host, as in redis://user:password@host";
const TLS: &str = "for TLS, use the scheme \"rediss\"";
const SECRET: &str = "to encrypt sessions, set the option \"serializer\" in code";
const SKIP: &str = "to accept any certificate, use insecureSkipVerify=true";

/// Options of other clients, each with what to write instead.
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

/// The same for Unix sockets, where `db`, `user` and `password` are parameters.
const ELSEWHERE_OF_SOCKETS: &[(&str, &str)] = &[
    ("secret", SECRET),
    ("database", "use the parameter \"db\""),
    ("username", "use the parameter \"user\""),
    ("pass", "use the parameter \"password\""),
];

/// What the URLs of one kind have in their query.
pub(crate) struct Names {
    exact: Vec<&'static str>,
    elsewhere: &'static [(&'static str, &'static str)],
}

impl Names {
    pub(crate) fn of(kind: Kind) -> Self {
        let (more, elsewhere) = match kind {
            Kind::Socket => (OF_SOCKETS, ELSEWHERE_OF_SOCKETS),
            Kind::Sentinels => (OF_SENTINELS, ELSEWHERE),
            Kind::Server | Kind::Cluster => (&[][..], ELSEWHERE),
        };
        Self { exact: [NAMES, more].concat(), elsewhere }
    }

    pub(crate) fn get(&self) -> ParameterNames<'_> {
        let (exact, elsewhere) = (&*self.exact, self.elsewhere);
        ParameterNames { exact, elsewhere, ..ParameterNames::default() }
    }
}

/// Applies one parameter of [`Names`].
pub(crate) fn apply(
    mut parameter: UrlParameter<'_>,
    target: &mut Target,
    sentinel: &mut Target,
    options: &mut RedisOptions,
) -> Result<(), Error> {
    match &*parameter.name {
        "prefix" => options.prefix = mem::take(&mut parameter.value),
        "ttl" => options.ttl = parameter.seconds()?.into(),
        "disableTTL" => options.disable_ttl = parameter.switch()?,
        "disableTouch" => options.disable_touch = parameter.switch()?,
        "scanCount" => options.scan_count = parameter.number("keys")?,
        "maxRecord" => options.max_record = parameter.number("bytes")?,
        "deadline" => options.deadline = parameter.milliseconds()?,
        "userPath" => options.user_path = Some(parameter.text()?.to_owned()),
        "caFile" => options.ca_file = Some(parameter.text()?.into()),
        "certFile" => options.cert_file = Some(parameter.text()?.into()),
        "keyFile" => options.key_file = Some(parameter.text()?.into()),
        "serverName" => options.server_name = Some(parameter.text()?.to_owned()),
        "insecureSkipVerify" => options.insecure_skip_verify = parameter.switch()?,
        "protocol" => {
            target.protocol = Some(match &*parameter.value {
                "2" | "resp2" => ProtocolVersion::RESP2,
                "3" | "resp3" => ProtocolVersion::RESP3,
                _ => return Err(parameter.invalid("must be \"resp2\" or \"resp3\"")),
            });
        }
        "db" => {
            target.database = database(&parameter.value).map_err(|why| parameter.invalid(why))?;
        }
        "user" => target.user = Some(mem::take(&mut parameter.value)),
        "password" => target.password = Some(mem::take(&mut parameter.value).into()),
        "sentinelUsername" => sentinel.user = Some(mem::take(&mut parameter.value)),
        "sentinelPassword" => {
            sentinel.password = Some(mem::take(&mut parameter.value).into());
        }
        _ => return Err(parameter.invalid("not supported")),
    }
    Ok(())
}

/// Parses the number of a database. Digits only, because Rust's parser accepts a leading `+`.
pub(crate) fn database(text: &str) -> Result<u32, &'static str> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or("must be a whole number, as in redis://host/3")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cloakroom_backend::StoreUrl;

    use super::*;
    use crate::{
        Ttl,
        target::{Place, Route},
    };

    fn parse(url: &str) -> (Target, RedisOptions) {
        let mut options = RedisOptions::default();
        match Place::parse(url, &mut options).unwrap() {
            Place::Server(Route::Fixed(target)) => (target, options),
            place => panic!("{place:?}"),
        }
    }

    #[test]
    fn parameters_are_the_options_of_connect_redis() {
        let (target, options) = parse(
            "redis://h/2?prefix=my%20app:&ttl=60&disableTTL=true&disableTouch=true&scanCount=7&maxRecord=1000&deadline=250&userPath=passport.user&protocol=2",
        );
        assert_eq!(options.prefix, "my app:");
        assert!(matches!(options.ttl, Ttl::Browser(ttl) if ttl == Duration::from_secs(60)));
        assert!(options.disable_ttl && options.disable_touch);
        assert_eq!((options.scan_count, options.max_record), (7, 1_000));
        assert_eq!(options.deadline, Duration::from_millis(250));
        assert_eq!(options.user_path.as_deref(), Some("passport.user"));
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
        let parsed = Place::parse(&url, &mut options);
        assert_eq!(parsed.is_ok(), cfg!(feature = "tls"), "{parsed:?}");
        if parsed.is_err() {
            // Without the feature, `rediss:` is rejected, but the parameters are still parsed.
            let (mut target, _) = parse("redis://h");
            let mut sentinel = target.clone();
            let url = StoreUrl::parse("redis", &url, "rediss://").unwrap();
            for parameter in url.parameters(&Names::of(Kind::Server).get()).unwrap() {
                apply(parameter, &mut target, &mut sentinel, &mut options).unwrap();
            }
        }
        options
    }

    #[test]
    fn a_wrong_parameter_says_what_it_accepts() {
        for (query, why) in [
            (
                "x=1",
                "must be one of prefix, ttl, disableTTL, disableTouch, scanCount, maxRecord, deadline, userPath, protocol, caFile, certFile, keyFile, serverName, insecureSkipVerify",
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
            ("maxRecord=0", "must be a whole number of bytes above zero"),
            ("deadline=5s", "must be a whole number of milliseconds above zero"),
            ("disableTTL=1", r#"must be "true" or "false""#),
            ("disableTouch", r#"must be "true" or "false""#),
            ("protocol=4", r#"must be "resp2" or "resp3""#),
            ("userPath=", r#"invalid parameter "userPath": must not be empty"#),
            ("caFile=", r#"invalid parameter "caFile": must not be empty"#),
            ("prefix=a&prefix=b", r#"invalid parameter "prefix": must be given only once"#),
        ] {
            let url = format!("redis://h?{query}");
            let error = Place::parse(&url, &mut RedisOptions::default()).expect_err(&url);
            assert!(error.to_string().contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn a_socket_takes_the_database_and_the_login_as_parameters() {
        let error = Place::parse("unix:///s?x=1", &mut RedisOptions::default()).unwrap_err();
        assert!(error.to_string().ends_with("insecureSkipVerify, db, user, password"), "{error}");
    }
}
