//! What is missing or wrong is said at once, with what to do about it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod common;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use cloakroom_core::{ErrorKind, Store};
use cloakroom_node::{NodeStore, NodeStoreBuilder};
use cloakroom_test_support::find_program;

use common::{PATIENCE, file, folder, promisified, session};

/// The error of `ready`, and that of a call, which are the same.
async fn error(builder: NodeStoreBuilder) -> String {
    let store = builder.start_deadline(PATIENCE).deadline(PATIENCE).build().unwrap();
    let error = store.ready().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && !error.outcome_unknown(), "{error:?}");
    let message = error.to_string();
    let error = promisified(&store).set("a", &session("ann")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && !error.outcome_unknown(), "{error:?}");
    assert_eq!(error.to_string(), message.replace(": start: ", ": set: "));
    message
}

#[tokio::test]
async fn a_program_or_a_folder_that_is_missing_is_named() {
    let store = || NodeStore::builder().module("x");
    assert_eq!(
        error(store().node("/no/node")).await,
        "x: start: there is no program \"/no/node\": install Node.js 20 or newer, or name its path with `node`"
    );
    let message = "x: start: there is no folder \"/no/folder\"";
    assert_eq!(error(store().folder("/no/folder")).await, message);
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_package_or_an_export_that_is_missing_is_named_with_what_to_run() {
    let empty = tempfile::tempdir().unwrap();
    let at = empty.path().canonicalize().unwrap();
    let store = |module: &str| NodeStore::builder().module(module).folder(&at);
    assert_eq!(
        error(store("connect-redis")).await,
        format!(
            "connect-redis: start: the package \"connect-redis\" is missing: run `npm install connect-redis` in {at:?}"
        )
    );
    assert_eq!(
        error(store("node:events").factory("({ load }) => load(\"@scope/client\")")).await,
        format!(
            "node:events: start: the package \"@scope/client\" is missing: run `npm install @scope/client` in {at:?}"
        )
    );
    let message = error(store("./legacy.js").name("legacy")).await;
    assert!(message.starts_with("legacy: start: there is no file "), "{message}");

    let shapes = || NodeStore::builder().folder(folder()).module("./shapes.cjs").name("shapes");
    let message = error(shapes().export("RedisStore")).await;
    let wanted = "shapes: start: there is no export \"RedisStore\": there are ";
    assert!(message.starts_with(wanted) && message.contains("ClassStore"), "{message}");
    assert_eq!(
        error(shapes().export("half")).await,
        "shapes: start: the store has no method `destroy`: a store has get, set and destroy"
    );
    assert!(error(shapes().export("text")).await.contains("made a value of type string"));
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_factory_that_is_wrong_says_how() {
    let made = |factory: &str| file("odd.cjs").factory(factory).name("x");
    for (factory, message) in [
        ("({ => 1", "the factory is not an expression of JavaScript: SyntaxError"),
        (
            "() => 42",
            "the factory, or the package, made a value of type number, not a store; name the export, or give a factory",
        ),
        ("() => ({ get() {} })", "the store has no method `set`: a store has get, set and destroy"),
        (
            "async () => { throw new RangeError('a secret') }",
            "the store could not be made: RangeError",
        ),
    ] {
        assert_eq!(error(made(factory)).await, format!("x: start: {message}"));
    }
    let refused = "() => { throw Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }";
    let error = made(refused).build().unwrap().ready().await.unwrap_err();
    assert_eq!(error.to_string(), "x: start: the store could not be made: Error (ECONNREFUSED)");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_factory_that_hangs_is_a_timeout() {
    let store = file("odd.cjs").factory("() => new Promise(() => {})").name("x");
    let store = store.start_deadline(Duration::from_millis(300)).build().unwrap();
    let error = store.ready().await.unwrap_err();
    assert_eq!(error.to_string(), "x: start: the Node.js process had no store within 300ms");
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

/// A program that claims to be an older Node.js.
fn old_node(folder: &Path, version: &str) -> std::path::PathBuf {
    let (program, claims) = (folder.join("node"), folder.join("claims.cjs"));
    let code = format!(
        "Object.defineProperty(process, 'versions', {{ value: {{ ...process.versions, node: '{version}' }} }});"
    );
    fs::write(&claims, code).unwrap();
    let node = find_program("node").unwrap();
    let script =
        format!("#!/bin/sh\nexec {} --require {} \"$@\"\n", node.display(), claims.display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_node_that_is_too_old_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let node = old_node(folder.path(), "18.20.8");
    assert_eq!(
        error(file("odd.cjs").name("x").node(node)).await,
        "x: start: Node.js 18.20.8 is too old: install version 20 or newer"
    );
    // And one that is not.
    let node = old_node(folder.path(), "20.0.0");
    file("odd.cjs").node(node).build().unwrap().ready().await.unwrap();
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_program_that_is_not_node_is_an_error() {
    let store = file("odd.cjs").name("x").node("/bin/true").build().unwrap();
    let error = store.ready().await.unwrap_err();
    assert_eq!(error.to_string(), "x: start: the Node.js process ended: exit status: 0");
}

#[test]
fn a_value_that_is_wrong_is_refused_when_the_store_is_built() {
    let builder = NodeStore::builder;
    for (builder, message) in [
        (builder(), "node: open: there is no store to run: name a `module` or give a `factory`"),
        (
            builder().module("x").factory("y").export("z"),
            "x: open: `export` is for a store without a `factory`: pick it there",
        ),
        (
            builder().module(" "),
            " : open: a module, an export, a factory and a name must not be empty",
        ),
        (
            builder().module("x").deadline(Duration::ZERO),
            "x: open: invalid deadline: must be above zero",
        ),
        (
            builder().module("x").options(std::collections::BTreeMap::from([(vec![1], 2)])),
            "x: open: invalid options: they cannot be written as JSON",
        ),
        (builder().module("x").folder(""), "x: open: invalid folder: must not be empty"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!((error.to_string(), error.kind()), (message.to_owned(), ErrorKind::Config));
    }
    let error = builder().module("x").env("A=B", "c").build().unwrap_err().to_string();
    assert!(error.starts_with("x: open: invalid variable of the environment"), "{error}");
    for url in ["node:", "node:store", "redis:store.js", "node:/", "store.mjs"] {
        let message =
            "node: open: invalid url: must be node: and a file that ends in .js, .mjs or .cjs";
        assert_eq!(NodeStore::open(url).unwrap_err().to_string(), message, "{url}");
    }
}
