//! Parses a URL: the addresses of the servers and their shares.

use cloakroom_backend::StoreUrl;
use cloakroom_core::Error;

use crate::{MemcachedOptions, RingServer, error::STORE, parameter};

/// The port that npm's client appends to a server without one.
const DEFAULT_PORT: u16 = 11_211;

/// A server as the URL names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Host {
    /// Its name in the URL, its weight and its `vnodes`.
    pub(crate) on_ring: RingServer,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The servers, in the URL's order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) hosts: Vec<Host>,
}

impl Target {
    /// Parses a URL. Its parameters replace those in `options`.
    pub(crate) fn parse(url: &str, options: &mut MemcachedOptions) -> Result<Self, Error> {
        let url = StoreUrl::parse(STORE, url, "memcached://")?;
        if !url.scheme().eq_ignore_ascii_case("memcached") {
            return Err(url.unknown_scheme(&["memcached"]));
        }
        if url.login().is_some() || url.path().contains('@') {
            return Err(url.error("a login is not supported: Memcached has no users"));
        }
        if !["", "/"].contains(&url.path()) {
            return Err(url.invalid("path", "must be empty: Memcached has no databases"));
        }
        let hosts =
            url.hosts().split(',').map(|text| host(&url, text)).collect::<Result<_, _>>()?;
        for parameter in url.parameters(&parameter::NAMES)? {
            parameter::apply(parameter, options)?;
        }
        Ok(Self { hosts })
    }
}

/// Parses `name` or `name:port`, each optionally followed by `;weight=…` and `;vnodes=…`.
fn host(url: &StoreUrl<'_>, text: &str) -> Result<Host, Error> {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default();
    let (host, port) = url.host(name)?;
    let mut on_ring = RingServer::new(name);
    for part in parts {
        let (option, value) = part.split_once('=').unwrap_or((part, ""));
        match option {
            "weight" => {
                let weight = value.parse().ok().filter(|w: &f64| w.is_finite() && *w > 0.0);
                let why = "must be a number above zero";
                on_ring.weight = weight.ok_or_else(|| url.invalid("weight", why))?;
            }
            "vnodes" => {
                let vnodes = value.parse().ok().filter(|vnodes| (1..=MOST_VNODES).contains(vnodes));
                let why = format!("must be between 1 and {MOST_VNODES}");
                on_ring.vnodes = Some(vnodes.ok_or_else(|| url.invalid("vnodes", &why))?);
            }
            _ => return Err(url.invalid("option of a host", "must be weight or vnodes")),
        }
    }
    Ok(Host { on_ring, host: host.to_owned(), port: port.unwrap_or(DEFAULT_PORT) })
}

/// The maximum number of `vnodes`. More would make a ring of megabytes for one server.
const MOST_VNODES: u32 = 10_000;

#[cfg(test)]
mod tests {
    use cloakroom_core::ErrorKind;

    use super::*;

    fn parse(url: &str) -> Result<Target, Error> {
        Target::parse(url, &mut MemcachedOptions::default())
    }

    #[test]
    fn urls_are_read() {
        for (url, hosts) in [
            ("memcached://localhost", &[("localhost", "localhost", 11_211)][..]),
            ("Memcached://10.0.0.1:11212/", &[("10.0.0.1:11212", "10.0.0.1", 11_212)]),
            (
                "memcached://h1,h2:11211/?prefix=a",
                &[("h1", "h1", 11_211), ("h2:11211", "h2", 11_211)],
            ),
            (
                "memcached://my_cache.svc:1,[::1]:2,[fe80::1]",
                &[
                    ("my_cache.svc:1", "my_cache.svc", 1),
                    ("[::1]:2", "::1", 2),
                    ("[fe80::1]", "fe80::1", 11_211),
                ],
            ),
        ] {
            let target = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let read: Vec<_> = target
                .hosts
                .iter()
                .map(|host| (&*host.on_ring.name, &*host.host, host.port))
                .collect();
            assert_eq!(read, hosts, "{url}");
            assert!(
                target
                    .hosts
                    .iter()
                    .all(|host| host.on_ring == RingServer::new(&*host.on_ring.name))
            );
        }
    }

    #[test]
    fn hosts_have_weights() {
        let target = parse("memcached://a:1;weight=3,b;weight=0.5;vnodes=100,c;vnodes=7").unwrap();
        let read: Vec<_> = target
            .hosts
            .iter()
            .map(|host| (&*host.on_ring.name, host.on_ring.weight, host.on_ring.vnodes))
            .collect();
        assert_eq!(read, [("a:1", 3.0, None), ("b", 0.5, Some(100)), ("c", 1.0, Some(7))]);
    }

    #[test]
    fn a_wrong_url_is_a_config_error_that_says_what_is_accepted() {
        for (url, message) in [
            ("localhost:11211", "invalid url: must begin with memcached://"),
            ("memcache://h", r#"unknown scheme "memcache": did you mean "memcached"?"#),
            ("redis://h", "unknown scheme: must be one of memcached"),
            ("memcached://", "invalid host: must not be empty"),
            ("memcached://:11211", "invalid host: must not be empty"),
            ("memcached://a,,b", "invalid host: must not be empty"),
            ("memcached://h:x", "invalid port: must be between 1 and 65535"),
            ("memcached://h:0", r#"invalid port "0": must be between 1 and 65535"#),
            ("memcached://a,h:70000", r#"invalid port "70000": must be between 1 and 65535"#),
            ("memcached://h;weight=0", "invalid weight: must be a number above zero"),
            ("memcached://h;weight=NaN", "invalid weight: must be a number above zero"),
            ("memcached://h;weight=inf", "invalid weight: must be a number above zero"),
            ("memcached://h;vnodes=0", "invalid vnodes: must be between 1 and 10000"),
            ("memcached://h;share=1", "invalid option of a host: must be weight or vnodes"),
            ("memcached://h/0", "invalid path: must be empty: Memcached has no databases"),
            ("memcached://ann:x@h", "a login is not supported: Memcached has no users"),
            ("memcached://h#x", "fragments are not supported"),
            ("memcached://h&secret=x", "parameters must follow a \"?\""),
            ("memcached://h;secret=x", "invalid option of a host: must be weight or vnodes"),
            ("memcached://h;weight=2;ttl=5", "invalid option of a host: must be weight or vnodes"),
            (
                "memcached://h?prefix=100%",
                r#"invalid parameter "prefix": a percent sign must be written as %25"#,
            ),
            ("memcached://h?prefix=%ff", r#"invalid parameter "prefix": must be valid UTF-8"#),
            ("memcached://h?ttl=1&ttl=2", r#"invalid parameter "ttl": must be given only once"#),
            (
                "memcached://h?retries=5",
                r#"unknown parameter "retries": must be one of prefix, ttl, secret, "#,
            ),
            (
                "memcached://h?pool_size=5",
                r#"unknown parameter "pool_size": did you mean "poolSize"?"#,
            ),
            (
                "memcached://h?hosts=a",
                r#"unknown parameter "hosts": write the servers before the "?", as in memcached://host1,host2"#,
            ),
            (
                "memcached://h?ttl=x",
                r#"invalid parameter "ttl": must be a whole number of seconds above zero"#,
            ),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("memcached: open: {message}")), "{url}: {text}");
        }
    }
}
