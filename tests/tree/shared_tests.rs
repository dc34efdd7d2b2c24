//! What the stores have in common is tested by the suite, not in the tests of each store.

use std::collections::{BTreeMap, BTreeSet};

use cloakroom_tests::stores::stores;

use crate::{files::files, texts::tests_in};

/// In how many stores a test of one name is taken for one that all stores share.
const MANY: usize = 3;

/// The tests that stand in so many stores, with what the suite cannot see.
const EVERYWHERE: &[(&str, &str)] = &[
    ("a_session_of_another_store_is_refused", "a store tells its own revisions from the others'"),
    (
        "a_wrong_url_is_a_config_error_that_says_what_is_accepted",
        "the suite opens no URL, and each store has its own parameters",
    ),
    ("every_operation_is_one_command", "each server counts its commands in its own way"),
    ("ten_thousand_sessions_are_listed_in_pages", "a page is a command of one server"),
    ("urls_are_read", "the suite opens no URL, and each store has its own parameters"),
    ("what_the_server_says_is_not_passed_on", "each server has its own words for what it refuses"),
];

#[test]
fn what_the_stores_have_in_common_is_a_case_of_the_suite() {
    let code = files(".rs");
    let mut places = BTreeMap::<&str, usize>::new();
    for store in stores().unwrap() {
        let folder = format!("crates/{}/", store.package);
        let files = code.iter().filter(|(path, _)| path.starts_with(&folder));
        let tests: BTreeSet<_> = files.flat_map(|(_, text)| tests_in(text)).collect();
        assert!(!tests.is_empty(), "{folder} has no tests");
        for name in tests {
            *places.entry(name).or_default() += 1;
        }
    }
    places.retain(|_, stores| *stores >= MANY);
    let is_known = |name: &str| EVERYWHERE.iter().any(|(known, _)| *known == name);
    let new: Vec<_> = places.keys().filter(|name| !is_known(name)).collect();
    assert!(new.is_empty(), "make these cases of cloakroom-conformance: {new:?}");
    for (name, _) in EVERYWHERE {
        assert!(places.contains_key(name), "{name} stands in fewer than {MANY} stores");
    }
}
