//! Each public field of an options struct has a `with_…` method.

use std::collections::BTreeMap;

use crate::files::{code_of, libraries};

/// Fields without a method, by struct: the preset is a constructor.
const WITHOUT: &[(&str, &str)] = &[("SessionOptions", "preset")];

/// The structs whose users write fields, not methods, each with the reason.
const BY_FIELDS: &[(&str, &str)] = &[
    ("ConnectMongo3Options", "read from the options of an npm store, one by one"),
    ("KrupteinOptions", "read from the options of an npm store, one by one"),
    ("Options", "of the suite: a test sets one or two of them"),
    ("WebCryptoOptions", "read from the options of an npm store, one by one"),
];

/// The code of each crate, by its folder.
fn crates() -> BTreeMap<String, String> {
    let mut crates = BTreeMap::<String, String>::new();
    for (path, text) in libraries() {
        let (folder, _) = path.split_once("/src/").unwrap();
        *crates.entry(folder.to_owned()).or_default() += &format!("{}\n", code_of(&text));
    }
    crates
}

/// The names of the options structs in some code.
fn structs(code: &str) -> impl Iterator<Item = &str> {
    let structs = code.split("\npub struct ").skip(1).filter_map(|rest| rest.split_once(" {"));
    structs.map(|(name, _)| name).filter(|name| name.ends_with("Options"))
}

/// What stands between this beginning of a line and the end of its item.
fn items<'a>(code: &'a str, beginning: &str) -> Vec<&'a str> {
    let items = code.split(beginning).skip(1);
    items.map(|rest| rest.split("\n}").next().unwrap_or_default()).collect()
}

#[test]
fn every_option_has_a_with_method() {
    let mut found = 0;
    for (folder, code) in crates() {
        for name in structs(&code).filter(|name| !BY_FIELDS.iter().any(|(known, _)| known == name))
        {
            found += 1;
            let methods = items(&code, &format!("\nimpl {name} {{")).concat();
            let fields = items(&code, &format!("\npub struct {name} {{")).concat();
            let fields: Vec<_> = fields
                .lines()
                .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'))
                .map(|(field, _)| field)
                .collect();
            assert!(!fields.is_empty(), "{name} has no fields");
            for field in fields {
                let has_method = methods.contains(&format!("pub fn with_{field}("));
                let needs_one = !WITHOUT.contains(&(name, field));
                assert_eq!(has_method, needs_one, "{folder}: {name}::{field}");
            }
        }
    }
    assert!(found >= 7, "only {found} structs of options");
}
