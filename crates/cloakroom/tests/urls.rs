//! The URLs of all stores: what is typed wrong is refused, and no message has a secret.

#![cfg(all(
    feature = "redis-tls",
    feature = "memcached",
    feature = "mongodb",
    feature = "encryption"
))]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::error::Error as _;

use cloakroom::{Error, ErrorKind};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};

/// Each has one place for a secret.
const URLS: &[&str] = &[
    "redis://:SECRET@localhost:6379/0?ttl=60",
    "redis://ann:SECRET@localhost",
    "rediss://ann:SECRET@localhost:6380/1?caFile=/no/such/ca.pem&prefix=app:",
    "unix:///run/redis.sock?user=ann&password=SECRET&db=1",
    "unix:///run/redis.sock?db=1&password=SECRET",
    "memcached://localhost?secret=SECRET&ttl=60",
    "memcached://h1:11211,h2;weight=2?ttl=60&secret=SECRET",
    "mongodb://ann:SECRET@h1:27017,h2/app?replicaSet=rs",
    "mongodb://localhost/app?secret=SECRET",
    "mongodb://localhost/app?ttl=60&secret=SECRET&touchAfter=60",
    "mongodb://localhost/?tlsCertificateKeyFilePassword=SECRET&tlsCertificateKeyFile=/k.pem",
];

/// What people do to a URL, at a place or to a character of it.
#[derive(Clone, Debug)]
enum Slip {
    Drop(char),
    Replace(char, char),
    Insert(prop::sample::Index, char),
    DropAt(prop::sample::Index),
    CutBefore(prop::sample::Index),
    Double,
    WithoutScheme,
    Upper,
    Lower,
    Encoded,
}

const DELIMITERS: &[char] =
    &[':', '/', '?', '#', '@', '&', '=', ';', ',', '%', '[', ']', '\n', ' ', '+'];

fn slip() -> impl Strategy<Value = Slip> {
    let delimiter = || select(DELIMITERS);
    prop_oneof![
        4 => delimiter().prop_map(Slip::Drop),
        4 => (delimiter(), delimiter()).prop_map(|(from, to)| Slip::Replace(from, to)),
        4 => (any::<prop::sample::Index>(), delimiter()).prop_map(|(at, it)| Slip::Insert(at, it)),
        2 => any::<prop::sample::Index>().prop_map(Slip::DropAt),
        1 => any::<prop::sample::Index>().prop_map(Slip::CutBefore),
        1 => Just(Slip::Double),
        1 => Just(Slip::WithoutScheme),
        1 => Just(Slip::Upper),
        1 => Just(Slip::Lower),
        1 => Just(Slip::Encoded),
    ]
}

fn slipped(url: &str, slip: &Slip) -> String {
    let at = |index: &prop::sample::Index| index.index(url.chars().count().max(1));
    match slip {
        Slip::Drop(it) => url.replacen(*it, "", 1),
        Slip::Replace(from, to) => url.replacen(*from, &to.to_string(), 1),
        Slip::Insert(index, it) => {
            let (head, tail): (Vec<_>, Vec<_>) =
                url.chars().enumerate().partition(|(i, _)| *i < at(index));
            head.iter().map(|(_, c)| *c).chain([*it]).chain(tail.iter().map(|(_, c)| *c)).collect()
        }
        Slip::DropAt(index) => {
            url.chars().enumerate().filter(|(i, _)| *i != at(index)).map(|(_, c)| c).collect()
        }
        Slip::CutBefore(index) => url.chars().skip(at(index)).collect(),
        Slip::Double => format!("{url}{url}"),
        Slip::WithoutScheme => url.split_once("://").map_or("", |(_, rest)| rest).to_owned(),
        Slip::Upper => url.to_ascii_uppercase(),
        Slip::Lower => url.to_ascii_lowercase(),
        Slip::Encoded => encoded(url),
    }
}

fn encoded(url: &str) -> String {
    url.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Words that are in no message, which digits make sure of, joined by what nobody encoded.
fn secret() -> impl Strategy<Value = (String, Vec<String>)> {
    let words = vec("[QXZJ][0-9][KVQZXJ0-9]{3,6}", 1..4);
    (words, vec(select(DELIMITERS), 3)).prop_map(|(words, delimiters)| {
        let mut text = String::new();
        for (word, delimiter) in words.iter().zip(delimiters) {
            if !text.is_empty() {
                text.push(delimiter);
            }
            text.push_str(word);
        }
        (text, words)
    })
}

fn all_of(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    text
}

/// Whether four characters in a row of the word are in the text, in any case.
fn leaks(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    (0..=word.len().saturating_sub(4)).any(|at| text.contains(&word[at..at + 4]))
}

proptest! {
    #![proptest_config(Config { cases: 4_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_error_has_a_secret_however_its_url_is_misspelled(
        url in select(URLS),
        (secret, words) in secret(),
        slips in vec(slip(), 0..4),
    ) {
        let mut url = url.replace("SECRET", &secret);
        for slip in &slips {
            url = slipped(&url, slip);
        }
        if let Err(error) = cloakroom::open(&url) {
            let text = all_of(&error);
            for word in words {
                prop_assert!(!leaks(&text, &word), "{url}\n{text}");
            }
        }
    }
}

