//! What the npm stores keep in tables is replayed without a failure, and what they did not keep is not.

use std::{fs, path::PathBuf};

use cloakroom_tests::{
    json::{Json, Text},
    replay::replay_text,
};

fn fixture() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("sql.json");
    fs::read_to_string(file).unwrap()
}

#[test]
#[ignore = "needs postgresql and mariadb-server"]
fn sql_holds() {
    let report = replay_text("sql", &fixture()).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 2576, 253));
}

/// The file with one of its stores.
fn with_store(file: &Json, id: &str) -> String {
    let is_it = |store: &&Json| store.get("id").and_then(Json::text).as_deref() == Some(id);
    let store = file.get("stores").unwrap().items().iter().find(is_it).unwrap();
    let only = |(name, value): &(Text, Json)| {
        let value = if name == "stores" { Json::Array(vec![store.clone()]) } else { value.clone() };
        (name.clone(), value)
    };
    Json::object(file.members().iter().map(only).collect()).stringify()
}

#[test]
#[ignore = "needs postgresql and mariadb-server"]
fn a_changed_row_fails() {
    let changes = [
        // An expiry that is off, in the form of each column.
        ("pg10", "2100-01-01 01:00:00\"", "2100-01-01 01:00:01\""),
        ("knex5-pg", "2100-01-01 01:00:00+00", "2100-01-01 01:00:01+00"),
        ("ems3", "\"expires\":\"4102448400\"", "\"expires\":\"4102448401\""),
        ("knex5-mysql2", "2100-01-01 01:00:00\"", "2100-01-01 01:00:01\""),
        ("typeorm-mysql", "\"4102448400000\"", "\"4102448400001\""),
        ("knex5-sqlite3", "01:00:00.000Z\",\"_t", "01:00:00.001Z\",\"_t"),
        ("seq8-sqlite3", "01:00:00.000 +00:00", "01:00:00.000+00:00"),
        ("sqlite3", "\"expired\":4102448400000", "\"expired\":4102448400001"),
        ("typeorm-better-sqlite3", "\"expiredAt\":4102448400000", "\"expiredAt\":4102448400001"),
        // A value of another type.
        ("sqlite3", "\"_t_exp\":\"real\"", "\"_t_exp\":\"integer\""),
    ];
    let file = Json::parse(&fixture()).unwrap();
    for (id, from, to) in changes {
        let text = with_store(&file, id);
        let changed = text.replacen(from, to, 1);
        assert!(changed != text, "{from} is not in the rows of {id}");
        assert_eq!(replay_text("sql", &changed).unwrap().failed(), 1, "{id}: {to} passed");
    }
}
