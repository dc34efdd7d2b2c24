//! The cases quote the contract, so neither can change alone.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::fs;

use cloakroom_conformance::CASES;

/// The sentences that no case tests, each with the reason.
const UNTESTED: [(&str, &str); 15] = [
    ("The result of Store::touch", "a heading"),
    ("The result of Atomic::create", "a heading"),
    ("The result of Atomic::update", "a heading"),
    ("A session in a listing; see Enumerate::all", "a heading"),
    (
        "The store does not support touch, or is configured not to use it",
        "declared by `not_offered`",
    ),
    ("Nothing was sent", "declared by `not_offered`"),
    (
        "The store extends a session at most once per touchAfter, and it is not yet time",
        "only a store that has this option answers it, and its own tests move the clock",
    ),
    (
        "Returns the conditional writes, or None if the backend does not support them",
        "declared by `not_offered`",
    ),
    (
        "Returns the listing, or None if the backend does not support it",
        "declared by `not_offered`",
    ),
    (
        "A backend that supports only some of the methods returns Unsupported from the others",
        "declared by `not_offered`",
    ),
    (
        "Returns the search by an index, or None if the backend does not support it",
        "declared by `not_offered`",
    ),
    (
        "Finds sessions by a value in them, without reading the others; see Enumerate::find_by",
        "what is read cannot be seen from outside",
    ),
    (
        "A path is as in SessionData::has_value: names with dots between them, such as passport.user",
        "the core tests it",
    ),
    (
        "A session that another program wrote or alone extended, such as Node.js, can be missing",
        "a permission, which an index does not use",
    ),
    ("The stream never holds all of them in memory", "cannot be seen from outside"),
];

/// The paragraphs and list items of the contract's doc comments, without links and code marks.
fn paragraphs() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../cloakroom-core/src/store.rs");
    let source = fs::read_to_string(path).unwrap();
    let mut paragraphs = vec![String::new()];
    for line in source.lines() {
        let doc = line.trim().strip_prefix("///").map(str::trim).unwrap_or_default();
        let (begins, text) = match doc.strip_prefix("- ") {
            Some(item) => (true, item),
            None => (doc.is_empty() || doc.starts_with('#'), doc),
        };
        if begins {
            paragraphs.push(String::new());
        }
        if !doc.starts_with('#') {
            let paragraph = paragraphs.last_mut().unwrap();
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(text);
        }
    }
    paragraphs.iter().map(|text| plain(text)).filter(|text| !text.is_empty()).collect()
}

/// The text of Markdown: the words of a link, and no code marks.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("](") {
        plain.push_str(before);
        rest = link.split_once(')').unwrap().1;
    }
    plain.push_str(rest);
    plain.replace(['`', '[', ']'], "")
}

#[test]
fn every_promise_is_quoted_from_the_contract() {
    let contract = paragraphs();
    for case in CASES {
        let promise = plain(case.promise());
        assert!(
            contract.iter().any(|paragraph| paragraph.contains(&promise)),
            "{}: the contract does not say {promise:?}",
            case.name()
        );
    }
}

#[test]
fn every_sentence_of_the_contract_is_a_promise_or_an_exception() {
    let promises: Vec<String> = CASES.iter().map(|case| plain(case.promise())).collect();
    let mut exceptions: Vec<&str> = UNTESTED.iter().map(|(sentence, _)| *sentence).collect();
    let mut missing = Vec::new();
    for paragraph in paragraphs() {
        for sentence in paragraph.split(". ").map(|sentence| sentence.trim_end_matches('.')) {
            let is_exception = UNTESTED.iter().any(|(exception, _)| *exception == sentence);
            exceptions.retain(|exception| *exception != sentence);
            if !is_exception && !promises.iter().any(|promise| promise.contains(sentence)) {
                missing.push(sentence.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "no case tests {missing:#?}");
    assert!(exceptions.is_empty(), "the contract does not say {exceptions:#?} any more");
}
