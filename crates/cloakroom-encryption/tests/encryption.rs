//! What the encryptions promise, whatever the format.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{collections::HashSet, sync::Arc};

use cloakroom_core::ErrorKind;
use cloakroom_encryption::{
    ConnectMongo3, ConnectMongo3Options, Counterpart, EncodeAs, Encryption, Hashing, KeyRing,
    Kruptein, KrupteinAlgorithm, KrupteinOptions, KrupteinPlaintext, KrupteinVersion, WebCrypto,
    WebCryptoAlgorithm, WebCryptoOptions, for_tests::EncryptWith,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

const SECRET: &str = "S3cre+_Squ1rr3l";
const SESSION: &str = r#"{"cookie":{"path":"/"},"user":"Zoë \ud800 \" 😀","n":1.0}"#;

const VERSIONS: [KrupteinVersion; 5] = [
    KrupteinVersion::V2,
    KrupteinVersion::V3_0,
    KrupteinVersion::V3_1_1,
    KrupteinVersion::V3_1_3,
    KrupteinVersion::V3_4,
];

const COUNTERPARTS: [Counterpart; 9] = [
    Counterpart::ConnectMemcached2,
    Counterpart::ConnectMemcached3,
    Counterpart::ConnectMongo4 { stringify: true },
    Counterpart::ConnectMongo4 { stringify: false },
    Counterpart::ConnectMongo5 { stringify: true },
    Counterpart::ConnectMongo5 { stringify: false },
    Counterpart::ConnectMongo5Kruptein34 { stringify: true },
    Counterpart::ConnectMongo5Kruptein34 { stringify: false },
    Counterpart::ConnectMongo6,
];

fn kruptein(set: impl FnOnce(&mut KrupteinOptions)) -> Kruptein {
    let mut options = KrupteinOptions::of(Counterpart::ConnectMemcached3);
    set(&mut options);
    Kruptein::new(SECRET, options).unwrap()
}

fn webcrypto(secret: &str, set: impl FnOnce(&mut WebCryptoOptions)) -> WebCrypto {
    let mut options = WebCryptoOptions::default();
    options.iterations = 10;
    set(&mut options);
    WebCrypto::new(secret, options).unwrap()
}

fn connect_mongo_3(secret: &str, set: impl FnOnce(&mut ConnectMongo3Options)) -> ConnectMongo3 {
    let mut options = ConnectMongo3Options::default();
    set(&mut options);
    ConnectMongo3::new(secret, options).unwrap()
}

/// Every format, and that of each counterpart.
fn formats() -> Vec<Box<dyn Encryption>> {
    let mut all: Vec<Box<dyn Encryption>> = Vec::new();
    for counterpart in COUNTERPARTS {
        all.push(Box::new(Kruptein::new(SECRET, KrupteinOptions::of(counterpart)).unwrap()));
    }
    for version in VERSIONS {
        all.push(Box::new(kruptein(|options| {
            options.version = version;
            options.algorithm = KrupteinAlgorithm::InsecureAes256Cbc;
            options.hashing = Hashing::Sha384;
            options.encode_as = EncodeAs::Hex;
        })));
        all.push(Box::new(kruptein(|options| {
            options.version = version;
            options.hashing = Hashing::Sha256;
            options.encode_as = EncodeAs::Base64Url;
            options.use_asn1 = false;
            options.plaintext = KrupteinPlaintext::QuotedText;
        })));
    }
    for version in VERSIONS {
        all.push(Box::new(kruptein(|options| {
            options.version = version;
            options.encode_as = EncodeAs::Binary;
        })));
    }
    for iv_size in [1, 13, 64, 128] {
        all.push(Box::new(kruptein(|options| {
            options.version = KrupteinVersion::V3_4;
            options.iv_size = Some(iv_size);
        })));
    }
    all.push(Box::new(kruptein(|options| options.use_scrypt = true)));
    for encoding in [EncodeAs::Base64, EncodeAs::Base64Url, EncodeAs::Hex] {
        all.push(Box::new(webcrypto(SECRET, |options| options.encoding = encoding)));
    }
    all.push(Box::new(webcrypto(SECRET, |options| {
        options.algorithm = WebCryptoAlgorithm::InsecureAesCbc;
    })));
    for iv_length in [13, 32, 64, 128] {
        all.push(Box::new(webcrypto(SECRET, |options| options.iv_length = Some(iv_length))));
    }
    for (encode_as, hashing) in
        [(EncodeAs::Hex, Hashing::Sha512), (EncodeAs::Base64, Hashing::Sha256)]
    {
        all.push(Box::new(connect_mongo_3(SECRET, |options| {
            (options.encode_as, options.hashing) = (encode_as, hashing);
        })));
    }
    all
}

/// The kind of the error, which shows nothing of what it is about.
fn kind(result: Result<String, cloakroom_core::Error>) -> ErrorKind {
    let error = result.unwrap_err();
    let shown = format!("{error} {error:?}");
    for hidden in [SECRET, "cookie", "Zo", "path"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    error.kind()
}

fn runner() -> TestRunner {
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
}

#[test]
fn what_is_encrypted_decrypts_to_the_same() {
    for format in formats() {
        let mut runner = runner();
        let text = prop_oneof![
            Just(SESSION.to_owned()),
            any::<String>()
                .prop_map(|text| serde_json::json!({ "cookie": {}, text: 1 }).to_string()),
            prop::collection::vec(any::<char>(), 0..300)
                .prop_map(|text| serde_json::json!({ "a": String::from_iter(text) }).to_string()),
        ];
        let outcome = runner.run(&text, |text| {
            let stored = format.encrypt(&text).unwrap();
            prop_assert!(!stored.contains("cookie"));
            prop_assert_eq!(format.decrypt(&stored).unwrap(), text);
            prop_assert_ne!(format.encrypt(SESSION).unwrap(), format.encrypt(SESSION).unwrap());
            Ok(())
        });
        assert!(outcome.is_ok(), "{format:?}: {outcome:?}");
    }
}

#[test]
fn every_generation_is_read_whichever_is_written() {
    let all = VERSIONS.map(|version| kruptein(|options| options.version = version));
    for writer in &all {
        let stored = writer.encrypt(SESSION).unwrap();
        for reader in &all {
            assert_eq!(reader.decrypt(&stored).unwrap(), SESSION, "{writer:?} {reader:?}");
        }
    }
}

#[test]
fn another_secret_is_corrupt() {
    for counterpart in [Counterpart::ConnectMemcached3, Counterpart::ConnectMongo6] {
        let options = KrupteinOptions::of(counterpart);
        let [ours, theirs] = [SECRET, "S3cre+_Squ1rr3l2"]
            .map(|secret| Kruptein::new(secret, options.clone()).unwrap());
        assert_eq!(kind(theirs.decrypt(&ours.encrypt(SESSION).unwrap())), ErrorKind::Corrupt);
    }
    let stored = webcrypto(SECRET, |_| {}).encrypt(SESSION).unwrap();
    assert_eq!(kind(webcrypto("other", |_| {}).decrypt(&stored)), ErrorKind::Corrupt);
    let stored = connect_mongo_3(SECRET, |_| {}).encrypt(SESSION).unwrap();
    assert_eq!(kind(connect_mongo_3("other", |_| {}).decrypt(&stored)), ErrorKind::Corrupt);
}

/// The text with one bit of a character flipped, as long as it is text.
fn flipped(stored: &str, bit: usize) -> Option<String> {
    let mut bytes = stored.as_bytes().to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    String::from_utf8(bytes).ok()
}

fn flips_are_seen(format: &dyn Encryption, bits: impl Fn(usize) -> Vec<usize>) {
    let stored = format.encrypt(SESSION).unwrap();
    for changed in bits(stored.len() * 8).into_iter().filter_map(|bit| flipped(&stored, bit)) {
        match format.decrypt(&changed) {
            Ok(text) => assert_eq!(text, SESSION, "{format:?}: {changed}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{format:?}: {changed}"),
        }
    }
}

#[test]
fn every_flipped_bit_is_corrupt_or_without_effect() {
    let all = |bits| (0..bits).collect();
    flips_are_seen(&webcrypto(SECRET, |_| {}), all);
    flips_are_seen(&webcrypto(SECRET, |options| options.encoding = EncodeAs::Hex), all);
    flips_are_seen(&connect_mongo_3(SECRET, |_| {}), all);
    // Each flip in a salt, and in what several generations write, costs a key or two.
    let some = |bits| (0..24).map(|at| (at * 2 + 1) * bits / 48 + at % 8).collect();
    for counterpart in [
        Counterpart::ConnectMemcached3,
        Counterpart::ConnectMongo4 { stringify: true },
        Counterpart::ConnectMongo5Kruptein34 { stringify: true },
        Counterpart::ConnectMongo6,
    ] {
        flips_are_seen(&Kruptein::new(SECRET, KrupteinOptions::of(counterpart)).unwrap(), some);
    }
    let cbc = kruptein(|options| {
        options.version = KrupteinVersion::V3_4;
        options.algorithm = KrupteinAlgorithm::InsecureAes256Cbc;
    });
    flips_are_seen(&cbc, some);
}

#[test]
fn what_is_no_ciphertext_is_corrupt() {
    let readers = [
        Box::new(kruptein(|_| {})) as Box<dyn Encryption>,
        Box::new(webcrypto(SECRET, |_| {})),
        Box::new(webcrypto(SECRET, |options| {
            options.algorithm = WebCryptoAlgorithm::InsecureAesCbc;
        })),
        Box::new(connect_mongo_3(SECRET, |_| {})),
    ];
    let deep = "[".repeat(100_000);
    for text in [
        "",
        "{",
        "{}",
        "\"",
        "\"\"",
        "null",
        "M",
        "MA",
        "MAA=",
        "30",
        "3000",
        SESSION,
        &deep,
        "MIT/////",
        // DER of six empty strings, of four, and with the length 2^32 - 1.
        "MAwEAAQABAAEAAQABAA=",
        "MAgEAAQABAAEAA==",
        "MIT/////BAA=",
        r#"{"hmac":"","ct":"","iv":{"type":"Buffer","data":[]},"salt":{"type":"Buffer","data":[]}}"#,
        r#"{"hmac":"","ct":"","iv":"","salt":{"type":"Buffer","data":[256]},"at":1,"aad":2}"#,
        r#"{"hmac":"","ct":"","at":{"type":"Buffer","data":[]},"aad":"","iv":""}"#,
    ] {
        for reader in &readers {
            assert_eq!(kind(reader.decrypt(text)), ErrorKind::Corrupt, "{reader:?} {text}");
        }
    }
    let mut runner = runner();
    let texts = prop_oneof![any::<String>(), "[0-9a-f]{0,90}", "M[A-Za-z0-9+/]{0,90}={0,2}"];
    let outcome = runner.run(&texts, |text| {
        for reader in &readers {
            prop_assert_eq!(kind(reader.decrypt(&text)), ErrorKind::Corrupt);
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn a_salt_serves_as_many_records_as_it_may() {
    for (records_per_salt, salts) in [(1, 6), (2, 3), (4, 2), (1_000, 1)] {
        let kruptein = kruptein(|options| {
            options.records_per_salt = records_per_salt;
            options.version = KrupteinVersion::V2;
        });
        let stored: Vec<String> = (0..6).map(|_| kruptein.encrypt(SESSION).unwrap()).collect();
        let part = |member| {
            let json = stored.iter().map(|text| serde_json::from_str(text).unwrap());
            let parts = json.map(|json: serde_json::Value| json[member].to_string());
            parts.collect::<HashSet<String>>().len()
        };
        assert_eq!((part("salt"), part("iv"), part("aad")), (salts, 6, 6));
        for text in &stored {
            assert_eq!(kruptein.decrypt(text).unwrap(), SESSION);
        }
    }
}

#[test]
fn recorded_bytes_always_make_a_salt_of_their_own() {
    let kruptein = kruptein(|_| {});
    kruptein.encrypt(SESSION).unwrap();
    let again = || kruptein.insecure_encrypt_with(SESSION, &mut |bytes| bytes.fill(7));
    assert_eq!(again(), again());
    assert_ne!(kruptein.encrypt(SESSION).unwrap(), again());
}

#[test]
fn the_other_cipher_is_corrupt() {
    let gcm = kruptein(|_| {});
    let cbc = kruptein(|options| options.algorithm = KrupteinAlgorithm::InsecureAes256Cbc);
    assert_eq!(kind(gcm.decrypt(&cbc.encrypt(SESSION).unwrap())), ErrorKind::Corrupt);
    assert_eq!(kind(cbc.decrypt(&gcm.encrypt(SESSION).unwrap())), ErrorKind::Corrupt);
}

#[test]
fn a_key_ring_reads_all_and_writes_the_first() {
    let (first, second) = (webcrypto("first", |_| {}), webcrypto("second", |_| {}));
    let old = second.encrypt(SESSION).unwrap();
    let third = connect_mongo_3(SECRET, |_| {}).encrypt(SESSION).unwrap();
    let ring = KeyRing::new(Arc::new(first)).add_reader(Arc::new(second));
    assert_eq!(ring.decrypt(&old).unwrap(), SESSION);
    assert_eq!(ring.decrypt(&ring.encrypt(SESSION).unwrap()).unwrap(), SESSION);
    assert_eq!(kind(ring.decrypt(&third)), ErrorKind::Corrupt);
    let ring = ring.add_reader(Arc::new(connect_mongo_3(SECRET, |_| {})));
    assert_eq!(ring.decrypt(&third).unwrap(), SESSION);
    let stored = ring.encrypt(SESSION).unwrap();
    assert_eq!(webcrypto("first", |_| {}).decrypt(&stored).unwrap(), SESSION);
}

#[test]
fn what_has_no_meaning_is_refused_by_name() {
    let of = |set: &dyn Fn(&mut KrupteinOptions)| {
        let mut options = KrupteinOptions::of(Counterpart::ConnectMemcached3);
        set(&mut options);
        Kruptein::new(SECRET, options).map(|_| ())
    };
    let web = |set: &dyn Fn(&mut WebCryptoOptions)| {
        let mut options = WebCryptoOptions::default();
        set(&mut options);
        WebCrypto::new(SECRET, options).map(|_| ())
    };
    let mongo_3 = |encode_as| {
        let mut options = ConnectMongo3Options::default();
        options.encode_as = encode_as;
        ConnectMongo3::new(SECRET, options).map(|_| ())
    };
    let mongo_6 = KrupteinOptions::of(Counterpart::ConnectMongo6);
    let memcached = KrupteinOptions::of(Counterpart::ConnectMemcached3);
    let cbc = WebCryptoAlgorithm::InsecureAesCbc;
    for (name, result) in [
        ("secret", Kruptein::new("squirrel", memcached.clone()).map(|_| ())),
        ("secret", Kruptein::new("", mongo_6.clone()).map(|_| ())),
        ("secret", Kruptein::insecure_with_weak_secret("", memcached.clone()).map(|_| ())),
        ("secret", WebCrypto::new("", WebCryptoOptions::default()).map(|_| ())),
        ("secret", ConnectMongo3::new("", ConnectMongo3Options::default()).map(|_| ())),
        ("records_per_salt", of(&|options| options.records_per_salt = 0)),
        ("iv_size", of(&|options| options.iv_size = Some(0))),
        ("iv_size", of(&|options| options.iv_size = Some(129))),
        (
            "iv_size",
            of(&|options| {
                options.algorithm = KrupteinAlgorithm::InsecureAes256Cbc;
                options.iv_size = Some(12);
            }),
        ),
        ("encoding", web(&|options| options.encoding = EncodeAs::Binary)),
        ("iterations", web(&|options| options.iterations = 0)),
        ("ivLength", web(&|options| options.iv_length = Some(0))),
        ("ivLength", web(&|options| options.iv_length = Some(11))),
        ("ivLength", web(&|options| options.iv_length = Some(129))),
        ("ivLength", web(&|options| (options.algorithm, options.iv_length) = (cbc, Some(12)))),
        ("encodeas", mongo_3(EncodeAs::Binary)),
        ("encodeas", mongo_3(EncodeAs::Base64Url)),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        assert!(text.starts_with(&format!("encryption: new: invalid option {name:?}: ")), "{text}");
        assert!(!text.contains("squirrel") && !text.contains(SECRET));
    }
    let weak = [
        Kruptein::new("squirrel", mongo_6),
        Kruptein::insecure_with_weak_secret("squirrel", memcached),
    ]
    .map(Result::unwrap);
    assert_eq!(weak[1].decrypt(&weak[0].encrypt(SESSION).unwrap()).unwrap(), SESSION);
}

#[test]
fn debug_shows_no_secret_and_no_key() {
    for format in formats() {
        format.encrypt(SESSION).unwrap();
        let shown = format!("{format:?}");
        assert!(shown.ends_with(", .. }") && !shown.contains(SECRET), "{shown}");
    }
}
