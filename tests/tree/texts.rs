//! The project's texts are true: their links lead somewhere, and what they name is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use cloakroom_tests::{losses::losses, stores::stores};

use crate::files::{files, root};

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
pub(crate) fn tests_in(text: &str) -> BTreeSet<&str> {
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
    for store in stores().unwrap().iter().map(|store| &*store.package) {
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

/// The folders that a heading of ARCHITECTURE.md is about: those of a crate, or of all stores.
fn folders_of(heading: &str) -> Vec<String> {
    let src = |package: &str| format!("crates/{package}/src");
    match heading.trim_matches(['#', ' ', '`']) {
        "compat" => vec!["compat/src".to_owned()],
        "compat/node" => vec!["compat/node/src".to_owned()],
        "cloakroom-tower-sessions" => vec!["compat/tower-sessions/src".to_owned()],
        "Stores" => stores().unwrap().iter().map(|store| src(&store.package)).collect(),
        package => vec![src(package)],
    }
}

#[test]
fn every_file_that_the_architecture_names_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut named = 0;
    for section in text.split("\n### ").skip(1) {
        let (heading, body) = section.split_once('\n').unwrap();
        let body = body.split("\n## ").next().unwrap();
        let folders = folders_of(heading);
        let names = body.split('`').skip(1).step_by(2);
        for name in names.filter(|name| name.ends_with(".rs")) {
            // Those of the suite's and other crates' tests have their path.
            let mut places = folders.iter().map(|folder| root().join(folder));
            let of_the_crate = places
                .any(|src| src.join(name).exists() || src.parent().unwrap().join(name).exists());
            assert!(of_the_crate || is_in_the_suite(name), "{heading}: {name} does not exist");
            named += 1;
        }
    }
    assert!(named > 40, "only {named} files are named");
}

fn is_in_the_suite(name: &str) -> bool {
    root().join("crates/cloakroom-conformance").join(name).exists()
}

#[test]
fn the_contract_has_no_default_bodies() {
    let contract = fs::read_to_string(root().join("crates/cloakroom-core/src/store.rs")).unwrap();
    let traits: Vec<&str> = contract.split("\npub trait ").skip(1).collect();
    assert_eq!(traits.len(), 4);
    for contract in traits {
        let body = contract.split_once("{\n").unwrap().1.split("\n}").next().unwrap();
        // Without these, nothing is lost but time.
        let body =
            body.replace("fn find_by(&self) -> Option<&dyn FindBy> {\n        None\n    }", "");
        let find = "Error> {\n        // An index knows every session, so only a store without one has more to do.\n        self.find(path, value).await\n    }";
        let body = body.replace(find, "Error>;");
        assert!(body.contains("fn ") && !body.contains('{'), "a method has a body: {body}");
    }
}

/// Where a sentence ends within a line, and another begins.
fn ends_inside(line: &str) -> bool {
    let mut ends = line.match_indices(". ").filter(|(at, _)| {
        let before = line[..*at].chars().next_back();
        let after = line[at + 2..].chars().next();
        before.is_some_and(|c| c.is_ascii_lowercase() || "`)".contains(c))
            && after.is_some_and(|c| c.is_ascii_uppercase() || "`[".contains(c))
    });
    ends.next().is_some()
}

#[test]
fn markdown_has_one_sentence_a_line() {
    assert!(ends_inside("It is `a`. `B` is not.") && !ends_inside("**Errors.** It has one."));
    let mut found = Vec::new();
    for (path, text) in files(".md") {
        let mut in_code = false;
        for (number, line) in text.lines().enumerate() {
            in_code ^= line.trim_start().starts_with("```");
            // Items, cells and headings are as long as they are.
            let is_item =
                line.trim_start().starts_with(|c: char| "-|#>".contains(c) || c.is_ascii_digit());
            if !in_code && !is_item && ends_inside(line) {
                found.push(format!("{path}:{}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "begin a line with each sentence: {found:#?}");
}
