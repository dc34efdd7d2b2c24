//! The layout's own rules: which crate may know which, and that the project's texts are true.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cloakroom_tests::losses::losses;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file that git would take, by its path from the root.
fn files(ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "node_modules", ".git"].contains(&&*name) {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), ending, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no file ends with {ending}");
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// What a crate may depend on among ours: (crate, for itself, besides for its tests).
const ARROWS: &[(&str, &[&str], &[&str])] = &[
    ("cloakroom-core", &[], &[]),
    ("cloakroom-encryption", &["cloakroom-core"], &[]),
    ("cloakroom-backend", &["cloakroom-core"], &[]),
    ("cloakroom-conformance", &["cloakroom-core"], &[]),
    (
        "cloakroom-compat",
        &["cloakroom-backend", "cloakroom-core"],
        &["cloakroom-conformance", "cloakroom-test-support"],
    ),
    (
        "cloakroom-mongodb",
        &["cloakroom-backend", "cloakroom-core", "cloakroom-encryption"],
        &[
            "cloakroom-compat",
            "cloakroom-conformance",
            "cloakroom-test-backends",
            "cloakroom-test-support",
        ],
    ),
    (
        "cloakroom-memcached",
        &["cloakroom-backend", "cloakroom-core", "cloakroom-encryption"],
        &[
            "cloakroom-compat",
            "cloakroom-conformance",
            "cloakroom-test-backends",
            "cloakroom-test-support",
        ],
    ),
    (
        "cloakroom-redis",
        &["cloakroom-backend", "cloakroom-core"],
        &[
            "cloakroom-compat",
            "cloakroom-conformance",
            "cloakroom-test-backends",
            "cloakroom-test-support",
        ],
    ),
    (
        "cloakroom",
        &[
            "cloakroom-backend",
            "cloakroom-compat",
            "cloakroom-conformance",
            "cloakroom-core",
            "cloakroom-encryption",
            "cloakroom-memcached",
            "cloakroom-mongodb",
            "cloakroom-redis",
            "cloakroom-tower",
        ],
        &["cloakroom-test-support"],
    ),
    ("cloakroom-tower", &["cloakroom-backend", "cloakroom-core"], &[]),
    ("cloakroom-test-support", &[], &[]),
    (
        "cloakroom-test-backends",
        &["cloakroom-conformance", "cloakroom-core", "cloakroom-test-support"],
        &[],
    ),
    ("xtask", &["cloakroom-test-support"], &[]),
    ("xtask-api", &[], &[]),
    ("cloakroom-examples", &["cloakroom", "cloakroom-test-support"], &[]),
    (
        "cloakroom-tests",
        &[
            "cloakroom",
            "cloakroom-compat",
            "cloakroom-conformance",
            "cloakroom-core",
            "cloakroom-encryption",
            "cloakroom-memcached",
            "cloakroom-mongodb",
            "cloakroom-redis",
            "cloakroom-test-backends",
            "cloakroom-test-support",
            "cloakroom-tower",
        ],
        &[],
    ),
];

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
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let row = ARROWS.iter().find(|(known, _, _)| *known == name);
        let (_, normal, tests) = row.unwrap_or_else(|| panic!("{name} has no row in ARROWS"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let for_tests = dependency["kind"].as_str() == Some("dev");
            let allowed = normal.contains(&to) || (for_tests && tests.contains(&to));
            assert!(!ours.contains(to) || allowed, "{name} may not depend on {to}");
        }
    }
    assert_eq!(ours.len(), ARROWS.len(), "ARROWS names a crate that is not there");
}

/// The targets of the links in a text, without those to names of the API, which rustdoc checks.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|target| {
        target.contains(['/', '#', '.']) && !target.contains("::") && !target.contains(' ')
    })
}

