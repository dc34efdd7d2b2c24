//! What a store's URL is split into, and what is said about a wrong one.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use cloakroom_backend::{ParameterNames, StoreUrl};
use cloakroom_core::{Error, ErrorKind};

const NAMES: ParameterNames<'_> = ParameterNames {
    exact: &["prefix", "ttl", "disableTTL", "secret", "touchAfter"],
    any_case: &["tag", "maxPoolSize"],
    repeatable: &["Tag"],
    elsewhere: &[("db", "the database goes after the host, as in x://host/3")],
};

fn parse(url: &str) -> Result<StoreUrl<'_>, Error> {
    StoreUrl::parse("store", url, "x://")
}

/// The message about a URL, after the store and the operation.
fn message(url: &str) -> String {
    let checked = parse(url).and_then(|url| {
        for host in url.hosts().split(',') {
            url.host(host)?;
        }
        url.user()?;
        url.password()?;
        url.decode("path", url.path())?;
        url.parameters(&NAMES).map(drop)
    });
    let error = checked.expect_err(url);
    assert_eq!(error.kind(), ErrorKind::Config, "{url}");
    error.to_string().strip_prefix("store: open: ").unwrap().to_owned()
}

#[test]
fn urls_are_split_into_their_parts() {
    for (url, login, hosts, path, place) in [
        ("x://", None, "", "", ""),
        ("x://h", None, "h", "", "h"),
        ("x://a:1,[::1];w=2/", None, "a:1,[::1];w=2", "/", "a:1,[::1];w=2/"),
        ("x://ann@h/a/b?c=/d", Some(("ann", None)), "h", "/a/b", "ann@h/a/b"),
        ("x://:p:q@r&s=t@h?", Some(("", Some("p:q@r&s=t"))), "h", "", ":p:q@r&s=t@h"),
        ("x:///run/s?e@f", None, "", "/run/s", "/run/s"),
    ] {
        let parsed = parse(url).unwrap();
        assert_eq!(parsed.scheme(), "x", "{url}");
        assert_eq!((parsed.login(), parsed.hosts()), (login, hosts), "{url}");
        assert_eq!((parsed.path(), parsed.place()), (path, place), "{url}");
    }
}

#[test]
fn a_login_is_decoded_and_an_empty_user_is_none() {
    for (url, user, password) in [
        ("x://h", None, None),
        ("x://@h", None, None),
        ("x://ann@h", Some("ann"), None),
        ("x://:%E2%82%AC+@h", None, Some("€+")),
        ("x://a%3an:@h", Some("a:n"), Some("")),
        ("x://:%20p%20@h", None, Some(" p ")),
    ] {
        let parsed = parse(url).unwrap();
        assert_eq!(parsed.user().unwrap().as_deref(), user, "{url}");
        assert_eq!(parsed.password().unwrap().as_deref(), password, "{url}");
    }
}

#[test]
fn parameters_come_in_their_order_and_under_their_known_names() {
    let url = parse("x://h?prefix=%3d=&ttl&&se%63ret=c2k=&tag=1&TAG=2&MAXpoolSize=a%20b").unwrap();
    let parameters = url.parameters(&NAMES).unwrap();
    let read: Vec<_> = parameters.iter().map(|p| (&*p.name, &*p.value, p.raw)).collect();
    assert_eq!(
        read,
        [
            ("prefix", "==", "prefix=%3d="),
            ("ttl", "", "ttl"),
            ("secret", "c2k=", "se%63ret=c2k="),
            ("tag", "1", "tag=1"),
            ("tag", "2", "TAG=2"),
            ("maxPoolSize", "a b", "MAXpoolSize=a%20b"),
        ]
    );
    assert!(!format!("{parameters:?}").contains("c2k"), "{parameters:?}");
}

