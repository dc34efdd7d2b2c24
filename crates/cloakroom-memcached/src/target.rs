//! What a URL says: where the servers are, and how much each takes.

use cloakroom_core::{Error, StoreUrl, UrlParameter};

use crate::{MemcachedOptions, RingServer, error::STORE, parameter};

/// npm's client appends it to a server without one.
const DEFAULT_PORT: u16 = 11_211;

/// A server as the URL names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Host {
    /// Its name in the URL, weight and share of the ring.
    pub(crate) on_ring: RingServer,
    /// Where to connect.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The servers, in the URL's order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) hosts: Vec<Host>,
}

impl Target {
    /// Reads a URL. Its parameters go over those in `options`.
    pub(crate) fn parse(url: &str, options: &mut MemcachedOptions) -> Result<Self, Error> {
        let url = StoreUrl::parse(STORE, url, "memcached://")?;
        if !url.scheme().eq_ignore_ascii_case("memcached") {
            return Err(url.wrong("scheme", "it is not \"memcached\"", Some(url.scheme())));
        }
        // Whatever stands before it can be a password that was meant for another server.
        if url.login().is_some() || url.path().contains('@') {
            return Err(url.wrong("login", "memcached has no users", None));
        }
        if !["", "/"].contains(&url.path()) {
            return Err(url.wrong("path", "memcached has no databases", Some(url.path())));
        }
        let hosts =
            url.hosts().split(',').map(|text| host(&url, text)).collect::<Result<_, _>>()?;
        for UrlParameter { name, value, .. } in url.parameters(&[])? {
            if name == "secret" {
                parameter::encrypt_with(&value, options)?;
            } else {
                parameter::apply(&name, &value, options)
                    .map_err(|why| url.wrong("parameter", &why, Some(&name)))?;
            }
        }
        Ok(Self { hosts })
    }
}

/// `name`, `name:port`, and each with `;weight=…` and `;vnodes=…` behind it.
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
                let why = "it is no number above zero";
                on_ring.weight = weight.ok_or_else(|| url.wrong("weight", why, Some(value)))?;
            }
            "vnodes" => {
                let vnodes = value.parse().ok().filter(|vnodes| (1..=MOST_VNODES).contains(vnodes));
                let why = format!("it is none of 1 to {MOST_VNODES}");
                on_ring.vnodes =
                    Some(vnodes.ok_or_else(|| url.wrong("vnodes", &why, Some(value)))?);
            }
            _ => {
                let why = "it is none of weight and vnodes";
                return Err(url.wrong("option of a host", why, Some(option)));
            }
        }
    }
    Ok(Host { on_ring, host: host.to_owned(), port: port.unwrap_or(DEFAULT_PORT) })
}

/// More would make a ring of megabytes of one server.
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
    fn a_wrong_url_is_a_config_error_that_names_the_part() {
        for (url, message) in [
            ("localhost:11211", "a url begins with memcached://"),
            ("memcache://h", r#"invalid url: scheme "memcache": it is not "memcached""#),
            ("memcached://", "invalid url: host: it is missing"),
            ("memcached://:11211", "invalid url: host: it is missing"),
            ("memcached://a,,b", "invalid url: host: it is missing"),
            ("memcached://a b", r#"invalid url: host "a b": it has a character"#),
            ("memcached://[::x]", r#"invalid url: host "[::x]": it is no IPv6 address"#),
            ("memcached://h:x", "invalid url: port: it is none of 1 to 65535"),
            ("memcached://h:0", r#"invalid url: port "0""#),
            ("memcached://h:65536", r#"invalid url: port "65536""#),
            ("memcached://h;weight=0", r#"invalid url: weight "0": it is no number above zero"#),
            ("memcached://h;weight=NaN", r#"invalid url: weight "NaN""#),
            ("memcached://h;weight=inf", r#"invalid url: weight "inf""#),
            ("memcached://h;vnodes=0", r#"invalid url: vnodes "0": it is none of 1 to 10000"#),
            ("memcached://h;share=1", r#"invalid url: option of a host "share""#),
            ("memcached://h/0", r#"invalid url: path "/0": memcached has no databases"#),
            ("memcached://h#x", "invalid url: fragment: there is none"),
            ("memcached://h?prefix=100%", "invalid url: parameter: a percent sign"),
            ("memcached://h?prefix=%ff", "invalid url: parameter: it is not UTF-8"),
            ("memcached://h?ttl=1&ttl=2", r#"invalid url: parameter "ttl": it is given twice"#),
            (
                "memcached://h?retries=5",
                r#"invalid url: parameter "retries": it is none of prefix, "#,
            ),
            ("memcached://h?ttl=x", r#"invalid url: parameter "ttl": it is no whole number"#),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("memcached: open: {message}")), "{url}: {text}");
        }
    }

    #[test]
    fn what_can_be_a_password_is_not_quoted() {
        for url in [
            "memcached://ann:sec@h",
            "memcached://ann:sec",
            "memcached://:sec/ret@h",
            "memcached://h?secret=sec",
        ] {
            let error = parse(url).expect_err(url);
            let text = format!("{error} {error:?}").replace("secret", "");
            assert!(!text.contains("sec") && !text.contains("ret@"), "{text}");
        }
    }
}