#[test]
fn what_cannot_be_seen_is_refused_by_every_store() {
    for url in URLS.iter().chain(&["memory:?ttl=60", "redis://h/0", "mongodb://h/shop"]) {
        let url = url.replace("caFile=/no/such/ca.pem&", "");
        for hidden in ["\n", "\r\n", " ", "\t", "\0", "\u{feff}"] {
            for at in [0, url.find(':').unwrap(), url.len()] {
                let mut wrong = url.clone();
                wrong.insert_str(at, hidden);
                let error = cloakroom::open(&wrong).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Config, "{wrong:?}");
            }
        }
    }
    for url in [
        "mongodb://h/shop%0A",
        "mongodb://h/shop%20",
        "mongodb://h/app?collectionName=shop%0A",
        "mongodb://h%0A/app",
        "redis://h/0%0A",
        "redis://h%20/0",
        "redis://h?prefix=shop:%0A",
        "redis://:pass%0A@h",
        "unix:///run/redis.sock%0A",
        "memcached://h?prefix=shop:%0A",
        "memcached://h?secret=Sup3r!Secret%0A",
        "memory:?ttl=60%0A",
    ] {
        let error = cloakroom::open(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
    }
}

#[test]
fn a_parameter_without_its_question_mark_is_refused_by_every_store() {
    for url in [
        "redis://h&prefix=a",
        "redis://h/0&prefix=a",
        "unix:///s&password=x",
        "unix:///s&password=x?db=1",
        "memcached://h&secret=x",
        "memcached://h/&secret=x",
        "mongodb://h&secret=x",
        "mongodb://h/&secret=x",
        "mongodb://h/app&secret=x",
        "mongodb://h/app;secret=x",
        "mongodb://h/app&secret=x?ttl=60",
        "mongodb://h/app?collectionName=a;secret=x",
        "mongodb://h/app?collectionName=a?secret=x",
        "mongodb://ann:p@h/app&secret=x",
        "mongodb://h:27017&secret=p@ss",
        "memory:&ttl=60",
    ] {
        let error = cloakroom::open(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        let text = error.to_string();
        assert!(
            text.contains("must follow a \"?\"") || text.contains("must follow a \"&\""),
            "{text}"
        );
    }
}

#[test]
fn an_open_store_does_not_show_its_secret() {
    // Without a feature of its own, the driver takes no password for a key.
    for url in URLS.iter().filter(|url| !url.contains("KeyFilePassword")) {
        let url = url.replace("SECRET", "Qz7!hush-Qz8").replace("caFile=/no/such/ca.pem&", "");
        let text = format!("{:?}", cloakroom::open(&url).unwrap_or_else(|error| panic!("{error}")));
        assert!(!text.contains("hush"), "{url}: {text}");
    }
}

#[test]
fn a_secret_is_quoted_in_none_of_these() {
    for url in [
        "hush1",
        "hush1:",
        "hush1://h",
        "ann:hush1@h:6379",
        "hush1@h:6379",
        "//:hush1@h",
        "redis:ann:hush1@h",
        "redis:/ann:hush1@h",
        "redis:///ann:hush1@h",
        "redis://hush1!",
        "redis://ann:hush1",
        "redis://:hush1",
        "redis://:12345hush1",
        "redis://hush1@h",
        "redis://ann:pa/hush1@h",
        "redis://ann:pa?hush1@h",
        "redis://ann:pa#hush1@h",
        "redis://ann:1/hush1@h",
        "redis://ann:1?hush1@h",
        "redis://ann:1?hush1=x@h",
        "redis://ann:hush1%@h",
        "redis://ann:hush1@h:70000/x@h",
        "redis://:hush1@hredis://:hush1@h",
        "redis://:hush1@h,redis://:hush1@h",
        "redis://h/hush1",
        "redis://h?hush1",
        "redis://h?hush1=",
        "redis://h?hush1==",
        "redis://h?aHVzaDE=",
        "redis://h?password:hush1",
        "redis://h?password:hush1=",
        "redis://h?password=hush1",
        "redis://h?PASSWORD=hush1",
        "redis://h?secrethush1=x",
        "redis://h?ttl=hush1",
        "redis://h?db=hush1",
        "redis://h?protocol=hush1",
        "redis://h?disableTTL=hush1",
        "unix://hush1/run/redis.sock",
        "unix://:hush1/run/redis.sock",
        "unix:///s?user=hush1",
        "unix:///s?password=x&hush1=x",
        "unix:///s?password=x&hush1",
        "memcached://:hush1@h",
        "memcached://h/hush1",
        "memcached://h;hush1",
        "memcached://h;weight=hush1",
        "memcached://h?secret:hush1",
        "memcached://h?secret;hush1",
        "memcached://h?Secret=hush1",
        "memcached://h?secret=a&hush1=b",
        "memcached://h?algorithm=hush1",
        "mongodb://ann:hush1",
        "mongodb://ann:hush1:x@h",
        "mongodb://ann:hush1/x@h",
        "mongodb://ann:x@hush1@h",
        "mongodb://h/app.hush1",
        "mongodb://h/app:hush1",
        "mongodb://h?autoRemove=hush1",
        "mongodb://h?tls=hush1",
        "mongodb://h?readPreference=hush1",
        "mongodb://h?authMechanism=hush1",
        "mongodb://h?w=0&appName=hush1",
        "memory://hush1",
        "memory:?ttl=hush1",
        "memory:?hush1",
    ] {
        let error = cloakroom::open(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        let text = all_of(&error);
        assert!(!text.contains("hush1") && !text.contains("aHVz"), "{url}: {text}");
    }
}
