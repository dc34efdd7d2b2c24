//! The layout's own rules: what every manifest and every file has, and how long a file may be.

use crate::files::{code_of, files, libraries};

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

/// The files that are longer than others may be, each with the reason.
const LONG: &[(&str, &str)] =
    &[("crates/cloakroom-conformance/src/list.rs", "one table, which macros read as a whole")];

#[test]
fn no_rust_file_is_longer_than_400_lines() {
    let mut long = Vec::new();
    for (path, text) in files(".rs") {
        let lines = text.lines().count();
        let is_known = LONG.iter().any(|(known, _)| *known == path);
        if is_known != (lines > 400) {
            long.push(format!("{path} has {lines} lines"));
        }
    }
    assert!(long.is_empty(), "cut these, and keep LONG true: {long:#?}");
}

/// What code that scans JSON by itself cannot do without: the end of an object, and escapes read and written.
const SCANS_JSON: [&str; 3] = ["b'}'", "from_str_radix(", ":04x}"];

#[test]
fn json_is_scanned_in_one_folder_only() {
    let (mut inside, mut outside) = (String::new(), Vec::new());
    for (path, text) in libraries() {
        let code = code_of(&text);
        if path.starts_with("crates/cloakroom-core/src/json/") {
            inside += &code;
        } else {
            let signs = SCANS_JSON.iter().filter(|sign| code.contains(**sign));
            outside.extend(signs.map(|sign| format!("{path}: {sign}")));
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

/// The file or folder of a target, whose section of a manifest begins with its kind.
fn sources_of(section: &str) -> String {
    let value = |name: &str| {
        section
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
    };
    match (value("path"), value("name")) {
        (Some(path), _) => path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(),
        (None, Some(name)) if section.starts_with("[bin]]") => format!("src/bin/{name}"),
        (None, _) => "src".to_owned(),
    }
}

/// A test in a target with `test = false` would never run.
#[test]
fn a_target_that_is_not_tested_has_no_tests() {
    let sources = files(".rs");
    let mut checked = 0;
    for (path, manifest) in files("Cargo.toml") {
        let folder = path.trim_end_matches("Cargo.toml");
        for section in manifest.split("\n[").filter(|section| section.contains("\ntest = false")) {
            let place = format!("{folder}{}", sources_of(section));
            let is_bin = place.contains("/bin/");
            let here = sources.iter().filter(|(path, _)| {
                path.starts_with(&place) && (is_bin || !path.contains("/bin/"))
            });
            for (path, text) in here {
                let tests = ["#[test]", "::test]", "::test(", "suite!("];
                assert!(!tests.iter().any(|test| text.contains(test)), "{path} has a test");
                checked += 1;
            }
        }
    }
    assert!(checked > 0, "no target has `test = false` any more");
}

#[test]
fn lock_files_record_no_address_to_download_from() {
    for (path, text) in files("package-lock.json") {
        assert!(!text.contains("\"resolved\""), "{path}");
    }
}
