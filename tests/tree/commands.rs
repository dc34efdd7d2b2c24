//! The commands that the texts show can be run: their packages, tests, examples and steps exist.

use std::collections::BTreeSet;

use crate::files::{files, root};

/// The words of each call of cargo in a text, up to the end of the line, of the code, or to a comment.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let calls = text.split("cargo ").skip(1).filter_map(|rest| rest.split(['`', '"', '\n']).next());
    calls
        .map(|call| {
            let words = call.split_whitespace().take_while(|word| !["#", "|", "&"].contains(word));
            words.map(|word| word.trim_end_matches(['.', ',', ':', ';', ')'])).collect()
        })
        .collect()
}

/// The names of the packages, the test programs and the examples, as cargo's options call them.
struct Names {
    packages: BTreeSet<String>,
    /// With the package of each.
    tests: BTreeSet<(String, String)>,
    examples: BTreeSet<String>,
    xtask: String,
    steps: String,
}

impl Names {
    fn of_the_tree() -> Self {
        let (mut packages, mut tests) = (BTreeSet::new(), BTreeSet::new());
        let programs: Vec<String> = files(".rs")
            .into_iter()
            .map(|(path, _)| path.strip_suffix("/main.rs").unwrap_or(&path).to_owned())
            .map(|path| path.strip_suffix(".rs").unwrap_or(&path).to_owned())
            .collect();
        for (path, manifest) in files("Cargo.toml") {
            let names = |table: &str| -> Vec<String> {
                let tables = manifest.split("\n[").filter_map(|rest| rest.split_once("]\n"));
                let lines = tables
                    .filter(|(name, _)| name.trim_matches(['[', ']']) == table)
                    .flat_map(|(_, body)| body.lines());
                let names = lines.filter_map(|line| line.strip_prefix("name = \""));
                names.map(|name| name.trim_end_matches('"').to_owned()).collect()
            };
            let Some(package) = names("package").pop() else { continue };
            let folder = path.replace("Cargo.toml", "tests/");
            let found = programs.iter().filter_map(|program| program.strip_prefix(&folder));
            let found = found.map(str::to_owned).chain(names("test"));
            tests.extend(found.map(|test| (package.clone(), test)));
            packages.insert(package);
        }
        let examples = programs.iter().filter_map(|program| program.strip_prefix("examples/"));
        // Those of a workspace of its own are in a folder.
        let examples = examples.filter_map(|program| program.rsplit('/').next());
        let source = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
        Self {
            packages,
            tests,
            examples: examples.map(str::to_owned).collect(),
            xtask: source("xtask/src/main.rs"),
            steps: source("xtask/src/ci.rs"),
        }
    }

    /// What is wrong with a command: a word that names nothing.
    fn wrong<'a>(&self, command: &[&'a str]) -> Option<&'a str> {
        let after = |options: &[&str]| {
            let at = command.iter().position(|word| options.contains(word))?;
            // A word in capitals stands for any.
            command.get(at + 1).copied().filter(|word| word.contains(char::is_lowercase))
        };
        let unknown = |word: Option<&'a str>, known: &BTreeSet<String>| {
            word.filter(|word| !known.contains(*word))
        };
        let xtask = (command.first() == Some(&"xtask")).then(|| after(&["xtask"])).flatten();
        let steps = || {
            let steps = command.iter().skip(2).filter(|_| xtask == Some("ci"));
            steps.copied().find(|step| !self.steps.contains(&format!("\"{step}\"")))
        };
        let package = after(&["-p", "--package"]);
        let has_test = |test: &str| {
            let of = |one: &str| package.is_none_or(|package| package == one);
            self.tests.iter().any(|(package, name)| name == test && of(package))
        };
        unknown(package, &self.packages)
            .or_else(|| after(&["--test"]).filter(|test| !has_test(test)))
            .or_else(|| unknown(after(&["--example"]), &self.examples))
            .or_else(|| xtask.filter(|word| !self.xtask.contains(&format!("(\"{word}\","))))
            .or_else(steps)
    }
}

#[test]
fn every_command_that_a_text_shows_can_be_run() {
    let names = Names::of_the_tree();
    let mut wrong = Vec::new();
    for (path, text) in files(".md").into_iter().chain(files(".rs")) {
        // The tasks' own texts have commands with variables in them.
        if path.starts_with("xtask/") || path.starts_with("tests/tree/") {
            continue;
        }
        for command in commands(&text) {
            let word = names.wrong(&command);
            wrong.extend(word.map(|word| format!("{path}: {word:?} of {command:?}")));
        }
    }
    assert!(wrong.is_empty(), "these commands name what is not there: {wrong:#?}");
}

#[test]
fn commands_that_cannot_be_run_are_found() {
    let names = Names::of_the_tree();
    let wrong = |text| commands(text).iter().find_map(|command| names.wrong(command));
    for text in [
        "`cargo test -p cloakroom-core touch`",
        "cargo xtask ci lints docs",
        "Run `cargo run --example NAME`, then `cargo xtask test -p cloakroom-tests --test shop`.",
        "cargo run --example side_by_side   # a comment",
    ] {
        assert_eq!(wrong(text), None, "{text}");
    }
    assert_eq!(
        wrong("`cargo test -p cloakroom-tests --test contention -- --ignored`"),
        Some("contention")
    );
    assert_eq!(wrong("cargo run --example quick"), Some("quick"));
    assert_eq!(wrong("cargo xtask tests"), Some("tests"));
    assert_eq!(wrong("cargo xtask ci lint"), Some("lint"));
    assert_eq!(wrong("cargo bench -p cloakroom-cores"), Some("cloakroom-cores"));
}
