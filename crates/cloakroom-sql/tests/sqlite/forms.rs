//! A table whose expiry is of another form than that of its counterpart.

use super::*;

/// The tables of connect-session-knex and connect-sqlite3 have the same name and columns, and differ in the expiry alone.
const KNEX: &str = "CREATE TABLE sessions (sid varchar(255), sess json not null, \
    expired datetime not null, primary key (sid))";
const SQLITE3: &str = "CREATE TABLE sessions (sid PRIMARY KEY, expired, sess)";

async fn refused(sql: &str, parameters: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    sqlx::query(sql).execute(&mut beside(&folder).await).await.unwrap();
    let store = SqlStore::open(&url(&folder, parameters)).unwrap();
    let error = store.get("id").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let other = error.to_string().split_once("counterpart=").unwrap().1.to_owned();
    let right = SqlStore::open(&url(&folder, &format!("?counterpart={other}"))).unwrap();
    right.set("id", &ann()).await.unwrap();
    assert_eq!(right.get("id").await.unwrap(), Some(ann()), "{other}");
    other
}

#[tokio::test]
async fn a_table_of_another_package_is_refused_with_its_name() {
    assert_eq!(refused(KNEX, "").await, "connect-session-knex");
    assert_eq!(refused(SQLITE3, "?counterpart=connect-session-knex").await, "connect-sqlite3");
}

/// SQLite orders every text after every number, and reads a small number as a Julian day.
#[tokio::test]
async fn a_row_whose_expiry_has_another_form_is_not_live_and_not_pruned() {
    for (counterpart, expiry, column) in [
        ("connect-sqlite3", "'2000-01-01T00:00:00.000Z'", "expired"),
        ("connect-session-knex", "5000000", "expired"),
        ("connect-session-sequelize", "1", "expires"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&url(&folder, &format!("?counterpart={counterpart}"))).unwrap();
        store.set("id", &ann()).await.unwrap();
        let name = if counterpart.ends_with("sequelize") { "Sessions" } else { "sessions" };
        let sql = format!("UPDATE {name} SET {column} = {expiry}");
        sqlx::query(&sql).execute(&mut beside(&folder).await).await.unwrap();
        assert_eq!(store.get("id").await.unwrap(), None, "{counterpart}");
        assert_eq!(store.get_and_touch("id", None).await.unwrap(), None, "{counterpart}");
        assert_eq!(store.length().await.unwrap(), 0, "{counterpart}");
        assert_eq!(store.remove_expired().await.unwrap(), 0, "{counterpart}");
        let created = store.create("id", &ann()).await.unwrap();
        assert!(matches!(created, Created::Stored(_)), "{counterpart}");
        assert_eq!(store.get("id").await.unwrap(), Some(ann()), "{counterpart}");
    }
}

#[tokio::test]
async fn what_a_constraint_refuses_is_told() {
    for (columns, kind, part) in [
        ("(sid PRIMARY KEY, expired, sess, shop NOT NULL)", ErrorKind::Config, "needs a value"),
        ("(sid PRIMARY KEY, expired, sess, shop UNIQUE DEFAULT 1)", ErrorKind::Config, "unique"),
        (
            "(sid PRIMARY KEY, expired, sess CHECK (sess NOT LIKE '%ann%'))",
            ErrorKind::InvalidData,
            "cannot keep this session",
        ),
        (
            "(sid TEXT PRIMARY KEY, expired REAL, sess BLOB) STRICT",
            ErrorKind::Config,
            "another type",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let sql = format!("CREATE TABLE sessions {columns}");
        sqlx::query(&sql).execute(&mut beside(&folder).await).await.unwrap();
        let store = SqlStore::open(&url(&folder, "")).unwrap();
        store.set("other", &SessionData::new()).await.ok();
        let error = store.set("id", &ann()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{columns}: {error}");
        assert!(error.to_string().contains(part), "{columns}: {error}");
    }
}

#[tokio::test]
async fn the_names_of_columns_have_no_case() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE Sessions (SID PRIMARY KEY, Expired, SESS)";
    sqlx::query(sql).execute(&mut beside(&folder).await).await.unwrap();
    let store = SqlStore::open(&url(&folder, "?createTable=false")).unwrap();
    store.set("id", &ann()).await.unwrap();
    assert_eq!(store.get("id").await.unwrap(), Some(ann()));
}