#[test]
fn a_message_says_what_is_accepted() {
    const TORN: &str = "; in a password, write @ as %40, / as %2F, ? as %3F and # as %23";
    for (url, wanted) in [
        ("h:1", "invalid url: must begin with x://"),
        ("", "invalid url: must begin with x://"),
        ("x://h#f", "fragments are not supported"),
        (
            "x://hx://h",
            r#"invalid url: must contain "://" only once; in a password or a parameter, write : as %3A"#,
        ),
        ("x://h:0", r#"invalid port "0": must be between 1 and 65535"#),
        ("x://h:70000", r#"invalid port "70000": must be between 1 and 65535"#),
        ("x://h:", "invalid port: must be between 1 and 65535"),
        ("x://h:+80", "invalid port: must be between 1 and 65535"),
        ("x://h:655360", "invalid port: must be between 1 and 65535"),
        ("x://h:hush", "invalid port: must be between 1 and 65535"),
        ("x://:80", "invalid host: must not be empty"),
        ("x://::1", "invalid host: an IPv6 address must be in brackets, as in [::1]"),
        ("x://[::x]", "invalid host: must have a valid IPv6 address in its brackets"),
        ("x://[::1]80", "invalid host: must have a valid IPv6 address in its brackets"),
        ("x://hush!", r#"invalid host: must contain only letters, digits, ".", "-" and "_""#),
        ("x://:100%@h", "invalid password: a percent sign must be written as %25"),
        ("x://:%4@h", "invalid password: a percent sign must be written as %25"),
        ("x://:%%41@h", "invalid password: a percent sign must be written as %25"),
        ("x://:%ff%é@h", "invalid password: a percent sign must be written as %25"),
        ("x://:%ff@h", "invalid password: must be valid UTF-8"),
        ("x://:a%C3é@h", "invalid password: must be valid UTF-8"),
        ("x://h?ttl=%zz", r#"invalid parameter "ttl": a percent sign must be written as %25"#),
        ("x://h?ttl=1&ttl=2", r#"invalid parameter "ttl": must be given only once"#),
        (
            "x://h?maxpoolsize=1&maxPoolSize=2",
            r#"invalid parameter "maxPoolSize": must be given only once"#,
        ),
        ("x://h?disable_ttl=1", r#"unknown parameter "disable_ttl": did you mean "disableTTL"?"#),
        ("x://h?touch_after=1", r#"unknown parameter "touch_after": did you mean "touchAfter"?"#),
        ("x://h?TTL=1", r#"unknown parameter "TTL": did you mean "ttl"?"#),
        ("x://h?Secret=hush", r#"unknown parameter "Secret": did you mean "secret"?"#),
        ("x://h?prefxi=1", r#"unknown parameter "prefxi": did you mean "prefix"?"#),
        (
            "x://h?db=3",
            r#"unknown parameter "db": the database goes after the host, as in x://host/3"#,
        ),
        (
            "x://h?DB=3",
            r#"unknown parameter "DB": the database goes after the host, as in x://host/3"#,
        ),
        (
            "x://h?size=3",
            r#"unknown parameter "size": must be one of prefix, ttl, disableTTL, secret, touchAfter, tag, maxPoolSize"#,
        ),
        (
            "x://h?password=hush",
            r#"unknown parameter "password": must be one of prefix, ttl, disableTTL, secret, touchAfter, tag, maxPoolSize"#,
        ),
        (
            "x://h?hush",
            "unknown parameter: must be one of prefix, ttl, disableTTL, secret, touchAfter, tag, maxPoolSize",
        ),
        ("x://h?secretx=1", r#"unknown parameter: did you mean "secret"?"#),
        (
            "x://h?secret=a&b=c",
            r#"unknown parameter after "secret": in its value, write & as %26; must be one of prefix, ttl, disableTTL, secret, touchAfter, tag, maxPoolSize"#,
        ),
        (
            "x://h?prefix=a;secret=b",
            r#"invalid parameter "prefix": the next parameter must follow a "&""#,
        ),
        (
            "x://h?prefix=a?secret=b",
            r#"invalid parameter "prefix": the next parameter must follow a "&""#,
        ),
        (
            "x://h?prefix=a,TTL=b",
            r#"invalid parameter "prefix": the next parameter must follow a "&""#,
        ),
        (
            "x://h&secret=b",
            "parameters must follow a \"?\"; elsewhere, write & as %26 and = as %3D",
        ),
        (
            "x://h/a&secret=b?ttl=1",
            "parameters must follow a \"?\"; elsewhere, write & as %26 and = as %3D",
        ),
        (
            "x://h/a;secret=b",
            "parameters must follow a \"?\"; elsewhere, write & as %26 and = as %3D",
        ),
        (
            "x://h&secret=b@c",
            "parameters must follow a \"?\"; elsewhere, write & as %26 and = as %3D",
        ),
        ("x://h:1&secret=b@c", "parameters must follow a \"?\""),
    ] {
        assert_eq!(message(url), wanted, "{url}");
    }
    for (url, wanted) in [
        ("x://ann:pass/word@h", "invalid port: must be between 1 and 65535"),
        ("x://ann:pass?word@h", "invalid port: must be between 1 and 65535"),
        ("x://ann:70000/word@h", "invalid port: must be between 1 and 65535"),
        ("x://ann:pass#word@h", "fragments are not supported"),
        (
            "x://ann:1?word@h",
            "unknown parameter: must be one of prefix, ttl, disableTTL, secret, touchAfter, tag, maxPoolSize",
        ),
    ] {
        assert_eq!(message(url), format!("{wanted}{TORN}"), "{url}");
    }
}

#[test]
fn what_cannot_be_seen_is_refused_wherever_it_is() {
    let url = "x://ann:pass@h:1/path?prefix=a&secret=b";
    let hidden =
        ['\n', '\r', '\t', ' ', '\0', '\u{7f}', '\u{85}', '\u{a0}', '\u{2028}', '\u{feff}'];
    for character in hidden {
        for at in 0..=url.len() {
            let mut wrong = url.to_owned();
            wrong.insert(at, character);
            let error = message(&wrong);
            assert!(error.starts_with("invalid url: must not "), "{wrong:?}: {error}");
        }
        let at_end = message(&format!("{url}{character}"));
        assert_eq!(at_end, "invalid url: must not end with white space or a line break");
    }
}

#[test]
fn what_nobody_means_is_refused_when_it_is_encoded() {
    for (text, is_secret_fine) in [("%0A", false), ("%00", false), ("%7F", false), ("%20", true)] {
        for (url, is_fine) in [
            (format!("x://ann{text}:pass@h"), false),
            (format!("x://ann:pass{text}@h"), is_secret_fine),
            (format!("x://h{text}"), false),
            (format!("x://h:1{text}"), false),
            (format!("x://h/path{text}"), false),
            (format!("x://h?prefix=a{text}"), false),
            (format!("x://h?prefix{text}=a"), false),
            (format!("x://h?secret=a{text}"), is_secret_fine),
        ] {
            let checked = parse(&url).and_then(|url| {
                url.host(url.hosts())?;
                url.user()?;
                url.password()?;
                url.decode("path", url.path())?;
                url.parameters(&NAMES).map(drop)
            });
            assert_eq!(checked.is_ok(), is_fine, "{url}: {checked:?}");
        }
    }
}

#[test]
fn debug_leaves_out_everything_but_the_store() {
    assert_eq!(
        format!("{:?}", parse("x://ann:hush@h").unwrap()),
        r#"StoreUrl { store: "store", .. }"#
    );
}
