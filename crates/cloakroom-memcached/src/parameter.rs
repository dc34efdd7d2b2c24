//! The parameters of a URL.

use std::mem;

use cloakroom_backend::{ParameterNames, UrlParameter};
use cloakroom_core::Error;

use crate::{Algorithm, Compatibility, MemcachedOptions};

const HOSTS: &str = "write the servers before the \"?\", as in memcached://host1,host2";
const FAILOVER: &str = "not supported: a key stays on its server; leave it out in Node.js as well";
const HOST_OPTION: &str = "write it after a host, as in memcached://host;weight=2;vnodes=100";

/// The parameters: first the options of connect-memcached and of npm's `memcached`, spelled as there.
pub(crate) const NAMES: ParameterNames<'_> = ParameterNames {
    exact: &[
        "prefix",
        "ttl",
        "secret",
        "namespace",
        "maxExpiration",
        "maxValue",
        "keyCompression",
        "algorithm",
        "compatibility",
        "poolSize",
        "timeout",
        "maxRecord",
        "flags",
        "deadline",
    ],
    any_case: &[],
    repeatable: &[],
    elsewhere: &[
        ("host", HOSTS),
        ("hosts", HOSTS),
        ("server", HOSTS),
        ("servers", HOSTS),
        ("weight", HOST_OPTION),
        ("vnodes", HOST_OPTION),
        ("remove", FAILOVER),
        ("failOverServers", FAILOVER),
        ("redundancy", FAILOVER),
    ],
};

/// Applies one of these parameters.
pub(crate) fn apply(
    mut parameter: UrlParameter<'_>,
    options: &mut MemcachedOptions,
) -> Result<(), Error> {
    match &*parameter.name {
        "prefix" => options.prefix = mem::take(&mut parameter.value),
        "namespace" => options.namespace = mem::take(&mut parameter.value),
        "secret" => encrypt_with(&parameter, options)?,
        "ttl" => options.ttl = Some(parameter.seconds()?),
        "maxExpiration" => options.max_expiration = parameter.seconds()?,
        "maxValue" => options.max_value = Some(parameter.number("bytes")?),
        "maxRecord" => options.max_record = parameter.number("bytes")?,
        "keyCompression" => options.key_compression = parameter.switch()?,
        "algorithm" => options.algorithm = parameter.one_of(&Algorithm::KNOWN)?,
        "compatibility" => options.compatibility = parameter.one_of(&Compatibility::KNOWN)?,
        "poolSize" => options.pool_size = parameter.number("connections")?,
        "timeout" => options.timeout = parameter.milliseconds()?,
        "flags" => {
            options.flags = match &*parameter.value {
                "0" => 0,
                "2" => 2,
                _ => return Err(parameter.invalid("must be 2 or 0")),
            };
        }
        "deadline" => options.deadline = parameter.milliseconds()?,
        _ => return Err(parameter.invalid("not supported")),
    }
    Ok(())
}

/// Applies the secret. The error says what is wrong without quoting it.
#[cfg(feature = "encryption")]
fn encrypt_with(secret: &UrlParameter<'_>, options: &mut MemcachedOptions) -> Result<(), Error> {
    use crate::error::STORE;
    use cloakroom_encryption::{Counterpart, Kruptein, KrupteinOptions};

    let of_counterpart = KrupteinOptions::of(Counterpart::ConnectMemcached3);
    let kruptein = Kruptein::new(&secret.value, of_counterpart)
        .map_err(|error| error.with_context(STORE, "open"))?;
    options.encryption = Some(std::sync::Arc::new(kruptein));
    Ok(())
}

#[cfg(not(feature = "encryption"))]
fn encrypt_with(secret: &UrlParameter<'_>, _: &mut MemcachedOptions) -> Result<(), Error> {
    Err(secret.needs_feature("encryption", "cloakroom-memcached"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::target::Target;

    fn parse(url: &str) -> MemcachedOptions {
        let mut options = MemcachedOptions::default();
        Target::parse(url, &mut options).unwrap();
        options
    }

    #[test]
    fn parameters_of_a_failover_are_refused() {
        for name in ["remove", "failOverServers", "redundancy"] {
            let url = format!("memcached://h?{name}=1");
            let error = Target::parse(&url, &mut MemcachedOptions::default()).map(drop);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("a key stays on its server"), "{error}");
        }
    }

    #[test]
    fn parameters_are_the_options_of_the_npm_packages() {
        let options = parse(
            "memcached://h?prefix=app%3A&ttl=60&namespace=n.&maxExpiration=3600&maxValue=2097152&maxRecord=1000\
             &keyCompression=false&algorithm=sha1&compatibility=hash_ring&poolSize=10&timeout=5000&flags=0&deadline=250",
        );
        assert_eq!((&*options.prefix, &*options.namespace), ("app:", "n."));
        assert_eq!(options.ttl, Some(Duration::from_secs(60)));
        assert_eq!(options.max_expiration, Duration::from_secs(3_600));
        assert_eq!((options.max_value, options.max_record), (Some(2_097_152), 1_000));
        assert!(!options.key_compression);
        assert_eq!(options.algorithm, Algorithm::Sha1);
        assert_eq!(options.compatibility, Compatibility::HashRing);
        assert_eq!((options.pool_size, options.flags), (10, 0));
        assert_eq!(options.timeout, Duration::from_secs(5));
        assert_eq!(options.deadline, Duration::from_millis(250));
        assert_eq!(parse("memcached://h?compatibility=").compatibility, Compatibility::Plain);
    }

    #[test]
    fn the_defaults_are_those_of_connect_memcached() {
        let options = parse("memcached://h");
        assert_eq!(options.full_prefix(), "");
        assert_eq!(options.ttl, None);
        assert_eq!(options.max_expiration, Duration::from_secs(2_592_000));
        assert!(options.key_compression);
        assert_eq!(options.flags, 2);
        assert_eq!(options.algorithm, Algorithm::Md5);
        assert_eq!(options.compatibility, Compatibility::Ketama);
    }

    #[test]
    fn an_unknown_parameter_lists_the_known_ones() {
        let mut options = MemcachedOptions::default();
        let error = Target::parse("memcached://h?x=1", &mut options).unwrap_err().to_string();
        for name in NAMES.exact {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn values_without_a_meaning_are_refused() {
        for (name, value) in [
            ("ttl", "0"),
            ("ttl", "-1"),
            ("ttl", "60.5"),
            ("ttl", "77s"),
            ("maxValue", ""),
            ("keyCompression", "yes"),
            ("algorithm", "crc32"),
            ("compatibility", "libmemcached"),
            ("poolSize", "0"),
            ("timeout", "0"),
            ("flags", "x"),
            ("deadline", "0"),
        ] {
            let url = format!("memcached://h?{name}={value}");
            let error = Target::parse(&url, &mut MemcachedOptions::default()).unwrap_err();
            let why = format!("memcached: open: invalid parameter {name:?}: must be ");
            assert!(error.to_string().starts_with(&why), "{name}={value}: {error}");
        }
    }
}
