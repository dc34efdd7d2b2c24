//! The example `side_by_side` in a real browser: one login, two servers.
//!
//! They leave the README's picture in `target/tmp/side_by_side.png`. When the pages have changed, copy it to
//! `examples/side_by_side`.

use std::fs;

use cloakroom_test_support::{Example, NodeProgram, find_program};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A Chromium before the example; see `tests/node/browser.mjs` for what it is told.
struct Browser {
    node: NodeProgram,
    _profile: TempDir,
    _example: Example,
}

impl Browser {
    fn before(arguments: &[&str]) -> Self {
        let example = Example::start("side_by_side", arguments).unwrap();
        let chromium = find_program("chromium").expect("`cargo xtask test` installs chromium");
        let profile = tempfile::tempdir().unwrap();
        let node = NodeProgram::start(
            "browser.mjs",
            &["--chromium", chromium.to_str().unwrap(), "--url", example.url()],
            &[("TMPDIR", profile.path().to_str().unwrap())],
        );
        Self { node: node.unwrap(), _profile: profile, _example: example }
    }

    fn tell(&mut self, request: Value) -> Value {
        let answer: Value = self.node.call(&request).unwrap();
        assert_eq!(answer.get("error"), None, "{request}");
        answer
    }
}

/// What the reader of a page sees.
fn page(served_by: &str, user: Option<&str>, cart: &[&str]) -> Value {
    json!({ "servedBy": served_by, "user": user, "cart": cart })
}

/// What the reader of both pages sees.
fn both(user: &str, cart: &[&str]) -> Value {
    json!({ "express": page("Express", Some(user), cart), "rust": page("Rust", Some(user), cart) })
}

#[test]
#[ignore = "needs chromium, redis-server and Node.js"]
fn one_login_serves_both_sides_and_nothing_is_lost() {
    let mut browser = Browser::before(&[]);
    let guest = browser.tell(json!({ "op": "open", "side": "rust" }));
    assert_eq!(guest, page("Rust", None, &[]));

    let login = browser.tell(json!({ "op": "login", "side": "express", "user": "Ada <b>" }));
    assert_eq!(login, page("Express", Some("Ada <b>"), &[]));
    let found = browser.tell(json!({ "op": "open", "side": "rust" }));
    assert_eq!(found, page("Rust", Some("Ada <b>"), &[]), "the name is on the Rust page");

    browser.tell(json!({ "op": "add", "side": "rust", "item": "Honey" }));
    let cart = browser.tell(json!({ "op": "add", "side": "express", "item": "Assam" }));
    assert_eq!(cart["cart"], json!(["Assam by Express", "Honey by Rust"]));

    // The Rust side has read the session before Express writes it, and writes it afterwards.
    let cart = ["Assam by Express", "Lapsang by Express", "Honey by Rust", "Lapsang by Rust"];
    let met = browser.tell(json!({ "op": "add_on_both", "last": "rust" }));
    assert_eq!(met, both("Ada <b>", &cart));

    // Two and two have read the session before one of them writes it.
    let items: Vec<String> = (0..24).map(|number| format!("item {number}")).collect();
    let burst = browser.tell(json!({ "op": "burst", "side": "rust", "items": items }));
    let mut seen: Vec<&str> =
        burst["cart"].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
    let mut expected: Vec<String> = items.iter().map(|item| format!("{item} by Rust")).collect();
    expected.extend(cart.map(str::to_owned));
    expected.sort();
    seen.sort_unstable();
    assert_eq!(seen, expected);

    let logout = browser.tell(json!({ "op": "logout", "side": "rust" }));
    assert_eq!(logout, page("Rust", None, &[]));
    let express = browser.tell(json!({ "op": "open", "side": "express" }));
    assert_eq!(express, page("Express", None, &[]), "logged out there, too");
    browser.tell(json!({ "op": "close" }));
}

#[test]
#[ignore = "needs chromium, redis-server and Node.js"]
fn a_login_on_the_rust_page_is_one_on_the_express_page_and_a_logout_there_one_here() {
    let mut browser = Browser::before(&[]);
    browser.tell(json!({ "op": "login", "side": "rust", "user": "Ada" }));
    browser.tell(json!({ "op": "add", "side": "rust", "item": "Honey" }));
    browser.tell(json!({ "op": "add", "side": "express", "item": "Darjeeling" }));
    let met = browser.tell(json!({ "op": "add_on_both", "last": "rust" }));
    let cart = ["Darjeeling by Express", "Lapsang by Express", "Honey by Rust", "Lapsang by Rust"];
    assert_eq!(met, both("Ada", &cart));

    let picture = concat!(env!("CARGO_TARGET_TMPDIR"), "/side_by_side.png");
    browser.tell(json!({ "op": "screenshot", "path": picture }));
    assert!(fs::read(picture).unwrap().starts_with(b"\x89PNG"));

    browser.tell(json!({ "op": "logout", "side": "express" }));
    let rust = browser.tell(json!({ "op": "open", "side": "rust" }));
    assert_eq!(rust, page("Rust", None, &[]));
    browser.tell(json!({ "op": "close" }));
}

/// The limit that the example's documentation names, and what becomes of a Rust side that does as Express does.
#[test]
#[ignore = "needs chromium, redis-server and Node.js"]
fn a_side_that_writes_back_the_whole_record_loses_what_the_other_one_wrote() {
    for (arguments, last, kept) in
        [(&[][..], "express", "Lapsang by Express"), (&["express"], "rust", "Lapsang by Rust")]
    {
        let mut browser = Browser::before(arguments);
        browser.tell(json!({ "op": "login", "side": "express", "user": "Ada" }));
        let met = browser.tell(json!({ "op": "add_on_both", "last": last }));
        assert_eq!(met, both("Ada", &[kept]), "{last} writes last");
        browser.tell(json!({ "op": "close" }));
    }
}
