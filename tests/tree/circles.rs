//! No file of a crate imports, by whatever way, from one that imports from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::files::{code_of, libraries, root};

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The first name of each path in a text that begins so, such as `crate::`.
fn imported<'a>(text: &'a str, beginning: &str) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    let begins = |at: usize| !text[..at].ends_with("::") && !text[..at].ends_with(is_word);
    for (at, _) in text.match_indices(beginning).filter(|(at, _)| begins(*at)) {
        let rest = &text[at + beginning.len()..];
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

/// A file as its folder sees it: the path to the folder's own module, such as `super::super::`, and the code.
type File = (String, String);

/// The modules in a folder, each with its own file and those in its folder.
fn files_of(folder: &Path, above: &str, module: Option<&str>) -> BTreeMap<String, Vec<File>> {
    let mut found = BTreeMap::<String, Vec<File>>::new();
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    for path in entries {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let files = found.entry(module.unwrap_or(&name).to_owned()).or_default();
        if path.is_dir() {
            let inner = files_of(&path, &format!("{above}super::"), Some(&name));
            files.extend(inner.into_values().flatten());
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push((above.to_owned(), code_of(&fs::read_to_string(&path).unwrap())));
        }
    }
    found
}

/// The modules of a folder that each of them imports from. `parent` is the code of the folder's own module, and `path`
/// leads there from the root of the crate.
fn modules(folder: &Path, path: &str, parent: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut texts = files_of(folder, "super::", None);
    for name in ["lib", "main", "bin"] {
        texts.remove(name);
    }
    // `pub use module::{Name, …};`
    let reexports = parent.split("use ").skip(1).filter_map(|rest| {
        let (module, names) = rest.split(';').next()?.split_once("::")?;
        Some((module, names.split(|c| !is_word(c)).collect::<BTreeSet<_>>()))
    });
    let reexports: Vec<_> = reexports.filter(|(module, _)| texts.contains_key(*module)).collect();
    let module = |name: &str| {
        let reexport = || reexports.iter().find(|(_, names)| names.contains(name));
        let module = if texts.contains_key(name) { name } else { reexport()?.0 };
        Some(module.to_owned())
    };
    let imports = |name: &String, files: &[File]| {
        let paths = files.iter().flat_map(|(above, code)| {
            [imported(code, path), imported(code, above)].into_iter().flatten()
        });
        paths.filter_map(module).filter(|other| other != name).collect()
    };
    texts.iter().map(|(name, files)| (name.clone(), imports(name, files))).collect()
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

/// The circles in a folder and in those inside of it, with the folder's path from the root of the crate.
fn circles_in(folder: &Path, path: &str, parent: &str) -> Vec<String> {
    let modules = modules(folder, path, parent);
    let mut found: Vec<String> =
        circles(modules.clone()).into_iter().map(|module| format!("{path}{module}")).collect();
    for name in modules.keys().filter(|name| folder.join(name).is_dir()) {
        let own = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap_or_default();
        found.extend(circles_in(&folder.join(name), &format!("{path}{name}::"), &code_of(&own)));
    }
    found
}

#[test]
fn files_import_in_no_circle() {
    let sources = |path: &str| Some(path.strip_suffix("/src/lib.rs")?.to_owned());
    let folders = libraries().into_iter().filter_map(|(path, _)| sources(&path));
    let mut circular = BTreeMap::new();
    for folder in folders {
        let src = root().join(&folder).join("src");
        let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
        let circles = circles_in(&src, "crate::", &code_of(&lib));
        if !circles.is_empty() {
            circular.insert(folder, circles);
        }
    }
    assert!(circular.is_empty(), "in a circle, or importing from one: {circular:#?}");
}

#[test]
fn imports_and_circles_are_found() {
    let text = "use crate::{\n    One, Two as Other,\n    three::{Four, five},\n};\nuse crate::six::Seven;\ncrate::eight::nine();";
    assert_eq!(imported(text, "crate::"), BTreeSet::from(["One", "Two", "eight", "six", "three"]));
    let module = |name: &str, imports: &[&str]| {
        (name.to_owned(), imports.iter().map(|name| (*name).to_owned()).collect())
    };
    let line = [module("a", &["b"]), module("b", &["c"]), module("c", &[])];
    assert!(circles(line.into()).is_empty());
    let circle = [module("a", &["b"]), module("b", &["c"]), module("c", &["b"])];
    assert_eq!(circles(circle.into()), ["a", "b", "c"]);
}
