//! Libraries do not panic: each place where one could has a text that says why it cannot.

use crate::files::{code_of, libraries};

/// What panics. Indexing is left to the tests of the code that does it.
const SIGNS: [&str; 11] = [
    ".expect(\"",
    ".expect_err(",
    ".unwrap()",
    ".unwrap_err()",
    "panic!(",
    "unreachable!(",
    "todo!(",
    "unimplemented!(",
    "assert!(",
    "assert_eq!(",
    "assert_ne!(",
];

/// The places that stay, by the file and a part of the line, which gives the reason.
const REASONS: &[(&str, &str)] = &[
    ("crates/cloakroom-authjs/src/sealed/mac.rs", "HMAC takes a key of any length"),
    // The suite is for tests, and this is how a test fails.
    ("crates/cloakroom-conformance/src/suite.rs", "the promise: "),
    // Only in debug builds: a release build keeps the record that it has.
    ("crates/cloakroom-core/src/session.rs", "a record that was written must be readable"),
    ("crates/cloakroom-core/src/signature.rs", "HMAC takes a key of any length"),
    ("crates/cloakroom-core/src/signature.rs", "32 bytes are 43 characters"),
    (
        "crates/cloakroom-encryption/src/connect_mongo_3.rs",
        "the text of 16 bytes has 32 characters in hex and 24 in base64",
    ),
    ("crates/cloakroom-encryption/src/connect_mongo_3.rs", "texts and numbers are always JSON"),
    ("crates/cloakroom-encryption/src/hashing.rs", "HMAC takes a key of any length"),
    ("crates/cloakroom-encryption/src/kruptein.rs", "the length of the nonce was checked"),
    ("crates/cloakroom-encryption/src/kruptein.rs", "the length of the IV was checked"),
    ("crates/cloakroom-encryption/src/kruptein/keys.rs", "Node's parameters are valid"),
    ("crates/cloakroom-encryption/src/kruptein/keys.rs", "scrypt gives 32 bytes"),
    ("crates/cloakroom-encryption/src/kruptein/record.rs", "texts and numbers are always JSON"),
    ("crates/cloakroom-encryption/src/webcrypto.rs", "the length of the nonce was checked"),
    ("crates/cloakroom-encryption/src/webcrypto.rs", "the length of the IV was checked"),
];

/// The lines of some code that may panic.
fn places(code: &str) -> impl Iterator<Item = &str> {
    code.lines().map(str::trim).filter(|line| SIGNS.iter().any(|sign| line.contains(sign)))
}

#[test]
fn libraries_panic_nowhere_but_where_a_text_says_why_they_cannot() {
    let mut left = REASONS.to_vec();
    let mut without = Vec::new();
    for (path, text) in libraries() {
        for line in places(&code_of(&text)) {
            match left.iter().position(|(file, reason)| *file == path && line.contains(reason)) {
                Some(known) => drop(left.remove(known)),
                None => without.push(format!("{path}: {line}")),
            }
        }
    }
    assert!(without.is_empty(), "return an error instead: {without:#?}");
    assert!(left.is_empty(), "no line has these reasons any more: {left:#?}");
}

#[test]
fn what_panics_is_found() {
    let code = "let a = b.expect(\"why\");\nreader.expect(TAG)?;\nunreachable!()\na.unwrap_or(1);";
    assert_eq!(places(code).collect::<Vec<_>>(), ["let a = b.expect(\"why\");", "unreachable!()"]);
}
