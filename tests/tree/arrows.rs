//! Which crate may depend on which.

use std::{collections::BTreeSet, process::Command};

use cloakroom_tests::stores::stores;

use crate::files::root;

/// What the tests of any crate may use besides what the crate itself may.
const FOR_TESTS: [&str; 4] = [
    "cloakroom-compat",
    "cloakroom-conformance",
    "cloakroom-test-backends",
    "cloakroom-test-support",
];

/// The crates with less than the rule gives, or without a rule: what each may depend on, for its tests too, and why.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    ("cloakroom-core", &[], "the suite depends on it, and would be tested with another copy of it"),
    ("cloakroom-test-support", &[], "starts servers, and knows no sessions"),
    (
        "cloakroom-test-backends",
        &["cloakroom-conformance", "cloakroom-core", "cloakroom-test-support"],
        "shows the suite what is behind a store, so it must not ask the store",
    ),
    (
        "cloakroom-cli",
        &["cloakroom", "cloakroom-test-support"],
        "an application, so it has what users have",
    ),
    ("cloakroom-examples", &["cloakroom", "cloakroom-test-support"], "users have the facade alone"),
    (
        "cloakroom-chaos",
        &["cloakroom", "cloakroom-test-support"],
        "calls what users call, from processes of its own",
    ),
    (
        "cloakroom-interleavings",
        &["cloakroom-core"],
        "includes the files that it tests, with other locks, and takes the contract from the core",
    ),
    (
        "cloakroom-instructions",
        &["cloakroom-compat", "cloakroom-core", "cloakroom-tower"],
        "counts what they do, without a server",
    ),
    ("xtask", &["cloakroom-test-support"], "starts the servers that benchmarks need"),
    ("xtask-api", &[], "reads sources"),
];

/// The crates that may depend on every other one.
const ON_EVERYTHING: [&str; 3] = ["cloakroom", "cloakroom-test-fuzz", "cloakroom-tests"];

/// What a crate may depend on among ours, for itself and besides for its tests; `None` if there is no rule for it.
fn allowed<'a>(
    name: &str,
    stores: &[String],
    ours: &BTreeSet<&'a str>,
) -> Option<(Vec<&'a str>, Vec<&'a str>)> {
    let of = |names: &[&str]| ours.iter().copied().filter(|one| names.contains(one)).collect();
    if let Some((_, names, _)) = EXCEPTIONS.iter().find(|(known, _, _)| *known == name) {
        return Some((of(names), Vec::new()));
    }
    let for_itself = match name {
        name if ON_EVERYTHING.contains(&name) => ours.iter().copied().collect(),
        "cloakroom-backend" | "cloakroom-encryption" => of(&["cloakroom-core"]),
        "cloakroom-cache"
        | "cloakroom-conformance"
        | "cloakroom-compat"
        | "cloakroom-tower"
        | "cloakroom-tower-sessions" => of(&["cloakroom-core", "cloakroom-backend"]),
        "cloakroom-node" => of(&["cloakroom-core", "cloakroom-backend", "cloakroom-compat"]),
        "cloakroom-actix" | "cloakroom-express" => of(&["cloakroom-core", "cloakroom-tower"]),
        "cloakroom-authjs" => of(&["cloakroom-core", "cloakroom-backend", "cloakroom-tower"]),
        name if stores.iter().any(|store| store == name) => {
            of(&["cloakroom-core", "cloakroom-backend", "cloakroom-encryption"])
        }
        _ => return None,
    };
    Some((for_itself, of(&FOR_TESTS)))
}

#[test]
fn arrows_of_the_layout_hold() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<_> =
        packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let stores: Vec<_> = stores().unwrap().into_iter().map(|store| store.package).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let (for_itself, for_tests) = allowed(name, &stores, &ours).unwrap_or_else(|| {
            panic!("{name} has no rule here, and no mark of a store in its Cargo.toml")
        });
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let is_test = dependency["kind"].as_str() == Some("dev");
            let may = for_itself.contains(&to) || (is_test && for_tests.contains(&to));
            assert!(!ours.contains(to) || may, "{name} may not depend on {to}");
        }
    }
    let named = EXCEPTIONS.iter().map(|(name, _, _)| *name).chain(ON_EVERYTHING);
    for name in named.chain(FOR_TESTS) {
        assert!(ours.contains(name), "{name} is not a crate of ours");
    }
}

#[test]
fn no_store_may_depend_on_another_nor_the_core_on_anything() {
    let stores = ["cloakroom-redis", "cloakroom-memcached"].map(str::to_owned);
    let ours = BTreeSet::from([
        "cloakroom",
        "cloakroom-backend",
        "cloakroom-compat",
        "cloakroom-core",
        "cloakroom-memcached",
        "cloakroom-redis",
        "cloakroom-test-support",
    ]);
    let allowed = |name| allowed(name, &stores, &ours);
    let store = vec!["cloakroom-backend", "cloakroom-core"];
    let tests = vec!["cloakroom-compat", "cloakroom-test-support"];
    assert_eq!(allowed("cloakroom-redis"), Some((store, tests)));
    assert_eq!(allowed("cloakroom-core"), Some((Vec::new(), Vec::new())));
    assert_eq!(allowed("cloakroom-unknown"), None);
}
