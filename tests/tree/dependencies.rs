//! What the crates depend on: each dependency is used, and under a licence that users can live with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata(options: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1"])
        .args(options)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is resolved for this machine, without the other platforms' packages, which need not be here.
fn resolved() -> Value {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    metadata(&["--all-features", "--filter-platform", host])
}

/// Returns the name that code has for each package whose library is not called as the package is, such as `md-5`.
fn library_names(packages: &[Value]) -> BTreeMap<&str, &str> {
    let mut names = BTreeMap::new();
    for package in packages {
        let mut targets = package["targets"].as_array().unwrap().iter();
        let is_library = |kind: &Value| ["lib", "proc-macro"].contains(&kind.as_str().unwrap());
        let library =
            targets.find(|target| target["kind"].as_array().unwrap().iter().any(is_library));
        if let Some(library) = library {
            names.insert(package["name"].as_str().unwrap(), library["name"].as_str().unwrap());
        }
    }
    names
}

/// Dependencies that no code names: (crate, dependency, why it is there).
const UNNAMED: &[(&str, &str, &str)] = &[
    ("cloakroom-interleavings", "async-trait", INCLUDED),
    ("cloakroom-interleavings", "futures", INCLUDED),
    ("cloakroom-interleavings", "hashbrown", INCLUDED),
];

const INCLUDED: &str = "the files that it includes name it";

/// The texts of a package's files with this ending, by their path in the package. Packages inside of it are left out.
fn texts(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let is_other = path.join("Cargo.toml").exists() || path.ends_with("node_modules");
                // `tests/chaos` has a module of this name.
                let is_built = path.ends_with("target") && !path.ends_with("src/target");
                if !is_other && !is_built {
                    walk(&path, ending, found);
                }
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, ending, &mut found);
    let text = |path: &PathBuf| fs::read_to_string(path).unwrap();
    found.iter().map(|path| (path.strip_prefix(folder).unwrap().to_owned(), text(path))).collect()
}

/// Returns true if code names a crate: `name::`, or `name` at the end of a `use`.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + name.len()..];
        let is_whole = !before.is_some_and(|c| c.is_alphanumeric() || "_:-".contains(c));
        let is_use = code[..at].ends_with("use ") && after.starts_with([';', ' ']);
        is_whole && (after.starts_with("::") || is_use)
    })
}

/// The code that a library or program is made of, without its tests and comments.
fn without_tests(path: &Path, text: &str) -> String {
    if path
        .components()
        .any(|part| matches!(&*part.as_os_str().to_string_lossy(), "tests" | "tests.rs"))
    {
        return String::new();
    }
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// What a package's code names: all of it with its doc tests, and what is built for those who depend on it.
fn code(folder: &Path) -> (String, String) {
    let files = texts(folder, ".rs");
    let mut all: String = files.iter().map(|(_, text)| format!("{text}\n")).collect();
    all.extend(texts(folder, "README.md").into_iter().map(|(_, text)| text));
    // The front page of the facade is the README of the repository.
    if all.contains("include_str!(\"../../../README.md\")") {
        all += &fs::read_to_string(root().join("README.md")).unwrap();
    }
    let built = files.iter().filter(|(path, _)| path.starts_with("src"));
    let built: String = built.map(|(path, text)| without_tests(path, text) + "\n").collect();
    // The package of the examples has no `src`.
    let built = if folder.join("src").exists() { built } else { all.clone() };
    (all, built)
}

#[test]
fn every_dependency_is_named_in_the_code_that_it_is_for() {
    assert!(names("use redis;", "redis") && names("a(tokio::spawn(b))", "tokio"));
    assert!(!names("cloakroom_redis::open", "redis") && !names("crate::redis::open", "redis"));
    let mut unused = Vec::new();
    let mut unnamed = Vec::new();
    let resolved = resolved();
    let libraries = library_names(resolved["packages"].as_array().unwrap());
    for package in metadata(&["--no-deps"])["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let (all, built) = code(manifest.parent().unwrap());
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let library = libraries.get(to).copied().unwrap_or(to);
            let word = dependency["rename"].as_str().unwrap_or(library).replace('-', "_");
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if names(if for_tests { &all } else { &built }, &word) {
                continue;
            }
            if UNNAMED.iter().any(|(by, what, _)| (*by, *what) == (name, to)) {
                unnamed.push((name.to_owned(), to.to_owned()));
            } else {
                let (table, place) = if for_tests {
                    ("dev-dependencies", "no code of it")
                } else {
                    ("dependencies", "no code of it but that of tests")
                };
                unused.push(format!("{name}: [{table}] has {to}, and {place} names `{word}`"));
            }
        }
    }
    assert!(unused.is_empty(), "remove these, or say in UNNAMED why they are there: {unused:#?}");
    assert_eq!(
        unnamed.len(),
        UNNAMED.len(),
        "UNNAMED has more than it needs; these it needs: {unnamed:?}"
    );
}

#[test]
fn every_version_in_the_workspace_is_of_a_dependency() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table =
        manifest.split("[workspace.dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let names = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "));
    let names: BTreeSet<String> = names.map(|(name, _)| name.to_owned()).collect();
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().unwrap().iter();
    let used = packages.flat_map(|package| package["dependencies"].as_array().unwrap());
    let used: BTreeSet<String> = used
        .map(|one| one["rename"].as_str().or(one["name"].as_str()).unwrap().to_owned())
        .collect();
    let unused: Vec<_> = names.difference(&used).collect();
    assert!(names.len() > 20 && unused.is_empty(), "no crate depends on these: {unused:?}");
}

/// Licences that ask for no more than to be named. A crate under another one needs a decision.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Returns true if the licences on the list satisfy an SPDX expression, in which `/` is an old way to write `OR`.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|name| LICENCES.contains(&name.trim())))
}

#[test]
fn every_dependency_has_a_licence_that_users_can_live_with() {
    assert!(is_allowed("(MIT OR GPL-3.0) AND ISC") && !is_allowed("MIT AND GPL-3.0"));
    let metadata = resolved();
    let used: BTreeSet<_> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str())
        .collect();
    let packages = metadata["packages"].as_array().unwrap();
    let refused: Vec<_> = packages
        .iter()
        .filter(|package| used.contains(&package["id"].as_str()))
        .filter(|package| !package["license"].as_str().is_some_and(is_allowed))
        .map(|package| {
            let licence =
                package["license"].as_str().unwrap_or("no licence that its manifest names");
            let text = |name: &str| package[name].as_str().unwrap_or_default();
            format!("{} {}: {licence}", text("name"), text("version"))
        })
        .collect();
    assert!(used.len() > 50, "only {} packages were looked at", used.len());
    assert!(
        refused.is_empty(),
        "do without these crates, or add their licences to LICENCES if those who use cloakroom can live with them: {refused:#?}"
    );
}
