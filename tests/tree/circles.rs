//! No file of a crate imports, by whatever way, from one that imports from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The crates that are made for this, by their folders.
const CRATES: [&str; 7] = [
    "crates/cloakroom",
    "crates/cloakroom-backend",
    "crates/cloakroom-memcached",
    "crates/cloakroom-mongodb",
    "crates/cloakroom-redis",
    "crates/cloakroom-tower",
    "compat",
];

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The first name of each path that a text imports from its own crate.
fn imported(text: &str) -> BTreeSet<&str> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut names = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            names.extend(rest.split(|c| !is_word(c)).next());
            continue;
        };
        let (mut depth, mut starts) = (1, true);
        for (at, character) in list.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => starts = depth == 1,
                _ if starts && is_word(character) => {
                    starts = false;
                    names.extend(list[at..].split(|c| !is_word(c)).next());
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

/// The modules of a crate that each of them imports from.
fn modules(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let lib = fs::read_to_string(folder.join("lib.rs")).unwrap();
    // `pub use module::{Name, …};`
    let exported = lib.split("pub use ").skip(1).filter_map(|rest| {
        let (module, names) = rest.split(';').next()?.split_once("::")?;
        Some((module, names.split(|c| !is_word(c)).collect::<BTreeSet<_>>()))
    });
    let exported: Vec<_> = exported.collect();
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let rust = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let texts: BTreeMap<_, _> = rust
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .filter(|(name, _)| name != "lib")
        .collect();
    let module = |name: &str| {
        let export = || exported.iter().find(|(_, names)| names.contains(name));
        let module = if texts.contains_key(name) { name } else { export()?.0 };
        Some(module.to_owned())
    };
    let without_docs = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let imports = |name: &String, text: &str| {
        let text = without_docs(text);
        imported(&text).into_iter().filter_map(module).filter(|other| other != name).collect()
    };
    texts.iter().map(|(name, text)| (name.clone(), imports(name, text))).collect()
}

/// Modules that are left when those are taken away, one after the other, that import from nothing that is left.
fn circles(mut modules: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let before = modules.len();
        let left: BTreeSet<_> = modules.keys().cloned().collect();
        modules.retain(|_, imports| imports.iter().any(|import| left.contains(import)));
        if modules.len() == before {
            return modules.into_keys().collect();
        }
    }
}

#[test]
fn files_import_in_no_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in CRATES {
        let modules = modules(&root.join(folder).join("src"));
        let circles = circles(modules);
        assert!(circles.is_empty(), "{folder}: in a circle, or importing from one: {circles:?}");
    }
}

#[test]
fn imports_and_circles_are_found() {
    let text = "use crate::{\n    One, Two as Other,\n    three::{Four, five},\n};\nuse crate::six::Seven;\ncrate::eight::nine();";
    assert_eq!(imported(text), BTreeSet::from(["One", "Two", "eight", "six", "three"]));
    let module = |name: &str, imports: &[&str]| {
        (name.to_owned(), imports.iter().map(|name| (*name).to_owned()).collect())
    };
    let line = [module("a", &["b"]), module("b", &["c"]), module("c", &[])];
    assert!(circles(line.into()).is_empty());
    let circle = [module("a", &["b"]), module("b", &["c"]), module("c", &["b"])];
    assert_eq!(circles(circle.into()), ["a", "b", "c"]);
}
