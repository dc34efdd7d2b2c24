//! What a store has outside of its folder: CONTRIBUTING.md lists it under "Add a store".

use cloakroom_tests::stores::stores;

use crate::files::{files, root};

/// What each store stands in, with `CRATE`, `STORE`, `SHORT` and `COUNTERPART` for its names.
const PLACES: [(&str, &str); 6] = [
    ("crates/cloakroom/src/open.rs", "= CRATE::STORE {"),
    ("crates/cloakroom/README.md", "| `SHORT` |"),
    ("README.md", "](crates/CRATE-NAME/README.md)"),
    ("tests/src/store_table/stores.rs", "SHORT::column().await?"),
    ("tests/interop/main.rs", "\nmod SHORT;\n"),
    ("tests/node/package.json", "\"COUNTERPART\": \""),
];

#[test]
fn every_store_can_be_opened_and_meets_its_counterpart() {
    let stores = stores().unwrap();
    assert!(stores.len() >= 3, "only {stores:?}");
    let mut missing = Vec::new();
    for store in &stores {
        for (path, text) in PLACES {
            let text = text
                .replace("CRATE-NAME", &store.package)
                .replace("CRATE", &store.package.replace('-', "_"))
                .replace("STORE", &store.store)
                .replace("SHORT", store.short())
                .replace("COUNTERPART", &store.counterpart);
            if !std::fs::read_to_string(root().join(path)).unwrap().contains(&text) {
                missing.push(format!("{path} lacks {text:?}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A crate whose store has no mark would be missing in all of these places.
#[test]
fn every_crate_with_a_store_has_its_mark() {
    let stores = stores().unwrap();
    let manifests = files("Cargo.toml");
    for (path, _) in manifests.iter().filter(|(path, _)| path.starts_with("crates/cloakroom-")) {
        let folder = path.trim_end_matches("/Cargo.toml");
        let Ok(store) = std::fs::read_to_string(root().join(folder).join("src/store.rs")) else {
            continue;
        };
        // The core's file of this name is the contract.
        let has_store = store.contains("\nimpl Store for ");
        let package = folder.trim_start_matches("crates/");
        let marked = stores.iter().any(|store| store.package == package);
        assert_eq!(marked, has_store && package != "cloakroom-core", "{package}");
    }
}
