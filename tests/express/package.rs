//! The package itself: its unit tests, its types, and what npm would publish.

use std::collections::BTreeSet;

use cloakroom_test_support::node_folder;
use serde_json::Value;

use crate::program::{command, package_folder, succeed};

#[test]
#[ignore = "needs Node.js"]
fn the_unit_tests_of_the_express_package_pass() {
    let files = [
        "test/cookie.test.js",
        "test/exports.test.mjs",
        "test/loads.test.js",
        "test/memcached.test.js",
        "test/safe.test.js",
        "test/text.test.js",
        "test/turns.test.js",
        "test/values.test.js",
        "test/write.test.js",
    ];
    let printed = succeed(command("node", package_folder(), &[&["--test"], &files[..]].concat()));
    // A file that is not named above runs nowhere.
    let found = package_folder().join("test").read_dir().unwrap();
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = names.filter(|name| name.contains(".test.")).collect();
    let named = files.iter().map(|file| file.trim_start_matches("test/").to_owned()).collect();
    assert_eq!(found, named, "{printed}");
}

#[test]
#[ignore = "needs Node.js and the npm packages"]
fn the_types_of_the_express_package_hold_for_both_ways_to_load_it() {
    let compiler = node_folder().join("node_modules/typescript/bin/tsc");
    let compiler = compiler.to_str().unwrap();
    let options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"];
    let files = ["test/types.mts", "test/types.cts"];
    succeed(command("node", package_folder(), &[&[compiler], &options[..], &files[..]].concat()));
}

#[test]
#[ignore = "needs npm"]
fn npm_would_publish_the_code_and_nothing_else() {
    let printed = succeed(command("npm", package_folder(), &["pack", "--dry-run", "--json"]));
    let packed: Value = printed.parse().unwrap();
    // Newer versions of npm name the package, older ones list it.
    let package = packed.get(0).or_else(|| packed.get("@cloakroom/express-session-safe")).unwrap();
    let files = package["files"].as_array().unwrap();
    let files: BTreeSet<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    let lib = [
        "codec",
        "cookie",
        "loads",
        "memcached",
        "mongo",
        "redis",
        "redis-client",
        "redis-script",
        "safe",
        "text",
        "turns",
        "values",
        "write",
    ];
    let lib: Vec<String> = lib.iter().map(|name| format!("lib/{name}.js")).collect();
    let expected = [
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "index.d.mts",
        "index.d.ts",
        "index.js",
        "index.mjs",
        "package.json",
    ];
    let expected = expected.into_iter().chain(lib.iter().map(String::as_str)).collect();
    assert_eq!(files, expected);
}