#[test]
fn every_link_leads_somewhere() {
    for (path, text) in files(".md") {
        let folder = root().join(&path).parent().unwrap().to_owned();
        // These are the front pages of the crates' docs, where no file lies beside them.
        let is_rustdoc = path.ends_with("/README.md") && folder.join("src/lib.rs").exists();
        for target in links(&text) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            assert!(file.is_empty() || !is_rustdoc, "{path}: {target:?} leads nowhere in the docs");
            let linked = if file.is_empty() { root().join(&path) } else { folder.join(file) };
            assert!(linked.exists(), "{path}: {target:?} leads nowhere");
            if !anchor.is_empty() {
                let linked = fs::read_to_string(linked).unwrap();
                let headings = linked.lines().filter(|line| line.starts_with('#'));
                let mut slugs = headings.map(|heading| {
                    let title = heading.trim_start_matches('#').trim().to_lowercase();
                    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                    kept.collect::<String>().replace(' ', "-")
                });
                assert!(slugs.any(|slug| slug == anchor), "{path}: no heading for {target:?}");
            }
        }
    }
}

#[test]
fn every_crate_has_the_lints_and_the_version_of_the_workspace() {
    for (path, text) in files("Cargo.toml").into_iter().filter(|(path, _)| path != "Cargo.toml") {
        for line in [
            "[lints]\nworkspace = true",
            "rust-version.workspace = true",
            "license.workspace = true",
        ] {
            assert!(text.contains(line), "{path} lacks {line:?}");
        }
    }
}

#[test]
fn lib_files_hold_docs_modules_and_names_only() {
    for (path, text) in files("lib.rs") {
        for line in text.lines() {
            let item = line.trim_start_matches("pub ").trim_start_matches("(crate) ");
            let logic = ["fn ", "impl ", "struct ", "enum ", "trait ", "const ", "static "];
            assert!(!logic.iter().any(|word| item.starts_with(word)), "{path}: {line}");
        }
    }
}

#[test]
fn no_rust_file_is_longer_than_500_lines() {
    for (path, text) in files(".rs") {
        assert!(text.lines().count() <= 500, "{path} has {} lines", text.lines().count());
    }
}

/// What code that scans JSON by itself cannot do without: the end of an object, and escapes read and written.
const SCANS_JSON: [&str; 3] = ["b'}'", "from_str_radix(", ":04x}"];

#[test]
fn json_is_scanned_in_one_folder_only() {
    let (mut inside, mut outside) = (String::new(), Vec::new());
    for (path, text) in files(".rs") {
        let code = text.split("#[cfg(test)]").next().unwrap();
        if path.starts_with("crates/cloakroom-core/src/json/") {
            inside += code;
        } else if path.starts_with("compat/src/")
            || path.contains("/src/") && path.starts_with("crates/")
        {
            outside.extend(
                SCANS_JSON
                    .iter()
                    .filter(|sign| code.contains(**sign))
                    .map(|sign| format!("{path}: {sign}")),
            );
        }
    }
    assert!(SCANS_JSON.iter().all(|sign| inside.contains(sign)), "a sign tells nothing any more");
    assert!(outside.is_empty(), "use cloakroom_core::json instead: {outside:#?}");
}

#[test]
fn every_ignored_test_says_what_it_needs() {
    let bare = ["#[ignore", "]"].concat();
    for (path, text) in files(".rs") {
        assert!(!text.contains(&bare), "{path} ignores a test without a reason");
    }
}

#[test]
fn lock_files_record_no_address_to_download_from() {
    for (path, text) in files("package-lock.json") {
        assert!(!text.contains("\"resolved\""), "{path}");
    }
}

