//! What the npm stores keep in tables is replayed without a failure, and what they did not keep is not.

use std::{fs, path::PathBuf};

use cloakroom_tests::replay::replay_text;

fn fixture() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("sql.json");
    fs::read_to_string(file).unwrap()
}

#[test]
#[ignore = "needs postgresql and mariadb-server"]
fn sql_holds() {
    let report = replay_text("sql", &fixture()).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 0, 0));
}

#[test]
#[ignore = "needs postgresql and mariadb-server"]
fn a_changed_row_fails() {
    let changes = [
        // An expiry that is a second off, in the form of each column.
        ("2100-01-01 01:00:00\"", "2100-01-01 01:00:01\""),
        ("2100-01-01 01:00:00+00", "2100-01-01 01:00:01+00"),
        ("\"2100-01-01T01:00:00.000Z\",\"_t", "\"2100-01-01T01:00:00.001Z\",\"_t"),
        ("2100-01-01 01:00:00.000 +00:00", "2100-01-01 01:00:00.000+00:00"),
        ("4102448400000", "4102448400001"),
        ("\"_t_exp\":\"real\"", "\"_t_exp\":\"integer\""),
    ];
    let text = fixture();
    for (from, to) in changes {
        let changed = text.replacen(from, to, 1);
        assert!(changed != text, "{from} is not in the fixture");
        assert_eq!(replay_text("sql", &changed).unwrap().failed(), 1, "{to} passed");
    }
}