/// The names in backticks that look like a test's, in the tables and invariants of the texts.
#[test]
fn every_test_that_a_text_names_is_there() {
    let code: String = files(".rs").into_iter().map(|(_, text)| text).collect();
    let mut missing = BTreeMap::new();
    for (path, text) in files(".md") {
        for name in text.split('`').skip(1).step_by(2) {
            // A claim has at least three words; options and functions have fewer.
            let claim = name.matches('_').count() >= 3
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            let there = [
                format!("fn {name}("),
                format!("{name} =>"),
                format!("{name},"),
                format!("\"{name}\""),
            ];
            if claim && !there.iter().any(|form| code.contains(form)) {
                missing.entry(path.clone()).or_insert_with(Vec::new).push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "no test has these names: {missing:#?}");
}

/// The names of a file's tests.
fn tests_in(text: &str) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    let mut marked = false;
    for line in text.lines().map(str::trim_start) {
        marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if let Some((name, _)) = line
            .trim_start_matches("async ")
            .strip_prefix("fn ")
            .and_then(|fun| fun.split_once('('))
        {
            if marked {
                tests.insert(name);
            }
            marked = false;
        }
    }
    tests
}

#[test]
fn every_loss_that_a_store_avoids_has_a_test() {
    let code = files(".rs");
    for store in ["cloakroom-redis", "cloakroom-memcached", "cloakroom-mongodb"] {
        // A test of another store shows nothing about this one.
        let places = [format!("crates/{store}/"), "tests/".to_owned()];
        let about =
            code.iter().filter(|(path, _)| places.iter().any(|place| path.starts_with(place)));
        let mut tests: BTreeSet<&str> = about.flat_map(|(_, text)| tests_in(text)).collect();
        tests.extend(cloakroom_conformance::CASES.iter().map(|case| case.name()));
        let losses = losses(store).unwrap();
        assert!(losses.len() >= 10, "the README of {store} has its table no more: {losses:?}");
        for loss in losses {
            assert!(!loss.tests.is_empty(), "{store} names no test for {:?}", loss.claim);
            for name in &loss.tests {
                assert!(
                    tests.contains(&**name),
                    "{store} has no test {name:?} for {:?}",
                    loss.claim
                );
            }
        }
    }
}

#[test]
fn every_path_on_the_map_exists() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let map = map.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    for line in map.lines() {
        let path = line.split_whitespace().next().unwrap();
        assert!(
            root().join(path).is_dir(),
            "{path} is on the map of ARCHITECTURE.md and nowhere else"
        );
    }
    for (path, _) in files("Cargo.toml").into_iter().filter(|(path, _)| path != "Cargo.toml") {
        let folder = path.trim_end_matches("/Cargo.toml");
        assert!(
            map.lines().any(|line| line.starts_with(folder)),
            "{folder} is not on the map of ARCHITECTURE.md"
        );
    }
}

/// The options that users set, and the fields that have no method: the preset is a constructor.
const OPTIONS: &[(&str, &str, &[&str])] = &[
    ("SessionOptions", "crates/cloakroom-tower/src/options", &["preset"]),
    ("IdOptions", "crates/cloakroom-tower/src/options/ids", &[]),
    ("ExpiryOptions", "crates/cloakroom-tower/src/options/expiry", &[]),
    ("FailureOptions", "crates/cloakroom-tower/src/options/failure", &[]),
    ("CookieOptions", "crates/cloakroom-tower/src/cookie_options", &[]),
    ("ExpressSessionOptions", "compat/src/express_session/options", &[]),
    ("MemoryOptions", "crates/cloakroom-core/src/memory", &[]),
    ("RedisOptions", "crates/cloakroom-redis/src/options", &[]),
    ("MemcachedOptions", "crates/cloakroom-memcached/src/options", &[]),
    ("MongoOptions", "crates/cloakroom-mongodb/src/options", &[]),
];

#[test]
fn every_option_has_a_with_method() {
    let sources = files(".rs");
    for (name, place, without) in OPTIONS {
        let is_theirs =
            |path: &str| path == format!("{place}.rs") || path.starts_with(&format!("{place}/"));
        let text: String =
            sources.iter().filter(|(path, _)| is_theirs(path)).map(|(_, text)| &**text).collect();
        let (_, body) = text.split_once(&format!("pub struct {name} {{")).unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let fields: Vec<_> = body
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'))
            .map(|(field, _)| field)
            .collect();
        assert!(!fields.is_empty(), "{name} has no fields");
        for field in fields {
            let has_method = text.contains(&format!("pub fn with_{field}("));
            assert_eq!(has_method, !without.contains(&field), "{name}::{field}");
        }
    }
}
